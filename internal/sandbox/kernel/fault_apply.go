package kernel

import (
	"io"
	"net/http"
)

// throttleCodes are how the services say that there were too many calls.
var throttleCodes = map[string]struct {
	code, text string
	status     int
}{
	"s3":         {"SlowDown", "Please reduce your request rate.", http.StatusServiceUnavailable},
	"sts":        {"Throttling", "Rate exceeded", http.StatusBadRequest},
	"iam":        {"Throttling", "Rate exceeded", http.StatusBadRequest},
	"kms":        {"ThrottlingException", "Rate exceeded", http.StatusBadRequest},
	"cloudtrail": {"ThrottlingException", "Rate exceeded", http.StatusBadRequest},
}

// ApplyFault makes happen what is to go wrong before a call, and keeps for
// later what is to go wrong with its answer.
func (cl *Request) ApplyFault(service string) error {
	fault, ok := cl.Kernel.NextFault(service, cl.Record.Operation)
	if !ok {
		return nil
	}
	if err := fault.delay(cl.HTTP.Context()); err != nil {
		return &resetError{}
	}
	if cl.Kernel.disturb != nil {
		if err := cl.Kernel.disturb(cl, fault); err != nil {
			return err
		}
	}
	switch fault.Reset {
	case ResetBeforeBody:
		return &resetError{}
	case ResetAfterBody:
		// The body is all that is wanted of the client; what it says does not matter.
		_, _ = io.Copy(io.Discard, cl.Payload)
		return &resetError{}
	}
	cl.fault = fault
	if fault.Code == "" {
		return nil
	}
	return fault.AsError(service)
}

// AsError is the error that the fault answers with.
func (f *Fault) AsError(service string) *Error {
	code, status, message := f.Code, f.Status, f.Message
	if code == throttle {
		t := throttleCodes[service]
		code = t.code
		if status == 0 {
			status = t.status
		}
		if message == "" {
			message = t.text
		}
	}
	if status == 0 {
		status = http.StatusServiceUnavailable
	}
	if message == "" {
		message = "This error was injected."
	}
	return Fail(status, code, "%s", message)
}

// PresentedKey is the access key id that a request claims to be signed with.
func PresentedKey(r *http.Request) string {
	if sig, err := parseAuthorization(r.Header.Get("Authorization"), requestService(r)); err == nil {
		return sig.accessKey
	}
	if sig, err := parsePresigned(r.URL.Query(), requestService(r)); err == nil {
		return sig.accessKey
	}
	return ""
}
