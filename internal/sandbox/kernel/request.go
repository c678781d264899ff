package kernel

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Request is one request on its way through the sandbox.
type Request struct {
	Kernel *Kernel
	Out    http.ResponseWriter // buffers the answer until the call ends, unless it streams
	answer *answerWriter
	HTTP   *http.Request
	Now    time.Time
	Caller *Caller
	Form   url.Values     // of the query protocol
	JSON   map[string]any // of the JSON protocol, for the trail
	Record Call
	noted  bool
	HostID string
	// Payload is the raw request body with its counter; decoded object data comes from openBody.
	Payload    *countingReader
	Signature  *Signature
	SigningKey []byte
	Forward    []Call         // calls that S3 made on the caller's behalf
	Response   map[string]any // response elements for the trail
	Endpoint   *endpoint      // that the call came through; nil for the open network
	fault      Fault          // the parts of a fault that act on the answer
}

type countingReader struct {
	r io.Reader
	N int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.N += int64(n)
	return n, err
}

// Begin makes the call of a request, with the headers that every answer of the service has.
func (k *Kernel) Begin(w http.ResponseWriter, r *http.Request) *Request {
	cl := &Request{
		Kernel:   k,
		HTTP:     r,
		Now:      k.Now(),
		Caller:   AnonymousCaller(),
		Payload:  &countingReader{r: r.Body},
		HostID:   NewHex(28),
		Endpoint: endpointOf(r),
	}
	requestID := NewUUID()
	service := requestService(r)
	if service == "s3" {
		requestID = strings.ToUpper(NewHex(8))
	}
	cl.Record = Call{Time: cl.Now, Service: service, RequestID: requestID}
	h := w.Header()
	h.Set("Date", HTTPTime(cl.Now))
	switch service {
	case "s3":
		h.Set("x-amz-request-id", requestID)
		h.Set("x-amz-id-2", cl.HostID)
		h.Set("Server", "AmazonS3")
	default:
		h.Set("x-amzn-RequestId", requestID)
	}
	cl.answer = &answerWriter{ResponseWriter: w}
	cl.Out = cl.answer
	return cl
}

// End answers a call whose handler returned err. persist is called before a
// success is sent; its error becomes the answer.
func (cl *Request) End(err error, persist func() error) {
	var reset *resetError
	if errors.As(err, &reset) {
		cl.Record.ErrorCode, cl.Record.Message = "ConnectionReset", "the connection was dropped on request"
		cl.note(0)
		resetConnection(cl.answer.ResponseWriter)
		return
	}
	if err == nil && cl.answer.status != 0 && !cl.answer.streaming {
		err = persist()
	}
	if err != nil && !cl.answer.streaming {
		var e *Error
		if !errors.As(err, &e) {
			e = internalError(cl.Record.Service, err)
		}
		cl.Record.ErrorCode, cl.Record.Message = e.Code, e.Message
		if e.Denied {
			cl.Record.Decision = "denied"
		}
		cl.drain()
		cl.note(e.Status)
		writeError(cl.answer.blank(), cl.HTTP, cl.Record.Service, e, cl.Record.RequestID, cl.HostID)
	}
	cl.note(cl.answer.status)
	cl.answer.finish(cl.fault)
}

// Stream lets the answer's body go out as it is written. The caller must hold no lock.
func (cl *Request) Stream() {
	cl.answer.streaming, cl.answer.fault = true, cl.fault
}

// Reply is called by handlers before the first byte of a success.
func (cl *Request) Reply(status int) {
	if cl.answer.streaming {
		cl.note(status)
	}
	cl.Out.WriteHeader(status)
}

// note records a call with the calls that S3 made to KMS for it. It is called before
// the answer is sent, so that a client that has the answer finds the record.
func (cl *Request) note(status int) {
	if cl.noted {
		return
	}
	cl.noted = true
	c := &cl.Record
	c.Principal, c.Account, c.AccessKey = cl.Caller.ARN, cl.Caller.Account, cl.Caller.Key
	if cl.Caller.Kind == Anonymous {
		c.Principal = ""
	}
	c.Status, c.BytesIn = status, cl.Payload.N
	cl.Kernel.recordCall(*c)
	for i := range cl.Forward {
		cl.Kernel.recordCall(cl.Forward[i])
	}
	if cl.Kernel.audit != nil {
		cl.Kernel.audit(cl)
	}
	cl.Forward = nil
}

// drain reads the rest of the request body, up to a limit, so that a client that still
// writes sees the answer instead of a reset. It reads nothing from a client that
// waits for 100-continue.
func (cl *Request) drain() {
	if cl.Payload.N == 0 && strings.EqualFold(cl.HTTP.Header.Get("Expect"), "100-continue") {
		return
	}
	// An error does not matter: the answer is written next.
	_, _ = io.CopyN(io.Discard, cl.Payload, 16<<20)
}

func internalError(service string, err error) *Error {
	code := "InternalFailure"
	switch service {
	case "s3":
		code = "InternalError"
	case "kms":
		code = "KMSInternalException"
	}
	return Fail(http.StatusInternalServerError, code, "The sandbox failed: %v", err)
}

// services are the ones that a credential scope may name.
var services = map[string]bool{"s3": true, "sts": true, "iam": true, "kms": true, "cloudtrail": true}

// requestService finds the service in the credential scope, or from the form of an
// unsigned request.
func requestService(r *http.Request) string {
	scope := ""
	if auth := r.Header.Get("Authorization"); auth != "" {
		if _, rest, ok := strings.Cut(auth, "Credential="); ok {
			scope, _, _ = strings.Cut(rest, ",")
		}
	} else if r.URL.RawQuery != "" && strings.Contains(r.URL.RawQuery, "X-Amz-Credential=") {
		scope = r.URL.Query().Get("X-Amz-Credential")
	}
	parts := strings.Split(strings.TrimSpace(scope), "/")
	if len(parts) == 5 && services[parts[3]] {
		return parts[3]
	}
	if service, _ := JSONTarget(r); service != "" {
		return service
	}
	if len(parts) == 5 && serviceName.MatchString(parts[3]) && (parts[4] == "aws4_request" || r.Header.Get("X-Amz-Target") != "") {
		return parts[3] // not modelled: the handler answers so
	}
	if isForm(r) {
		return "sts"
	}
	if q := r.URL.Query(); r.URL.Path == "/" && q.Get("Action") != "" {
		if q.Get("Version") == "2010-05-08" {
			return "iam"
		}
		return "sts"
	}
	return "s3"
}

// HeaderSize is the size of a request's headers as they were sent.
func HeaderSize(r *http.Request) int {
	n := 0
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v) + 4
		}
	}
	return n
}

// regionalHost is a host name of S3 that names a Region.
var regionalHost = regexp.MustCompile(`(?:^|\.)s3[.-]([a-z]{2}(?:-[a-z]+)+-[0-9])\.amazonaws\.com(?::[0-9]+)?$`)

// HostRegion is the Region that the host name of a request to S3 names; empty for none.
func HostRegion(r *http.Request) string {
	if m := regionalHost.FindStringSubmatch(strings.ToLower(r.Host)); m != nil {
		return m[1]
	}
	return ""
}

// virtualHosts are the host name endings before which a bucket name may stand.
var virtualHosts = regexp.MustCompile(`^(.+)\.s3(?:[.-][a-z0-9-]+)?\.(?:localhost|amazonaws\.com)$`)

// BucketAndKey reads the bucket and key from the host name and path of a request to S3.
func BucketAndKey(r *http.Request) (bucketName, key string) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	path := strings.TrimPrefix(r.URL.Path, "/")
	if m := virtualHosts.FindStringSubmatch(strings.ToLower(host)); m != nil {
		return m[1], path
	}
	bucketName, key, _ = strings.Cut(path, "/")
	return bucketName, key
}
