package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// maxControlBody bounds the bodies of calls that are not object data.
const maxControlBody = 1 << 20

// maxHeaderSection is S3's limit of all headers together.
const maxHeaderSection = 8 << 10

// call is one request on its way through the sandbox.
type call struct {
	w      http.ResponseWriter
	r      *http.Request
	now    time.Time
	caller *caller
	query  url.Values
	record Call
	hostID string
	// payload is the raw request body with its counter; decoded object data comes from objectBody.
	payload *countingReader
	sig     *signature
	sigKey  []byte
	forward []Call // calls that S3 made on the caller's behalf
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

// decided notes the outcome of a policy decision; a denial is never overwritten.
func (cl *call) decided(a access, res iampolicy.Result) {
	if cl.record.Resource == "" {
		cl.record.Resource = a.resource
	}
	if cl.record.Decision == "denied" {
		return
	}
	cl.record.Decision = "denied"
	if res.Decision == iampolicy.Allowed {
		cl.record.Decision = "allowed"
	}
}

func (s *Sandbox) handler() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Sandbox) serve(w http.ResponseWriter, r *http.Request) {
	cl := &call{w: w, r: r, now: s.now(), caller: anonymousCaller(), payload: &countingReader{r: r.Body}, hostID: newHex(28)}
	requestID := newUUID()
	service := requestService(r)
	if service == "s3" {
		requestID = strings.ToUpper(newHex(8))
	}
	cl.record = Call{Time: cl.now, Service: service, RequestID: requestID}
	h := w.Header()
	switch service {
	case "s3":
		h.Set("x-amz-request-id", requestID)
		h.Set("x-amz-id-2", cl.hostID)
		h.Set("Server", "AmazonS3")
	default:
		h.Set("x-amzn-RequestId", requestID)
	}
	status := &statusWriter{ResponseWriter: w}
	cl.w = status
	err := s.handle(cl, service)
	cl.record.Principal, cl.record.Account, cl.record.AccessKey = cl.caller.arn, cl.caller.account, cl.caller.key
	if cl.caller.kind == anonymous {
		cl.record.Principal = ""
	}
	var reset *resetError
	if errors.As(err, &reset) {
		cl.record.ErrorCode, cl.record.Message = "ConnectionReset", "the connection was dropped on request"
		cl.record.BytesIn = cl.payload.n
		s.record(cl.record)
		resetConnection(w)
		return
	}
	if err != nil && status.status == 0 {
		var e *apiError
		if !errors.As(err, &e) {
			e = internalError(service, err)
		}
		cl.record.ErrorCode, cl.record.Message, cl.record.Status = e.Code, e.Message, e.Status
		if e.denied {
			cl.record.Decision = "denied"
		}
		cl.drain()
		cl.record.BytesIn = cl.payload.n
		// Recorded before the answer: a client that has the answer finds the record.
		s.record(cl.record)
		s.recordForward(cl)
		writeError(status, r, service, e, requestID, cl.hostID)
		status.flush()
		return
	}
	cl.record.Status = status.status
	cl.record.BytesIn = cl.payload.n
	if !status.recorded {
		s.record(cl.record)
	}
	status.flush()
}

// stream lets the answer's body go out as it is written. mu must not be held.
func (cl *call) stream() {
	if sw, ok := cl.w.(*statusWriter); ok {
		sw.streaming = true
	}
}

// reply is called by handlers before the first byte of a success.
func (s *Sandbox) reply(cl *call, status int) {
	sw, ok := cl.w.(*statusWriter)
	if !ok || sw.recorded {
		return
	}
	sw.recorded = true
	c := cl.record
	c.Principal, c.Account, c.AccessKey, c.Status, c.BytesIn = cl.caller.arn, cl.caller.account, cl.caller.key, status, cl.payload.n
	if cl.caller.kind == anonymous {
		c.Principal = ""
	}
	s.record(c)
	s.recordForward(cl)
	cl.w.WriteHeader(status)
}

func (s *Sandbox) recordForward(cl *call) {
	for _, f := range cl.forward {
		s.record(f)
	}
	cl.forward = nil
}

// statusWriter keeps an answer until the handler is done, so that a client that
// reads slowly never holds up the world's lock. Object data streams.
type statusWriter struct {
	http.ResponseWriter
	status    int
	recorded  bool
	streaming bool
	kept      bytes.Buffer
}

func (w *statusWriter) WriteHeader(code int) {
	w.status = code
	if w.streaming {
		w.ResponseWriter.WriteHeader(code)
	}
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.streaming {
		return w.ResponseWriter.Write(p)
	}
	return w.kept.Write(p)
}

// flush sends what was kept. A client that hung up is not an error of ours.
func (w *statusWriter) flush() {
	if w.streaming || w.status == 0 {
		return
	}
	w.streaming = true
	if w.kept.Len() > 0 {
		w.Header().Set("Content-Length", strconv.Itoa(w.kept.Len()))
	}
	w.ResponseWriter.WriteHeader(w.status)
	_, _ = w.ResponseWriter.Write(w.kept.Bytes())
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

type resetError struct{}

func (*resetError) Error() string { return "connection reset on request" }

// resetConnection closes the TCP connection with a reset.
func resetConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	raw := conn
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		raw = t.NetConn()
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it the client sees an orderly close
	}
	_ = raw.Close()
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
	if parts := strings.Split(strings.TrimSpace(scope), "/"); len(parts) == 5 && services[parts[3]] {
		return parts[3]
	}
	if strings.HasPrefix(r.Header.Get("X-Amz-Target"), "TrentService.") {
		return "kms"
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && r.Method == http.MethodPost && kind == "application/x-www-form-urlencoded" {
		return "sts"
	}
	return "s3"
}

func (s *Sandbox) handle(cl *call, service string) error {
	if service == "s3" {
		if n := headerSize(cl.r); n > maxHeaderSection {
			return fail(http.StatusBadRequest, "RequestHeaderSectionTooLarge", "Your request header section exceeds the maximum allowed size.").with("MaxSizeAllowed", strconv.Itoa(maxHeaderSection))
		}
	}
	switch service {
	case "s3":
		return s.handleS3(cl)
	case "sts", "iam", "kms":
	default:
		return fail(http.StatusNotImplemented, "NotImplemented", "The sandbox has no service %q.", service)
	}
	data, err := io.ReadAll(io.LimitReader(cl.payload, maxControlBody+1))
	if err != nil {
		return fail(http.StatusBadRequest, "IncompleteBody", "The request body could not be read.")
	}
	if len(data) > maxControlBody {
		return fail(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The request body is too large.")
	}
	if service == "kms" {
		target, ok := strings.CutPrefix(cl.r.Header.Get("X-Amz-Target"), "TrentService.")
		if !ok {
			return fail(http.StatusBadRequest, "UnknownOperationException", "The request has no known X-Amz-Target.")
		}
		cl.record.Operation = target
		if err := s.admit(cl, service, data); err != nil {
			return err
		}
		return s.handleKMS(cl, data)
	}
	form, err := url.ParseQuery(string(data))
	if err != nil {
		return fail(http.StatusBadRequest, "MalformedQueryString", "The query string contains a syntax error.")
	}
	if len(data) == 0 {
		form = cl.r.URL.Query()
	}
	cl.query = form
	cl.record.Operation = form.Get("Action")
	if err := s.admit(cl, service, data); err != nil {
		return err
	}
	if service == "sts" {
		return s.handleSTS(cl)
	}
	return s.handleIAM(cl)
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

// admit applies faults and authenticates a control call with its whole body.
func (s *Sandbox) admit(cl *call, service string, data []byte) error {
	if err := s.applyFault(cl, service); err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	if err := s.world.authenticate(cl, service, hex.EncodeToString(sum[:])); err != nil {
		return err
	}
	if cl.caller.kind == anonymous {
		code := "MissingAuthenticationToken"
		if service == "kms" {
			code = "MissingAuthenticationTokenException"
		}
		return fail(http.StatusForbidden, code, "Request is missing Authentication Token")
	}
	return nil
}

func (s *Sandbox) applyFault(cl *call, service string) error {
	fault, ok := s.nextFault(service, cl.record.Operation)
	if !ok {
		return nil
	}
	if err := fault.delay(cl.r.Context()); err != nil {
		return &resetError{}
	}
	if fault.ResetConnection {
		return &resetError{}
	}
	if fault.Code == "" {
		return nil
	}
	status, message := fault.Status, fault.Message
	if status == 0 {
		status = http.StatusServiceUnavailable
	}
	if message == "" {
		message = "This error was injected."
	}
	return fail(status, fault.Code, "%s", message)
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
