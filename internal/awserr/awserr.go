package awserr

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode"
)

// Info describes a failed call. It holds no secret: texts of services are cut and
// cleaned, and URLs are reduced to host and port.
type Info struct {
	Service    string // "s3", "sts", "kms": the one that failed, which may differ from the one that was called
	Code       string // the service's error code, such as "AccessDenied"; empty without a response
	Message    string // for people: the cause
	HTTPStatus int    // 0 without a response
	RequestID  string
	Class      Class

	// The service's text about a refusal, parsed; see Denial.
	Layer     Layer
	Side      Side
	Principal string
	Action    string
	Resource  string
	Explicit  bool
	PolicyARN string

	// Network only.
	Endpoint  string // host:port, as far as known
	NetworkOp string // "dns", "connect", "tls", "timeout", "reset"

	// WantRegion is the Region that S3 named; empty: none.
	WantRegion string
}

// The interfaces through which this package sees the SDK's errors.
type (
	apiError interface {
		error
		ErrorCode() string
		ErrorMessage() string
	}
	statusError interface {
		error
		HTTPStatusCode() int
	}
	requestError interface {
		error
		ServiceRequestID() string
	}
	// regionError names the Region of a bucket that is not in the Region of the request.
	regionError interface {
		error
		WantRegion() string
	}
	operationError interface {
		error
		Service() string
		Operation() string
	}
)

// Classify returns the class and details of err. service is the service that was
// called: "s3", "sts" or "kms". A nil error has class None.
func Classify(err error, service string) Info {
	info := Info{Service: service}
	if err == nil {
		return info
	}
	if inner := failedService(err); inner != "" {
		info.Service = inner
	}
	var status statusError
	if errors.As(err, &status) {
		info.HTTPStatus = status.HTTPStatusCode()
	}
	var request requestError
	if errors.As(err, &request) {
		info.RequestID = clean(request.ServiceRequestID())
	}
	var api apiError
	if errors.As(err, &api) {
		info.Code, info.Message = clean(api.ErrorCode()), clean(api.ErrorMessage())
		info.Class = classOf(info.Code, info.Message, info.HTTPStatus)
		info.refine()
		info.redirected(err)
		return info
	}
	if errors.Is(err, context.Canceled) {
		info.Class, info.Message = Canceled, "the call was canceled"
		return info
	}
	text := err.Error()
	if info.HTTPStatus == 0 && missingCredentials(text) {
		info.Class = BadCredentials
		info.Message = "there are no usable source credentials: " + clean(text)
		return info
	}
	if info.HTTPStatus >= 300 {
		info.Class = classOf("", "", info.HTTPStatus)
		info.Message = fmt.Sprintf("HTTP %d %s", info.HTTPStatus, http.StatusText(info.HTTPStatus))
		return info
	}
	if info.network(err) {
		return info
	}
	info.Class, info.Message = Terminal, clean(text)
	return info
}

// failedService returns the service of the innermost operation in the chain: an upload
// fails in STS when it gets no credentials.
func failedService(err error) string {
	name := ""
	for err != nil {
		var op operationError
		if !errors.As(err, &op) {
			break
		}
		name = strings.ToLower(op.Service())
		err = errors.Unwrap(op)
	}
	return name
}

// ClassOf returns the class of an error from its code, its message and its HTTP status,
// for texts that are no error values. Each may be empty, or 0.
func ClassOf(code, message string, status int) Class { return classOf(code, message, status) }

func classOf(code, message string, status int) Class {
	// S3 relays KMS's codes with a prefix: KMS.NotFoundException. MinIO has
	// kms:KeyNotFound.
	relayed, fromMinIO := strings.CutPrefix(strings.TrimPrefix(code, "KMS."), "kms:")
	if fromMinIO && strings.HasPrefix(relayed, "Key") {
		return KeyState
	}
	switch {
	case (code == "AuthorizationHeaderMalformed" || code == "SignatureDoesNotMatch") && strings.Contains(message, "region"):
		return Region
	case strings.Contains(message, "Signature expired") || strings.Contains(message, "Signature not yet current"):
		return ClockSkew
	case code == "AuthorizationHeaderMalformed":
		return BadCredentials
	case code == "InvalidClientTokenId" && strings.Contains(message, "expired"):
		return ExpiredCredentials
	}
	if c, ok := codes[relayed]; ok {
		return c
	}
	switch {
	case relayed != code:
		return KeyState
	case status == http.StatusTooManyRequests:
		return Throttle
	case status >= 500:
		return Transient
	case status == http.StatusRequestTimeout:
		return Transient
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return AccessDenied
	case status == http.StatusNotFound:
		return NotFound
	case status == http.StatusConflict:
		return Conflict
	case status == http.StatusPreconditionFailed:
		// Without S3's own code it is unknown whether the object exists.
		return Transient
	case status == http.StatusTemporaryRedirect:
		return Transient
	case status == http.StatusMovedPermanently:
		return Region
	case status == http.StatusRequestEntityTooLarge:
		return Invalid
	}
	return Terminal
}

var wantRegion = regexp.MustCompile(`expecting '([a-z0-9-]{1,63})'`)

// refine adds details from the service's text.
func (i *Info) refine() {
	if i.Message == "" {
		i.Message = i.Code
	}
	switch i.Class {
	case AccessDenied:
		d, ok := ParseDenial(i.Message)
		if !ok {
			return
		}
		i.Layer, i.Side, i.Explicit, i.PolicyARN = d.Layer, d.Side, d.Explicit, d.PolicyARN
		i.Principal, i.Action, i.Resource = d.Principal, d.Action, d.Resource
	case Region:
		if m := wantRegion.FindStringSubmatch(i.Message); m != nil {
			i.WantRegion = m[1]
		}
	}
}

// redirected takes over the Region that a redirect named. S3 answers 307 within the
// Region for up to a day after a bucket was created, and the redirect passes by itself.
// One to another Region does not.
func (i *Info) redirected(err error) {
	var elsewhere regionError
	if i.Code != "TemporaryRedirect" && i.Code != "Redirect" && i.Class != Region || !errors.As(err, &elsewhere) {
		return
	}
	if region := elsewhere.WantRegion(); region != "" {
		i.Class, i.WantRegion = Region, clean(region)
	}
}

// missingCredentials tells an empty credential chain from a network failure: the last
// provider of the chain is the instance metadata service, which exists only in EC2.
func missingCredentials(text string) bool {
	for _, s := range []string{"EC2 IMDS", "ec2imds", "no valid credential sources", "failed to get shared config profile",
		"static credentials are empty", "credential process"} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

// maxText is how many bytes of a service's text are kept.
const maxText = 1024

// clean makes text of a service fit for one line of a log.
func clean(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case r == unicode.ReplacementChar || !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}
