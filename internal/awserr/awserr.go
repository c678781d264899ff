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

// Info is what is known about a failed call. It holds no secret: texts of
// services are cut and cleaned, URLs are reduced to host and port.
type Info struct {
	Service    string // "s3", "sts", "kms": the one that failed, which may be another than the one that was called
	Code       string // the service's error code, such as "AccessDenied"; empty without an answer
	Message    string // for people: what happened
	HTTPStatus int    // 0 without an answer
	RequestID  string
	Class      Class

	// What the service's text says about a refusal; see Denial.
	Layer     Layer
	Side      Side
	Principal string
	Action    string
	Resource  string
	Explicit  bool
	PolicyARN string

	// Network only.
	Endpoint  string // host:port as far as it is known
	NetworkOp string // "dns", "connect", "tls", "timeout", "reset"

	// WantRegion is the Region that S3 named instead; empty when it named none.
	WantRegion string
}

// The small interfaces through which the SDK's errors are seen.
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
	operationError interface {
		error
		Service() string
		Operation() string
	}
)

// Classify says what err is. service is the one that was called: "s3", "sts"
// or "kms". A nil error has class None.
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

// failedService names the innermost operation in the chain: an upload fails in
// STS when its credentials cannot be had.
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

func classOf(code, message string, status int) Class {
	// S3 relays KMS's errors with a prefix.
	// S3 says KMS.NotFoundException; MinIO says kms:KeyNotFound.
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
		// Without S3's own code nobody says that the object is there, nor that it is not.
		return Transient
	case status == http.StatusMovedPermanently || status == http.StatusTemporaryRedirect:
		return Region
	case status == http.StatusRequestEntityTooLarge:
		return Invalid
	}
	return Terminal
}

var wantRegion = regexp.MustCompile(`expecting '([a-z0-9-]{1,63})'`)

// refine reads what the service's text adds to its code.
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

// missingCredentials tells an empty credential chain from a network that is
// down: the chain's last resort is the instance metadata service, and a machine
// outside EC2 has none.
func missingCredentials(text string) bool {
	for _, s := range []string{"EC2 IMDS", "ec2imds", "no valid credential sources", "failed to get shared config profile", "static credentials are empty", "credential process"} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

// maxText bounds what is kept of a service's text, in bytes.
const maxText = 1024

// clean makes foreign text fit for one line of a log.
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
