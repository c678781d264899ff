package kernel

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Error is an error of AWS. Handlers return it, and the server renders it in the
// form of the service.
type Error struct {
	Code    string
	Message string
	Status  int
	Extra   []extraField      // further elements of S3's error document, in order
	Header  map[string]string // further response headers
	Denied  bool              // a policy denied the call
}

type extraField struct{ Name, Value string }

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// With adds an element to S3's error document.
func (e *Error) With(name, value string) *Error {
	e.Extra = append(e.Extra, extraField{name, value})
	return e
}

// WithHeader adds a response header.
func (e *Error) WithHeader(name, value string) *Error {
	if e.Header == nil {
		e.Header = map[string]string{}
	}
	e.Header[name] = value
	return e
}

// Fail makes an error of AWS.
func Fail(status int, code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Status: status}
}

// NotImplemented is the error for requests that the sandbox does not model.
func NotImplemented(what string) *Error {
	return Fail(http.StatusNotImplemented, "NotImplemented", "The sandbox does not implement %s.", what)
}

func writeError(w http.ResponseWriter, r *http.Request, service string, e *Error, requestID, hostID string) {
	h := w.Header()
	for k, v := range e.Header {
		h.Set(k, v)
	}
	var body string
	switch {
	case !services[service]:
		body = writeUnmodelled(w, r, service, e, requestID)
	case service == "kms", service == "cloudtrail", r.Header.Get("X-Amz-Target") != "" && service != "s3":
		h.Set("Content-Type", "application/x-amz-json-1.1")
		document := map[string]string{"__type": e.Code}
		if e.Message != "" {
			document["message"] = e.Message
		}
		text, err := json.Marshal(document)
		if err != nil {
			text = []byte(`{"__type":"InternalFailure"}`)
		}
		body = string(text)
	case service == "sts", service == "iam":
		h.Set("Content-Type", "text/xml")
		fault := "Sender"
		if e.Status >= 500 {
			fault = "Receiver"
		}
		namespace := queryNamespace(service)
		if service == "sts" && e.Code == "InvalidAction" {
			namespace = "http://webservices.amazon.com/AWSFault/2005-15-09" // STS answers unknown operations in this namespace
		}
		body = fmt.Sprintf(
			xml.Header+
				`<ErrorResponse xmlns="%s"><Error><Type>%s</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>%s</RequestId></ErrorResponse>`,
			namespace,
			fault,
			escapeXML(e.Code),
			escapeXML(e.Message),
			requestID,
		)
	default:
		h.Set("Content-Type", "application/xml")
		var b strings.Builder
		b.WriteString(xml.Header)
		fmt.Fprintf(&b, "<Error><Code>%s</Code><Message>%s</Message>", escapeXML(e.Code), escapeXML(e.Message))
		for _, f := range e.Extra {
			fmt.Fprintf(&b, "<%s>%s</%s>", f.Name, escapeXML(f.Value), f.Name)
		}
		fmt.Fprintf(&b, "<RequestId>%s</RequestId><HostId>%s</HostId></Error>", requestID, hostID)
		body = b.String()
	}
	bodiless := r.Method == http.MethodHead || e.Status == http.StatusNotModified
	w.WriteHeader(e.Status)
	if !bodiless {
		_, _ = w.Write([]byte(body))
	}
}

func escapeXML(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return ""
	}
	return b.String()
}

// ErrNotFound is returned for a resource that does not exist.
var ErrNotFound = errors.New("not found in the sandbox")

// InvalidArgument is S3's error of that name.
func InvalidArgument(format string, args ...any) *Error {
	return Fail(http.StatusBadRequest, "InvalidArgument", format, args...)
}
