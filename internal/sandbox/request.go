package sandbox

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// call is one request on its way through the sandbox.
type call struct {
	k      *kernel
	w      http.ResponseWriter // buffers the answer until the call ends, unless it streams
	answer *answerWriter
	r      *http.Request
	now    time.Time
	caller *caller
	query  url.Values     // of the query protocol
	body   map[string]any // of the JSON protocol, for the trail
	record Call
	noted  bool
	hostID string
	// payload is the raw request body with its counter; decoded object data comes from openBody.
	payload  *countingReader
	sig      *signature
	sigKey   []byte
	forward  []Call         // calls that S3 made on the caller's behalf
	response map[string]any // response elements for the trail
	endpoint *endpoint      // that the call came through; nil for the open network
	fault    Fault          // what is to go wrong with the answer
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// begin makes the call of a request, with the headers that every answer of the service has.
func (k *kernel) begin(w http.ResponseWriter, r *http.Request) *call {
	cl := &call{k: k, r: r, now: k.now(), caller: anonymousCaller(), payload: &countingReader{r: r.Body}, hostID: newHex(28), endpoint: endpointOf(r)}
	requestID := newUUID()
	service := requestService(r)
	if service == "s3" {
		requestID = strings.ToUpper(newHex(8))
	}
	cl.record = Call{Time: cl.now, Service: service, RequestID: requestID}
	h := w.Header()
	h.Set("Date", httpTime(cl.now))
	switch service {
	case "s3":
		h.Set("x-amz-request-id", requestID)
		h.Set("x-amz-id-2", cl.hostID)
		h.Set("Server", "AmazonS3")
	default:
		h.Set("x-amzn-RequestId", requestID)
	}
	cl.answer = &answerWriter{ResponseWriter: w}
	cl.w = cl.answer
	return cl
}

// end answers a call whose handler returned err. persist is called before a
// success is sent; its error becomes the answer.
func (cl *call) end(err error, persist func() error) {
	var reset *resetError
	if errors.As(err, &reset) {
		cl.record.ErrorCode, cl.record.Message = "ConnectionReset", "the connection was dropped on request"
		cl.note(0)
		resetConnection(cl.answer.ResponseWriter)
		return
	}
	if err == nil && cl.answer.status != 0 && !cl.answer.streaming {
		err = persist()
	}
	if err != nil && !cl.answer.streaming {
		var e *apiError
		if !errors.As(err, &e) {
			e = internalError(cl.record.Service, err)
		}
		cl.record.ErrorCode, cl.record.Message = e.Code, e.Message
		if e.denied {
			cl.record.Decision = "denied"
		}
		cl.drain()
		cl.note(e.Status)
		writeError(cl.answer.blank(), cl.r, cl.record.Service, e, cl.record.RequestID, cl.hostID)
	}
	cl.note(cl.answer.status)
	cl.answer.finish(cl.fault)
}

// stream lets the answer's body go out as it is written. The caller must hold no lock.
func (cl *call) stream() {
	cl.answer.streaming, cl.answer.fault = true, cl.fault
}

// reply is called by handlers before the first byte of a success.
func (cl *call) reply(status int) {
	if cl.answer.streaming {
		cl.note(status)
	}
	cl.w.WriteHeader(status)
}

// note records a call that is about to be answered, with the calls that S3 made
// to KMS for it. A client that has the answer finds the record.
func (cl *call) note(status int) {
	if cl.noted {
		return
	}
	cl.noted = true
	c := &cl.record
	c.Principal, c.Account, c.AccessKey = cl.caller.arn, cl.caller.account, cl.caller.key
	if cl.caller.kind == anonymous {
		c.Principal = ""
	}
	c.Status, c.BytesIn = status, cl.payload.n
	cl.k.recordCall(*c)
	for i := range cl.forward {
		cl.k.recordCall(cl.forward[i])
	}
	if cl.k.audit != nil {
		cl.k.audit(cl)
	}
	cl.forward = nil
}

// drain reads what is left of a modest body, so that a client that is still
// writing sees the answer and not a reset. Nothing is read from a client that
// waits for 100-continue.
func (cl *call) drain() {
	if cl.payload.n == 0 && strings.EqualFold(cl.r.Header.Get("Expect"), "100-continue") {
		return
	}
	// Whatever ends the reading, the answer is written next.
	_, _ = io.CopyN(io.Discard, cl.payload, 16<<20)
}

func internalError(service string, err error) *apiError {
	code := "InternalFailure"
	switch service {
	case "s3":
		code = "InternalError"
	case "kms":
		code = "KMSInternalException"
	}
	return fail(http.StatusInternalServerError, code, "The sandbox failed: %v", err)
}

// services are the ones that a credential scope may name.
var services = map[string]bool{"s3": true, "sts": true, "iam": true, "kms": true, "cloudtrail": true}

// requestService tells the service from the credential scope, or from the
// shape of an unsigned request.
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
	if service, _ := jsonTarget(r); service != "" {
		return service
	}
	if r.Header.Get("X-Amz-Target") != "" && len(parts) == 5 {
		return parts[3] // one that the sandbox does not have, and says so
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && r.Method == http.MethodPost && kind == "application/x-www-form-urlencoded" {
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

// headerSize is the size of a request's headers as they were sent.
func headerSize(r *http.Request) int {
	n := 0
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v) + 4
		}
	}
	return n
}

func readAllLimited(r io.Reader, limit int64) ([]byte, error) {
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, errTooLarge
	}
	return b.Bytes(), nil
}
