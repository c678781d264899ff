package s3client

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/brokerd/brokerd/internal/awserr"
)

// refused returns the error that a response becomes.
func refused(method string, status int, h http.Header, text string) *ResponseError {
	if method == http.MethodHead {
		text = ""
	}
	e := refusal(&response{status: status, header: h, text: []byte(text)}, &request{operation: "PutObject", method: method, key: "k"},
		"bucket", parseDocument([]byte(text)))
	if e != nil {
		e.sentTo = "eu-west-1"
	}
	return e
}

func TestRefusalsAreUnderstood(t *testing.T) {
	xml := func(code, more string) string {
		return `<?xml version="1.0" encoding="UTF-8"?>` + "\n<Error><Code>" + code + "</Code><Message>why</Message>" + more + "</Error>"
	}
	for name, c := range map[string]struct {
		status     int
		method     string
		header     http.Header
		text, code string
		class      awserr.Class
		region     string
		wait       time.Duration
	}{
		"a refusal":          {status: 403, text: xml("AccessDenied", ""), code: "AccessDenied", class: awserr.AccessDenied},
		"an expired session": {status: 400, text: xml("ExpiredToken", ""), code: "ExpiredToken", class: awserr.ExpiredCredentials},
		"a key that is disabled": {status: 400, text: xml("KMS.DisabledException", ""), code: "KMS.DisabledException",
			class: awserr.KeyState},
		"another Region, by header": {status: 301, header: http.Header{"X-Amz-Bucket-Region": {"eu-central-1"}},
			text: xml("PermanentRedirect", ""), code: "PermanentRedirect", class: awserr.Region, region: "eu-central-1"},
		"another Region, by text": {
			status: 400,
			text: strings.Replace(xml("AuthorizationHeaderMalformed", "<Region>eu-central-1</Region>"), "why",
				"the region 'a' is wrong; expecting 'eu-central-1'", 1), code: "AuthorizationHeaderMalformed", class: awserr.Region,
			region: "eu-central-1",
		},
		"a redirect without a body": {status: 307, code: "TemporaryRedirect", class: awserr.Transient},
		"a redirect, same Region": {status: 307, header: http.Header{"X-Amz-Bucket-Region": {"eu-west-1"}}, text: xml("Redirect", ""),
			code: "Redirect", class: awserr.Transient},
		"a redirect, other Region": {status: 307, header: http.Header{"X-Amz-Bucket-Region": {"eu-central-1"}},
			text: xml("TemporaryRedirect", ""), code: "TemporaryRedirect", class: awserr.Region, region: "eu-central-1"},
		"a HEAD of nothing":      {status: 404, method: "HEAD", code: "NotFound", class: awserr.NotFound},
		"a HEAD that is refused": {status: 403, method: "HEAD", code: "AccessDenied", class: awserr.AccessDenied},
		"a proxy's page":         {status: 502, text: "<html><body><hr></body></html>", code: "BadGateway", class: awserr.Transient},
		"a proxy's refusal":      {status: 407, text: "no", code: "ProxyAuthenticationRequired", class: awserr.Terminal},
		"slow down, in seconds": {status: 503, header: http.Header{"Retry-After": {"7"}}, text: xml("SlowDown", ""), code: "SlowDown",
			class: awserr.Throttle, wait: 7 * time.Second},
		"slow down, in milliseconds": {status: 503, header: http.Header{"X-Amz-Retry-After": {"150"}, "Retry-After": {"7"}},
			code: "ServiceUnavailable", class: awserr.Transient, wait: 150 * time.Millisecond},
		"slow down, without an end": {status: 429, header: http.Header{"Retry-After": {"4000000000"}}, code: "TooManyRequests",
			class: awserr.Throttle, wait: time.Hour},
		"slow down until yesterday": {status: 503, header: http.Header{"Retry-After": {"Mon, 02 Jan 2006 15:04:05 GMT"}},
			code: "ServiceUnavailable", class: awserr.Transient},
		"a conflict without a body": {status: 409, code: "OperationAborted", class: awserr.Conflict},
		"a precondition":            {status: 412, text: xml("PreconditionFailed", ""), code: "PreconditionFailed", class: awserr.Precondition},
		"a proxy's precondition":    {status: 412, text: "<html>no</html>", code: "UnexplainedPrecondition", class: awserr.Transient},
		"a precondition that is cut": {status: 412, text: xml("PreconditionFailed", "")[:30], code: "UnexplainedPrecondition",
			class: awserr.Transient},
		"a proxy's limit":   {status: 413, text: "too large", code: "RequestEntityTooLarge", class: awserr.Invalid},
		"an unknown status": {status: 599, code: "Status599", class: awserr.Transient},
		"a Region that is no name": {status: 301, header: http.Header{"X-Amz-Bucket-Region": {"evil/../x"}}, code: "PermanentRedirect",
			class: awserr.Region},
		"an error that came with 200": {status: 200, text: "\n \n" + xml("SlowDown", ""), code: "SlowDown", class: awserr.Throttle},
	} {
		t.Run(name, func(t *testing.T) {
			if c.method == "" {
				c.method = "PUT"
			}
			e := refused(c.method, c.status, c.header, c.text)
			if e == nil {
				t.Fatal("it passed for a success")
			}
			info := awserr.Classify(e, "s3")
			if e.Code != c.code || info.Class != c.class || e.WantRegion() != c.region || e.RetryAfter() != c.wait || e.HTTPStatusCode() < 300 {
				t.Errorf("got %+v, class %s", e, info.Class)
			}
		})
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(403, "<Error><Code>AccessDenied</Code><Message>x\ny</Message></Error>", "eu-west-1", "5")
	f.Add(200, "<ListPartsResult><Part><PartNumber>1</PartNumber></Part><IsTruncated>true</IsTruncated></ListPartsResult>", "", "")
	f.Add(200, "  <?xml version=\"1.0\" encoding=\"latin-9\"?><Error/>", "\xff", "Mon, 02 Jan 2006 15:04:05 GMT")
	f.Add(500, "<a><b></a>", "", "-1")
	f.Fuzz(func(t *testing.T, status int, text, region, after string) {
		status = 200 + (status&0x7fffffff)%400
		e := refused("PUT", status, http.Header{"X-Amz-Bucket-Region": {region}, "Retry-After": {after}, "X-Amz-Request-Id": {text}}, text)
		if e == nil {
			if status >= 300 {
				t.Fatal("a refusal passed for a success")
			}
			return
		}
		if e.Code == "" || e.Status < 300 || e.Wait < 0 || e.Wait > maxWait {
			t.Fatalf("%+v", e)
		}
		if strings.ContainsFunc(e.Error(), func(r rune) bool { return unicode.IsControl(r) }) || len(e.Error()) > 3*maxText+200 {
			t.Fatalf("%q", e.Error())
		}
		awserr.Classify(e, "s3")
	})
}

// A 2xx status alone is no success: captive portals and proxies send their pages so.
func TestAPageWithAGoodStatusIsNoObject(t *testing.T) {
	c, _ := store(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Del("Etag")
		_, _ = io.WriteString(w, "<html><body>Please log in</body></html>")
	}, TransportOptions{})
	_, put := c.PutObject(t.Context(), Object{Key: "k"}, sized(10))
	_, part := c.UploadPart(t.Context(), "k", "u", 1, sized(10))
	_, create := c.CreateMultipartUpload(t.Context(), Object{Key: "k"})
	_, complete := c.CompleteMultipartUpload(t.Context(), Completion{Key: "k", UploadID: "u"})
	for name, err := range map[string]error{"PutObject": put, "UploadPart": part, "CreateMultipartUpload": create,
		"CompleteMultipartUpload": complete} {
		if info := awserr.Classify(err, "s3"); err == nil || info.Disposition() != awserr.Retry {
			t.Errorf("%s: %v, %s", name, err, info.Disposition())
		}
	}
}
