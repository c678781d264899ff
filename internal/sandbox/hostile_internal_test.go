package sandbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/brokerd/brokerd/internal/sandbox/iam"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
	"github.com/brokerd/brokerd/internal/sandbox/kms"
	"github.com/brokerd/brokerd/internal/sandbox/s3"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// hostile sends requests that no SDK would make, signed as they should be.
type hostile struct {
	t      *testing.T
	sb     *Sandbox
	client *http.Client
	sent   int
}

func newHostile(t *testing.T) *hostile {
	sb, err := New(Options{PlainHTTP: true, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	sb.Start()
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	h := &hostile{t: t, sb: sb, client: &http.Client{Timeout: 20 * time.Second}}
	t.Cleanup(h.client.CloseIdleConnections)
	return h
}

// send makes one request and returns its status. Whatever it was, the sandbox
// has to answer: with 5xx only if it says that something is not implemented.
func (h *hostile) send(service, method, path, body string, header map[string]string, by kernel.Credentials) int {
	h.t.Helper()
	h.sent++
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.sb.Endpoint()+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	sum := sha256.Sum256([]byte(body))
	hash := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", hash)
	if by.AccessKeyID != "" {
		if err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).
			SignHTTP(context.Background(), aws.Credentials{AccessKeyID: by.AccessKeyID, SecretAccessKey: by.SecretAccessKey}, req, hash, service,
				h.sb.Region(), time.Now()); err != nil {
			h.t.Fatal(err)
		}
	}
	resp, err := h.client.Do(req)
	if err != nil {
		h.t.Fatalf("%s %s %s gets no answer: %v", service, method, path, err)
	}
	text, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		h.t.Errorf("%s %s %s: %v", service, method, path, err)
	}
	if resp.StatusCode >= 500 && resp.StatusCode != http.StatusNotImplemented || bytes.Contains(text, []byte("The sandbox failed")) {
		h.t.Errorf("%s %s %s with %q: %s %s", service, method, path, body, resp.Status, text)
	}
	return resp.StatusCode
}

// Every operation gets bodies and names that are wrong, from all sorts of
// callers: none takes the sandbox down, and none leaves its lock held.
func TestNoRequestTakesTheSandboxDown(t *testing.T) {
	h := newHostile(t)
	a, b := h.sb.RootKeys(DefaultAccountA), h.sb.RootKeys(DefaultAccountB)
	constraint := `<CreateBucketConfiguration><LocationConstraint>` + DefaultRegion + `</LocationConstraint></CreateBucketConfiguration>`
	fresh := func() {
		h.send("s3", "PUT", "/bucket-of-b", constraint, nil, b)
		h.send("s3", "PUT", "/bucket-of-b/key", "text", nil, b)
	}
	fresh()
	callers := map[string]kernel.Credentials{"root of B": b, "root of A": a, "anonymous": {}}
	bodies := []string{"", "x", "<", "<a/>", "<Tagging/>", "<CompleteMultipartUpload/>", "<Delete/>",
		"<Delete><Object><Key>key</Key></Object></Delete>", "{}", "null", "[]", `{"Version":"2012-10-17"}`, strings.Repeat("<a>", 1000)}

	levels := map[string][]string{"service": {"/"}, "bucket": {"/bucket-of-b", "/no-such-bucket", "/bucket-of-b/"},
		"object": {"/bucket-of-b/key", "/bucket-of-b/none", "/no-such-bucket/key"}}
	routes := map[string][]s3.Route{}
	for _, r := range s3.Routes() {
		routes[r.Level] = append(routes[r.Level], r)
	}
	for level, paths := range levels {
		for _, route := range routes[level] {
			method, selector := route.Method, route.Selector
			for _, path := range paths {
				for i, body := range bodies {
					query := selector
					if strings.Contains(selector, "uploadId") || strings.Contains(selector, "partNumber") {
						query = strings.NewReplacer("uploadId", "uploadId=none", "partNumber", "partNumber=1").Replace(selector)
					}
					if query != "" {
						query = "?" + query
					}
					for name, who := range callers {
						if i%len(callers) != 0 && name == "anonymous" {
							continue
						}
						header := map[string]string{}
						if i%2 == 1 {
							header["X-Amz-Copy-Source"] = "/bucket-of-b/key"
						}
						h.send("s3", method, path+query, body, header, who)
					}
				}
			}
			fresh()
		}
	}

	arn := "arn:aws:iam::" + DefaultAccountA + ":role/none"
	forms := []url.Values{{}, {"RoleName": {"none"}, "UserName": {"none"}, "PolicyArn": {arn}, "RoleArn": {arn}},
		{"RoleName": {strings.Repeat("x", 300)}, "MaxItems": {"-1"}, "Marker": {"x"}, "PolicyDocument": {"{"}}}
	actions := append(iam.Operations(), "AssumeRole", "AssumeRoleWithWebIdentity", "GetSessionToken", "GetCallerIdentity", "GetAccessKeyInfo",
		"NoSuchAction", "")
	for _, action := range actions {
		for _, form := range forms {
			for version, service := range map[string]string{"2010-05-08": "iam", "2011-06-15": "sts", "": "iam"} {
				f := maps.Clone(form)
				f.Set("Action", action)
				f.Set("Version", version)
				h.send(service, "POST", "/", f.Encode(), map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, a)
			}
		}
	}
	for _, operation := range append(kms.Operations(), "NoSuchOperation") {
		for _, body := range append(bodies, `{"KeyId":"none"}`, `{"KeyId":1}`,
			`{"KeyId":"alias/none","CiphertextBlob":"AAAA","Plaintext":"AAAA","GrantId":"x"}`) {
			h.send(
				"kms", "POST", "/", body,
				map[string]string{"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService." + operation}, b,
			)
		}
	}
	for _, body := range bodies {
		h.send(
			"cloudtrail", "POST", "/", body,
			map[string]string{"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": kernel.CloudTrailTarget + "LookupEvents"}, b,
		)
	}
	if h.sent < 5000 {
		t.Errorf("%d requests were made", h.sent)
	}
	// With a lock still held, these would never return.
	for _, path := range []string{"/", "/bucket-of-b", "/bucket-of-b/key"} {
		if status := h.send("s3", "GET", path, "", nil, b); status != http.StatusOK {
			t.Errorf("GET %s: %d", path, status)
		}
	}
	t.Log(fmt.Sprint(h.sent, " requests"))
}
