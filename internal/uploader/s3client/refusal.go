package s3client

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/aws/smithy-go"
)

// ResponseError is an error response of the store. It holds the store's reason, and no
// part of the request that the store quotes.
type ResponseError struct {
	Operation   string // of S3's API: "PutObject"
	Bucket, Key string
	// Status is the HTTP status. An error document inside an HTTP 200 has status 500
	// here, as in the SDK.
	Status int
	// Code is the store's code, such as "AccessDenied". It is derived from the status
	// when the response had none.
	Code, Message     string
	RequestID, HostID string
	Region            string        // of the bucket; empty when the response named none
	sentTo            string        // the Region that the request was signed for
	Wait              time.Duration // before the next request, as the store asked; 0: not stated
}

var _ smithy.APIError = (*ResponseError)(nil)

// Error names the call, the object, the store's reason and the request id.
func (e *ResponseError) Error() string {
	text := fmt.Sprintf("%s s3://%s/%s: HTTP %d %s", e.Operation, e.Bucket, e.Key, e.Status, e.Code)
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.RequestID != "" {
		text += " (request id " + e.RequestID + ")"
	}
	return text
}

// ErrorCode returns Code.
func (e *ResponseError) ErrorCode() string { return e.Code }

// ErrorMessage returns Message.
func (e *ResponseError) ErrorMessage() string { return e.Message }

// ErrorFault implements smithy.APIError.
func (e *ResponseError) ErrorFault() smithy.ErrorFault {
	if e.Status >= 500 {
		return smithy.FaultServer
	}
	return smithy.FaultClient
}

// HTTPStatusCode returns Status.
func (e *ResponseError) HTTPStatusCode() int { return e.Status }

// ServiceRequestID returns the id that the store's support asks for.
func (e *ResponseError) ServiceRequestID() string { return e.RequestID }

// RetryAfter returns how long the store asked to wait before the next request; 0: not
// stated.
func (e *ResponseError) RetryAfter() time.Duration { return e.Wait }

// WantRegion returns the Region of the bucket when it is another one than the request's;
// empty otherwise.
func (e *ResponseError) WantRegion() string {
	if e.Region == e.sentTo {
		return ""
	}
	return e.Region
}

// refusal returns nil when the response is a success: a 2xx status, and no error
// document. S3 sends the status of some responses before it knows their outcome.
func refusal(a *response, r *request, bucket string, doc *document) *ResponseError {
	isError := doc.XMLName.Local == "Error"
	if a.status >= 200 && a.status < 300 && !isError {
		return nil
	}
	e := &ResponseError{
		Operation: r.operation, Bucket: bucket, Key: r.key, Status: a.status,
		RequestID: line(get(a.header, "X-Amz-Request-Id")), HostID: line(get(a.header, "X-Amz-Id-2")),
		Region: regionName(get(a.header, "X-Amz-Bucket-Region")), Wait: wait(a.header, time.Now()),
	}
	if isError {
		e.Code, e.Message = line(doc.Code), line(doc.Message)
		if e.RequestID == "" {
			e.RequestID, e.HostID = line(doc.RequestID), line(doc.HostID)
		}
		if e.Region == "" {
			e.Region = regionName(doc.Region)
		}
		if e.Status < 300 {
			e.Status = http.StatusInternalServerError
		}
	}
	if e.Code == "" {
		e.Code = codeOf(e.Status)
	}
	return e
}

// unexpected returns the error for a 2xx status over a body that S3 never sends, such
// as a proxy's page: the outcome of the request is not known.
func unexpected(r *request, bucket string, h http.Header) *ResponseError {
	return &ResponseError{
		Operation: r.operation, Bucket: bucket, Key: r.key, Status: http.StatusBadGateway,
		Code: codeOf(
			http.StatusBadGateway,
		), Message: "the response has a 2xx status but is not one of S3's; a proxy or captive portal may have sent it",
		RequestID: line(get(h, "X-Amz-Request-Id")),
	}
}

// codeOf returns a code for a response without one: to a HEAD, or from a proxy.
func codeOf(status int) string {
	switch status {
	case http.StatusMovedPermanently, http.StatusPermanentRedirect:
		return "PermanentRedirect"
	case http.StatusFound, http.StatusTemporaryRedirect:
		return "TemporaryRedirect"
	case http.StatusUnauthorized, http.StatusForbidden:
		return "AccessDenied"
	case http.StatusNotFound:
		return "NotFound"
	case http.StatusRequestTimeout:
		return "RequestTimeout"
	case http.StatusConflict:
		return "OperationAborted"
	case http.StatusLengthRequired:
		return "MissingContentLength"
	case http.StatusPreconditionFailed:
		// S3's own 412 has a document with a code, and means that the object exists. The
		// meaning of a proxy's 412 is not known.
		return "UnexplainedPrecondition"
	case http.StatusRequestEntityTooLarge:
		return "RequestEntityTooLarge" // a proxy's limit, not S3's
	case http.StatusTooManyRequests:
		return "TooManyRequests"
	case http.StatusInternalServerError:
		return "InternalError"
	case http.StatusNotImplemented:
		return "NotImplemented"
	case http.StatusServiceUnavailable:
		return "ServiceUnavailable"
	}
	if text := http.StatusText(status); text != "" {
		return strings.ReplaceAll(text, " ", "")
	}
	return "Status" + strconv.Itoa(status)
}

// maxWait is the longest wait that is granted: a wrong header must not stop a delivery
// for days.
const maxWait = time.Hour

// wait reads x-amz-retry-after (milliseconds) and Retry-After (seconds or a date).
func wait(h http.Header, now time.Time) time.Duration {
	var d time.Duration
	if ms, err := strconv.ParseUint(get(h, "X-Amz-Retry-After"), 10, 32); err == nil {
		d = time.Duration(ms) * time.Millisecond
	} else if v := get(h, "Retry-After"); v != "" {
		if s, err := strconv.ParseUint(v, 10, 32); err == nil {
			d = time.Duration(s) * time.Second
		} else if date, err := http.ParseTime(v); err == nil {
			d = date.Sub(now)
		}
	}
	return min(max(d, 0), maxWait)
}

// regionName returns s if it can be the name of a Region, and an empty string otherwise.
func regionName(s string) string {
	if len(s) > 63 {
		return ""
	}
	for i := range len(s) {
		if b := s[i]; (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-' {
			return ""
		}
	}
	return s
}

// maxText is how many bytes of a store's text are kept.
const maxText = 2048

// line makes text of the store fit for one line of a log.
func line(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == unicode.ReplacementChar || !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "")))
}
