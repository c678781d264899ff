package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxControlBody bounds the bodies of calls that are not object data.
const maxControlBody = 1 << 20

// maxHeaderSection is S3's limit of all headers together.
const maxHeaderSection = 8 << 10

func (s *Sandbox) handler() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Sandbox) serve(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, adminPath) {
		s.serveAdmin(w, r)
		return
	}
	cl := s.k.begin(w, r)
	cl.end(s.handle(cl, cl.record.Service), func() error { return s.persist(cl) })
}

func (s *Sandbox) handle(cl *call, service string) error {
	if service == "s3" {
		if n := headerSize(cl.r); n > maxHeaderSection {
			return fail(http.StatusBadRequest, "RequestHeaderSectionTooLarge", "Your request header section exceeds the maximum allowed size.").with("MaxSizeAllowed", strconv.Itoa(maxHeaderSection))
		}
	}
	switch service {
	case "s3":
		return s.s3.serve(cl)
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
			return s.trails.serve(cl, data)
		}
		return s.kms.serve(cl, data)
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
		return s.sts.serve(cl)
	}
	return s.iam.serve(cl)
}

// admit applies faults and authenticates a control call with its whole body.
func (s *Sandbox) admit(cl *call, service string, data []byte) error {
	if err := cl.applyFault(service); err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	if err := cl.authenticate(s.iam, service, hex.EncodeToString(sum[:])); err != nil {
		return err
	}
	if c := cl.caller; c.temporary && c.kind != roleSession && !userSessionAllows(service, cl.record.Operation) {
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
