package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
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
	endpoint *vpcEndpoint   // that the call came through; nil for the open network
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

// decided notes the outcome of a policy decision; a denial is never overwritten.
func (cl *call) decided(a access, res iampolicy.Result) {
	if cl.record.Resource == "" {
		cl.record.Resource = a.resource
	}
	if cl.record.Owner == "" {
		cl.record.Owner = a.owner
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
	if strings.HasPrefix(r.URL.Path, adminPath) {
		s.serveAdmin(w, r)
		return
	}
	cl := &call{w: w, r: r, now: s.now(), caller: anonymousCaller(), payload: &countingReader{r: r.Body}, hostID: newHex(28), endpoint: endpointOf(r)}
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
	answer := &answerWriter{ResponseWriter: w}
	cl.w = answer
	err := s.handle(cl, service)
	var reset *resetError
	if errors.As(err, &reset) {
		cl.record.ErrorCode, cl.record.Message = "ConnectionReset", "the connection was dropped on request"
		s.note(cl, 0)
		resetConnection(w)
		return
	}
	if err == nil && answer.status != 0 && !answer.streaming {
		err = s.persist(cl)
	}
	if err != nil && !answer.streaming {
		var e *apiError
		if !errors.As(err, &e) {
			e = internalError(service, err)
		}
		cl.record.ErrorCode, cl.record.Message = e.Code, e.Message
		if e.denied {
			cl.record.Decision = "denied"
		}
		cl.drain()
		s.note(cl, e.Status)
		writeError(answer.blank(), r, service, e, requestID, cl.hostID)
	}
	s.note(cl, answer.status)
	answer.finish(cl.fault)
}

// stream lets the answer's body go out as it is written. mu must not be held.
func (cl *call) stream() {
	if a, ok := cl.w.(*answerWriter); ok {
		a.streaming, a.fault = true, cl.fault
	}
}

// reply is called by handlers before the first byte of a success.
func (s *Sandbox) reply(cl *call, status int) {
	if a, ok := cl.w.(*answerWriter); ok && a.streaming {
		s.note(cl, status)
	}
	cl.w.WriteHeader(status)
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

func (s *Sandbox) handle(cl *call, service string) error {
	if service == "s3" {
		if n := headerSize(cl.r); n > maxHeaderSection {
			return fail(http.StatusBadRequest, "RequestHeaderSectionTooLarge", "Your request header section exceeds the maximum allowed size.").with("MaxSizeAllowed", strconv.Itoa(maxHeaderSection))
		}
	}
	switch service {
	case "s3":
		return s.handleS3(cl)
	case "sts", "iam", "kms", "cloudtrail":
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
	if target, operation := jsonTarget(cl.r); target == service {
		cl.record.Operation = operation
		// The trail shows what was asked; the operation judges its form.
		_ = json.Unmarshal(data, &cl.body)
		if err := s.admit(cl, service, data); err != nil {
			return err
		}
		if service == "cloudtrail" {
			return s.handleCloudTrail(cl, data)
		}
		return s.handleKMS(cl, data)
	}
	if service == "kms" || service == "cloudtrail" {
		return fail(http.StatusBadRequest, "UnknownOperationException", "The request has no X-Amz-Target that %s knows.", service)
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
	if c := cl.caller; c.session != nil && c.kind != roleSession && !userSessionAllows(service, cl.record.Operation) {
		return fail(http.StatusForbidden, "AccessDenied", "Cannot call %s with session credentials", cl.record.Operation)
	}
	if cl.caller.kind == anonymous && (service != "sts" || !anonymousSTS[cl.record.Operation]) {
		code := "MissingAuthenticationToken"
		if service == "kms" || service == "cloudtrail" {
			code = "MissingAuthenticationTokenException"
		}
		return fail(http.StatusForbidden, code, "Request is missing Authentication Token")
	}
	return nil
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
