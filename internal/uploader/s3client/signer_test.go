package s3client_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/brokerd/brokerd/internal/uploader/s3client"
)

// words makes strings that a wrong signer would fail on.
type words struct{ *rand.Rand }

func (w words) oneOf(s ...string) string { return s[w.IntN(len(s))] }

func (w words) key() string {
	var b strings.Builder
	for range 1 + w.IntN(12) {
		switch w.IntN(8) {
		case 0:
			b.WriteByte(byte(w.IntN(256)))
		case 1:
			b.WriteRune(rune(w.IntN(0x3000)))
		case 2:
			b.WriteString(
				w.oneOf("/", "//", "..", "/../", "/./", "%", "%2F", "%zz", "+", " ", "  ", "?", "#", "&", "=", ";", ":", "~", "*", "'", "\x00",
					"\n", "日本", "é"),
			)
		default:
			b.WriteString(w.oneOf("logs", "a", "B", "0", "-", "_", ".", "2026", "host.example"))
		}
	}
	return b.String()
}

func (w words) value() string {
	var b strings.Builder
	for range w.IntN(6) {
		b.WriteString(w.oneOf(" ", "  ", "   ", "a", "b c", "\t", "é", "=", ",", ";", "\"quoted\"", "x  y", "\xff"))
	}
	return b.String()
}

func (w words) maybe(s string) string {
	if w.IntN(2) == 0 {
		return ""
	}
	return s
}

func (w words) object() s3client.Object {
	o := s3client.Object{
		Key: w.key(), ContentType: w.maybe("text/plain; charset=utf-8"), ContentEncoding: w.maybe("gzip"), StorageClass: w.maybe("STANDARD_IA"),
		ACL: w.maybe("bucket-owner-full-control"), Tagging: w.maybe("a=b&c=" + url.QueryEscape(w.value())), Encryption: w.maybe("aws:kms"),
		KMSKey: w.maybe("arn:aws:kms:eu-west-1:444455556666:key/1"), EncryptionContext: w.maybe("e30="), IfNoneMatch: w.maybe("*"),
	}
	if w.IntN(2) == 0 {
		o.BucketKey = aws.Bool(w.IntN(2) == 0)
	}
	for range w.IntN(5) {
		if o.Metadata == nil {
			o.Metadata = map[string]string{}
		}
		o.Metadata[strings.ToLower(w.oneOf("a", "B-c", "brokerd-id", "z_9", "x-amz-meta-q"))] = w.value()
	}
	return o
}

func (w words) call(t *testing.T, c *s3client.Client) {
	t.Helper()
	p := s3client.Payload{Open: func() (io.Reader, error) { return strings.NewReader("abc"), nil }, Size: 3 * int64(w.IntN(2)),
		CRC32C: w.Uint32()}
	id := w.key()
	var err error
	switch w.IntN(7) {
	case 0, 1:
		_, err = c.PutObject(t.Context(), w.object(), p)
	case 2:
		_, err = c.CreateMultipartUpload(t.Context(), w.object())
	case 3:
		_, err = c.UploadPart(t.Context(), w.key(), id, 1+w.Int32N(10000), p)
	case 4:
		_, err = c.CompleteMultipartUpload(t.Context(),
			s3client.Completion{Key: w.key(), UploadID: id, Parts: []s3client.Part{{Number: 1, ETag: w.value(), CRC32C: w.Uint32()}},
				Size: w.Int64(), IfNoneMatch: w.maybe("*")})
	case 5:
		_, err = c.ListParts(t.Context(), w.key(), id)
	case 6:
		_, err = c.HeadObject(t.Context(), w.key())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestSignatureIsTheSDKs signs the requests of this package again with the SDK's signer
// under the settings for S3, and compares byte for byte.
func TestSignatureIsTheSDKs(t *testing.T) {
	const rounds = 12000
	w := words{rand.New(rand.NewPCG(1, 2))}
	sessions := []aws.Credentials{
		{AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"},
		{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "secret2", SessionToken: strings.Repeat("IQoJb3JpZ2luX2VjE+/=", 40)},
		{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "secret3", SessionToken: "t"}, // one id, another secret
	}
	places := []s3client.Options{
		{Region: "eu-west-1", Bucket: "plain-bucket"},
		{Region: "us-gov-west-1", Bucket: "with.dots", Owner: "444455556666", UserAgent: "a b/c"},
		{Region: "eu-west-1", Bucket: "bucket", PathStyle: true, Endpoint: "https://[::1]:9000/base%20path/"},
		{Region: "eu-west-1", Bucket: "Upper_Case", Endpoint: "http://store.example:80"},
	}
	var mu sync.Mutex // guards the variables below
	signed := 0
	var session aws.Credentials
	var region string
	check := to(t, func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = io.Copy(io.Discard, req.Body)
		again := req.Clone(context.Background())
		again.URL.Scheme, again.URL.Host = "https", req.Host
		got := req.Header.Get("Authorization")
		again.Header.Del("Authorization")
		at, err := time.Parse("20060102T150405Z", req.Header.Get("X-Amz-Date"))
		if err != nil {
			t.Error(err)
			return
		}
		// A new signer each time: the SDK's cache of keys ignores the secret.
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		if err := signer.SignHTTP(context.Background(), session, again, req.Header.Get("X-Amz-Content-Sha256"), "s3", region, at); err != nil {
			t.Error(err)
			return
		}
		if want := again.Header.Get("Authorization"); got != want {
			t.Errorf("%s %s %q\n got %s\nwant %s", req.Method, req.URL, req.Header, got, want)
		}
		// The request was sent as it was signed.
		if target, _, _ := strings.Cut(req.RequestURI, "?"); target != again.URL.EscapedPath() {
			t.Errorf("signed for %s, sent to %s", again.URL.EscapedPath(), target)
		}
		signed++
		text := "<ListPartsResult/>"
		switch {
		case req.Method == http.MethodPost && req.URL.RawQuery == "uploads=":
			text = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
		case req.Method == http.MethodPost:
			text = "<CompleteMultipartUploadResult/>"
		}
		w.Header().Set("Etag", `"e"`)
		if req.Method == http.MethodHead {
			w.Header().Set("Content-Length", "0")
			return
		}
		_, _ = io.WriteString(w, text)
	})
	var clients []*s3client.Client
	for _, o := range places {
		o.Transport = check
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			mu.Lock()
			defer mu.Unlock()
			return session, nil
		})
		c, err := s3client.New(o)
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
	}
	for range rounds {
		i := w.IntN(len(places))
		mu.Lock()
		session, region = sessions[w.IntN(len(sessions))], places[i].Region
		mu.Unlock()
		w.call(t, clients[i])
	}
	if signed < rounds {
		t.Errorf("%d requests compared", signed)
	}
}

func TestHeadersCannotBeForged(t *testing.T) {
	c := answering(t, http.StatusOK, "")
	for name, o := range map[string]s3client.Object{
		"a line in a value":    {Key: "k", Metadata: map[string]string{"a": "b\r\nX-Amz-Acl: public-read"}},
		"a line in a type":     {Key: "k", ContentType: "text\n"},
		"a blank in a name":    {Key: "k", Metadata: map[string]string{"a b": "c"}},
		"a colon in a name":    {Key: "k", Metadata: map[string]string{"a:": "c"}},
		"a name in two cases":  {Key: "k", Metadata: map[string]string{"a": "c", "A": "d"}},
		"no key":               {},
		"a byte of a name > ~": {Key: "k", Metadata: map[string]string{"é": "c"}},
	} {
		if _, err := c.PutObject(t.Context(), o, payload(nil)); err == nil {
			t.Errorf("%s: it was sent", name)
		}
	}
}

func FuzzKeyIsSentAsSigned(f *testing.F) {
	for _, k := range []string{"a", "a//b", "/../x", "%2e%2e/", "ü ?#", "\x00\xff"} {
		f.Add(k)
	}
	targets := make(chan string, 1)
	c, err := s3client.New(s3client.Options{
		Region: "eu-west-1", Bucket: "bucket",
		Credentials: aws.CredentialsProviderFunc(
			func(context.Context) (aws.Credentials, error) { return aws.Credentials{AccessKeyID: "A"}, nil },
		),
		Transport: to(f, func(_ http.ResponseWriter, req *http.Request) { targets <- req.RequestURI }),
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if key == "" {
			return
		}
		if err := c.AbortMultipartUpload(t.Context(), key, "u"); err != nil {
			t.Fatal(err)
		}
		seen := <-targets
		path, query, _ := strings.Cut(seen, "?")
		back, err := url.PathUnescape(path)
		if err != nil || back != "/"+key || query != "uploadId=u" {
			t.Fatalf("%q went out as %s", key, seen)
		}
		for i := range len(path) {
			if b := path[i]; b <= ' ' || b >= 0x7f || b == '+' {
				t.Fatalf("a raw %q in %s", b, path)
			}
		}
	})
}
