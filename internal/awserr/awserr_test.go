package awserr

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// failure builds an error as the SDK builds it.
func failure(service, code, message string, status int) error {
	inner := errors.New("no body")
	if code != "" {
		inner = &smithy.GenericAPIError{Code: code, Message: message}
	}
	return &smithy.OperationError{ServiceID: service, OperationName: "Op", Err: &awshttp.ResponseError{
		RequestID: "REQ1",
		ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}},
			Err:      inner,
		},
	}}
}

func TestClassify(t *testing.T) {
	for name, c := range map[string]struct {
		code, message string
		status        int
		class         Class
		disposition   Disposition
	}{
		"slow down":                 {"SlowDown", "", 503, Throttle, Retry},
		"KMS throttling through S3": {"KMS.ThrottlingException", "", 400, Throttle, Retry},
		"internal error":            {"InternalError", "", 500, Transient, Retry},
		"a 502 without a code":      {"", "", 502, Transient, Retry},
		"an unknown code with 500":  {"Strange", "", 500, Transient, Retry},
		"conditional conflict":      {"ConditionalRequestConflict", "", 409, Conflict, Retry},
		"upload gone":               {"NoSuchUpload", "", 404, NoSuchUpload, Retry},
		"digest mismatch":           {"BadDigest", "", 400, Integrity, Retry},
		"expired session, S3":       {"ExpiredToken", "", 400, ExpiredCredentials, RefreshThenRetry},
		"expired session, STS":      {"ExpiredTokenException", "", 403, ExpiredCredentials, RefreshThenRetry},
		"invalid session token":     {"InvalidToken", "", 400, ExpiredCredentials, RefreshThenRetry},
		"unknown access key":        {"InvalidAccessKeyId", "", 403, BadCredentials, Park},
		"wrong secret":              {"SignatureDoesNotMatch", "The request signature we calculated does not match", 403, BadCredentials, Park},
		"clock skew, S3":            {"RequestTimeTooSkewed", "", 403, ClockSkew, Park},
		"clock skew, STS":           {"SignatureDoesNotMatch", "Signature expired: 2026 is now earlier than 2027", 403, ClockSkew, Park},
		"access denied":             {"AccessDenied", "Access Denied", 403, AccessDenied, Park},
		"a 403 without a code":      {"", "", 403, AccessDenied, Park},
		"no bucket":                 {"NoSuchBucket", "", 404, NotFound, Park},
		"key disabled, through S3":  {"KMS.DisabledException", "arn is disabled.", 400, KeyState, Park},
		"key pending deletion":      {"KMS.KMSInvalidStateException", "", 400, KeyState, Park},
		"key not found, at MinIO":   {"kms:KeyNotFound", "", 404, KeyState, Park},
		"key not found, through S3": {"KMS.NotFoundException", "", 400, KeyState, Park},
		"an unknown KMS code":       {"KMS.NewException", "", 400, KeyState, Park},
		"another Region, redirect":  {"PermanentRedirect", "", 301, Region, Park},
		"a 301 without a code":      {"", "", 301, Region, Park},
		"another Region, signature": {"AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong; expecting 'eu-west-1'", 400,
			Region, Park},
		"precondition":          {"PreconditionFailed", "", 412, Precondition, Dead},
		"too large":             {"EntityTooLarge", "", 400, Invalid, Dead},
		"an unknown code parks": {"Strange", "", 400, Terminal, Park},
	} {
		t.Run(name, func(t *testing.T) {
			i := Classify(fmt.Errorf("putting: %w", failure("S3", c.code, c.message, c.status)), "s3")
			if i.Class != c.class || i.Class.Disposition() != c.disposition {
				t.Errorf("got %s, %s", i.Class, i.Class.Disposition())
			}
			if i.Code != c.code || i.HTTPStatus != c.status || i.RequestID != "REQ1" || i.Message == "" || i.Service != "s3" {
				t.Errorf("got %+v", i)
			}
		})
	}
}

func TestClassifyReadsTheText(t *testing.T) {
	i := Classify(failure("S3", "AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong; expecting 'eu-west-1'", 400), "s3")
	if i.WantRegion != "eu-west-1" {
		t.Errorf("got %+v", i)
	}
	i = Classify(failure("S3", "AccessDenied", "User: x is not authorized to perform: kms:Decrypt on resource: k "+opaqueKMS, 403), "s3")
	if i.Layer != LayerKeyPolicy || i.Side != SideB || i.Action != "kms:Decrypt" || i.Resource != "k" || i.Principal != "x" {
		t.Errorf("got %+v", i)
	}
}

func TestClassifyNamesTheServiceThatFailed(t *testing.T) {
	err := &smithy.OperationError{ServiceID: "S3", OperationName: "PutObject",
		Err: fmt.Errorf("get credentials: %w", failure("STS", "AccessDenied", "no", 403))}
	if i := Classify(err, "s3"); i.Service != "sts" || i.Class != AccessDenied {
		t.Errorf("got %+v", i)
	}
}

func TestClassifyOthers(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want Class
	}{
		"no error":      {nil, None},
		"a cancel":      {fmt.Errorf("x: %w", context.Canceled), Canceled},
		"a deadline":    {fmt.Errorf("x: %w", context.DeadlineExceeded), Network},
		"anything else": {errors.New("odd"), Terminal},
		"an empty chain on no EC2": {
			errors.New("failed to refresh cached credentials, no EC2 IMDS role found, operation error ec2imds: GetMetadata, request canceled"),
			BadCredentials,
		},
	} {
		if i := Classify(c.err, "s3"); i.Class != c.want {
			t.Errorf("%s: got %+v", name, i)
		}
	}
}

// put calls S3 at endpoint through the SDK and returns its error.
func put(t *testing.T, ctx context.Context, endpoint string, client aws.HTTPClient) error {
	t.Helper()
	c := s3.New(s3.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(endpoint), UsePathStyle: true, HTTPClient: client,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "SECRETEXAMPLE", "TOKENEXAMPLE"), RetryMaxAttempts: 1,
	})
	_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), Body: strings.NewReader("x")})
	if err == nil {
		t.Fatal("the call went through")
	}
	return err
}

func TestNetworkErrorsNameTheEndpoint(t *testing.T) {
	done := make(chan struct{})
	silent := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-done }))
	defer silent.Close()
	defer close(done)
	breaking := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer breaking.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	noDNS := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "s3.invalid", IsNotFound: true}}
	}}}
	for name, c := range map[string]struct {
		endpoint string
		client   aws.HTTPClient
		op       string
	}{
		"no listener":               {"https://" + closed, http.DefaultClient, "connect"},
		"no such name":              {"https://s3.invalid", noDNS, "dns"},
		"a certificate not trusted": {silent.URL, &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{}}}, "tls"},
		"no TLS":                    {"https://" + strings.TrimPrefix(plain.URL, "http://"), http.DefaultClient, "tls"},
		"no answer":                 {silent.URL, silent.Client(), "timeout"},
		"a connection that breaks":  {breaking.URL, breaking.Client(), "reset"},
	} {
		t.Run(name, func(t *testing.T) {
			limit := time.Minute // each of the others fails by itself
			if c.op == "timeout" {
				limit = 500 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			i := Classify(put(t, ctx, c.endpoint, c.client), "s3")
			host, shown := strings.TrimPrefix(c.endpoint, "https://"), strings.TrimPrefix(c.endpoint, "https://")
			if c.op == "timeout" { // the SDK drops the URL when the caller's context ends
				host, shown = "", "the s3 endpoint"
			}
			if i.Class != Network || i.NetworkOp != c.op || !strings.HasPrefix(i.Endpoint, host) || !strings.Contains(i.Message, shown) ||
				!strings.Contains(i.Message, "not IAM") {
				t.Errorf("got %+v", i)
			}
			if s := fmt.Sprintf("%+v", i); strings.Contains(s, "SECRETEXAMPLE") || strings.Contains(s, "TOKENEXAMPLE") ||
				strings.Contains(s, "AKIDEXAMPLE") {
				t.Errorf("a secret in %s", s)
			}
		})
	}
}

func TestEndpointsNeverShowASignedQuery(t *testing.T) {
	client := &http.Client{Transport: &http.Transport{}}
	resp, err := client.Get("https://127.0.0.1:1/b/k?X-Amz-Signature=abcdef")
	if err == nil {
		_ = resp.Body.Close()
		t.Fatal("connected")
	}
	i := Classify(err, "s3")
	if i.Endpoint != "127.0.0.1:1" || strings.Contains(fmt.Sprintf("%+v", i), "abcdef") {
		t.Errorf("got %+v", i)
	}
}

func TestForeignTextIsMadeFitForALine(t *testing.T) {
	i := Classify(failure("S3", "Odd", "a\nb\x1b[31m\xff"+strings.Repeat("x", 5000), 400), "s3")
	if strings.ContainsAny(i.Message, "\n\x1b") || len(i.Message) > maxText || !strings.HasPrefix(i.Message, "a b[31m") {
		t.Errorf("got %q", i.Message)
	}
}

func TestSessionFailure(t *testing.T) {
	for name, c := range map[string]struct {
		code    string
		message string
		status  int
		want    SessionClass
	}{
		"access denied":        {"AccessDenied", "", 403, SessionTerminal},
		"claim rejected":       {"IDPRejectedClaim", "", 403, SessionTerminal},
		"bad identity token":   {"InvalidIdentityToken", "", 400, SessionTerminal},
		"bad session policy":   {"MalformedPolicyDocument", "", 400, SessionTerminal},
		"policy too large":     {"PackedPolicyTooLarge", "", 400, SessionTerminal},
		"region off":           {"RegionDisabledException", "", 403, SessionTerminal},
		"chained over an hour": {"ValidationError", "exceeds the 1 hour session limit for roles assumed by role chaining", 400, SessionTerminal},
		"throttled":            {"Throttling", "", 400, SessionThrottle},
		"429 without a code":   {"", "", 429, SessionThrottle},
		"server error":         {"InternalFailure", "", 500, SessionTransient},
		"identity provider":    {"IDPCommunicationError", "", 400, SessionTransient},
		"source expired":       {"ExpiredToken", "", 403, SessionSource},
		"source key unknown":   {"InvalidClientTokenId", "The security token included in the request is invalid.", 403, SessionSource},
		"something new":        {"Strange", "", 400, SessionTransient},
		"clock":                {"SignatureDoesNotMatch", "Signature not yet current", 403, SessionTransient},
	} {
		if got := SessionFailure(failure("STS", c.code, c.message, c.status)); got != c.want {
			t.Errorf("%s: got %s", name, got)
		}
	}
	if SessionFailure(nil) != SessionOK || SessionFailure(context.DeadlineExceeded) != SessionTransient {
		t.Error("no error, or a deadline")
	}
}
