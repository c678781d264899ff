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

	"github.com/brokerd/brokerd/internal/sandbox/admin"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
	"github.com/brokerd/brokerd/internal/sandbox/sts"
)

// maxControlBody bounds the bodies of calls that are not object data.
const maxControlBody = 1 << 20

// maxHeaderSection is S3's limit of all headers together.
const maxHeaderSection = 8 << 10

func (s *Sandbox) handler() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Sandbox) serve(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, admin.Path) {
		s.admin.ServeHTTP(w, r)
		return
	}
	cl := s.services.k.Begin(w, r)
	cl.End(s.services.handle(cl, cl.Record.Service), func() error { return s.services.persist(cl) })
}

func (s *services) handle(cl *kernel.Request, service string) error {
	if service == "s3" {
		if n := kernel.HeaderSize(cl.HTTP); n > maxHeaderSection {
			return kernel.Fail(http.StatusBadRequest, "RequestHeaderSectionTooLarge",
				"Your request header section exceeds the maximum allowed size.").
				With("MaxSizeAllowed", strconv.Itoa(maxHeaderSection))
		}
	}
	switch service {
	case "s3":
		return s.s3.Serve(cl)
	case "sts", "iam", "kms", "cloudtrail":
	default:
		return cl.Unmodelled(service)
	}
	data, err := io.ReadAll(io.LimitReader(cl.Payload, maxControlBody+1))
	if err != nil {
		return kernel.Fail(http.StatusBadRequest, "IncompleteBody", "The request body could not be read.")
	}
	if len(data) > maxControlBody {
		return kernel.Fail(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The request body is too large.")
	}
	if target, operation := kernel.JSONTarget(cl.HTTP); target == service {
		cl.Record.Operation = operation
		// The audit trail shows the document; the operation checks its form.
		_ = json.Unmarshal(data, &cl.JSON)
		if err := s.admit(cl, service, data); err != nil {
			return err
		}
		if service == "cloudtrail" {
			return s.trails.Serve(cl, data)
		}
		return s.kms.Serve(cl, data)
	}
	if service == "kms" || service == "cloudtrail" {
		return kernel.Fail(http.StatusBadRequest, "UnknownOperationException", "The request has no X-Amz-Target that %s knows.", service)
	}
	form, err := url.ParseQuery(string(data))
	if err != nil {
		return kernel.Fail(http.StatusBadRequest, "MalformedQueryString", "The query string contains a syntax error.")
	}
	if len(data) == 0 {
		form = cl.HTTP.URL.Query()
	}
	cl.Form = form
	cl.Record.Operation = form.Get("Action")
	if err := s.admit(cl, service, data); err != nil {
		return err
	}
	if service == "sts" {
		return s.sts.Serve(cl)
	}
	return s.iam.Serve(cl)
}

// admit applies faults and authenticates a control call with its whole body.
func (s *services) admit(cl *kernel.Request, service string, data []byte) error {
	if err := cl.ApplyFault(service); err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	if err := cl.Authenticate(s.iam, service, hex.EncodeToString(sum[:])); err != nil {
		return err
	}
	if c := cl.Caller; c.Temporary && c.Kind != kernel.RoleSession && !sts.UserSessionAllows(service, cl.Record.Operation) {
		return kernel.Fail(http.StatusForbidden, "AccessDenied", "Cannot call %s with session credentials", cl.Record.Operation)
	}
	if cl.Caller.Kind == kernel.Anonymous && (service != "sts" || !sts.Anonymous[cl.Record.Operation]) {
		code := "MissingAuthenticationToken"
		if service == "kms" || service == "cloudtrail" {
			code = "MissingAuthenticationTokenException"
		}
		return kernel.Fail(http.StatusForbidden, code, "Request is missing Authentication Token")
	}
	return nil
}
