package sandbox_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/brokerd/brokerd/internal/sandbox"
)

// A request signed by hand, so that it can be spoiled.
func TestSpoiledSignaturesAreRefused(t *testing.T) {
	w := newWorld(t)
	rows := []struct {
		name   string
		creds  func(*sandbox.Credentials)
		at     time.Duration
		after  func(*http.Request)
		code   string
		status int
	}{
		{"as it should be", nil, 0, nil, "", 200},
		{"wrong secret", func(c *sandbox.Credentials) { c.SecretAccessKey = "x" }, 0, nil, "SignatureDoesNotMatch", 403},
		{"unknown key", func(c *sandbox.Credentials) { c.AccessKeyID = "AKIAUNKNOWN" }, 0, nil, "InvalidAccessKeyId", 403},
		{"session without its token", func(c *sandbox.Credentials) { c.SessionToken = "" }, 0, nil, "InvalidAccessKeyId", 403},
		{"session with another token", func(c *sandbox.Credentials) { c.SessionToken = "other" }, 0, nil, "InvalidToken", 400},
		{"clock 16 minutes behind", nil, -16 * time.Minute, nil, "RequestTimeTooSkewed", 403},
		{"clock 16 minutes ahead", nil, 16 * time.Minute, nil, "RequestTimeTooSkewed", 403},
		{"clock 14 minutes behind", nil, -14 * time.Minute, nil, "", 200},
		{"header added after signing", nil, 0, func(r *http.Request) { r.Header.Set("X-Amz-Meta-Added", "1") }, "AccessDenied", 403},
		{"signed header changed", nil, 0, func(r *http.Request) { r.Header.Set("X-Amz-Expected-Bucket-Owner", accountA) },
			"SignatureDoesNotMatch", 403},
		{"path changed", nil, 0, func(r *http.Request) { r.URL.Path = "/" + bucketB + "/logs/other" }, "SignatureDoesNotMatch", 403},
		{"body is not the one signed", nil, 0, func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader("lies!"))
		}, "XAmzContentSHA256Mismatch", 400},
		{"garbage in the authorization header", nil, 0, func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x") },
			"AuthorizationHeaderMalformed", 400},
		{"no authorization at all", nil, 0, func(r *http.Request) { r.Header.Del("Authorization") }, "AccessDenied", 403},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := w.session
			if row.creds != nil {
				row.creds(&c)
			}
			body := "truth"
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, w.sb.Endpoint()+"/"+bucketB+"/logs/by%20hand%2B%C3%A9",
				strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256([]byte(body))
			hash := hex.EncodeToString(sum[:])
			req.Header.Set("X-Amz-Content-Sha256", hash)
			req.Header.Set("X-Amz-Server-Side-Encryption", "aws:kms")
			req.Header.Set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", w.key)
			req.Header.Set("X-Amz-Expected-Bucket-Owner", accountB)
			signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
			creds := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
			if err := signer.SignHTTP(t.Context(), creds, req, hash, "s3", region, time.Now().Add(row.at)); err != nil {
				t.Fatal(err)
			}
			if row.after != nil {
				row.after(req)
			}
			resp, err := httpClient(t, w.sb).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if err := resp.Body.Close(); err != nil {
				t.Error(err)
			}
			if resp.StatusCode != row.status || (row.code != "" && !bytes.Contains(text, []byte("<Code>"+row.code+"</Code>"))) {
				t.Errorf("status %d, body %s; want %d %s", resp.StatusCode, text, row.status, row.code)
			}
			if resp.Header.Get("X-Amz-Request-Id") == "" || resp.Header.Get("X-Amz-Id-2") == "" {
				t.Error("the answer has no request id")
			}
		})
	}
}

func TestQueryServicesHaveTheirOwnCodes(t *testing.T) {
	w := newWorld(t)
	bad := w.session
	bad.SecretAccessKey = "x"
	if _, err := as(t, w.sb, bad).sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}); code(err) != "SignatureDoesNotMatch" ||
		status(err) != 403 {
		t.Errorf("wrong secret: %v", err)
	}
	bad = w.session
	bad.AccessKeyID = "ASIAUNKNOWN"
	if _, err := as(t, w.sb, bad).sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}); code(err) != "InvalidClientTokenId" ||
		status(err) != 403 {
		t.Errorf("unknown key: %v", err)
	}
}

func TestPresignedGet(t *testing.T) {
	w := newWorld(t)
	must[*s3.PutObjectOutput](t)(w.uploader.s3.PutObject(t.Context(), w.put("logs/x", []byte("presigned"))))
	signed := must[*v4.PresignedHTTPRequest](t)(
		s3.NewPresignClient(w.rootB.s3).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucketB), Key: aws.String("logs/x")}),
	)
	for name, row := range map[string]struct {
		url    string
		status int
	}{"as signed": {signed.URL, 200}, "another key": {strings.Replace(signed.URL, "logs/x", "logs/y", 1), 403}} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, row.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := httpClient(t, w.sb).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if resp.StatusCode != row.status {
			t.Errorf("%s: status %d, want %d", name, resp.StatusCode, row.status)
		}
	}
}
