package kernel

import (
	"io"
	"net/http"
)

// throttleCodes are the services' errors for too many calls.
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

// ApplyFault applies a fault to a call: the parts that act before the operation at once,
// and the parts that act on the answer later.
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
		// Only the arrival of the body matters, not its content.
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

// PresentedKey is the access key id that a request names; it is not verified.
func PresentedKey(r *http.Request) string {
	if sig, err := parseAuthorization(r.Header.Get("Authorization"), requestService(r)); err == nil {
		return sig.accessKey
	}
	if sig, err := parsePresigned(r.URL.Query(), requestService(r)); err == nil {
		return sig.accessKey
	}
	return ""
}
