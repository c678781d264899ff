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

// ResponseError is the store's answer that it did not do what was asked. It
// holds what the store says of the reason, and nothing that it quotes of the request.
type ResponseError struct {
	Operation   string // of S3's API: "PutObject"
	Bucket, Key string
	// Status is the HTTP status. An error that came with 200 has 500 here, as the
	// SDK has it: there is no success in it.
	Status int
	// Code is the store's, such as "AccessDenied"; when the answer had none, one
	// that goes with the status.
	Code, Message     string
	RequestID, HostID string
	Region            string        // the bucket's, when the answer named one
	Wait              time.Duration // that the store asked for; 0 when it did not
}

var _ smithy.APIError = (*ResponseError)(nil)

// Error says which call on which object failed, how, and under which request id.
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

// ErrorCode is the store's code.
func (e *ResponseError) ErrorCode() string { return e.Code }

// ErrorMessage is the store's text.
func (e *ResponseError) ErrorMessage() string { return e.Message }

// ErrorFault says whose the fault is.
func (e *ResponseError) ErrorFault() smithy.ErrorFault {
	if e.Status >= 500 {
		return smithy.FaultServer
	}
	return smithy.FaultClient
}

// HTTPStatusCode is the status.
func (e *ResponseError) HTTPStatusCode() int { return e.Status }

// ServiceRequestID is the id to give to the store's support.
func (e *ResponseError) ServiceRequestID() string { return e.RequestID }

// RetryAfter is how long the store wants to be left alone; 0 when it did not say.
func (e *ResponseError) RetryAfter() time.Duration { return e.Wait }

// WantRegion is the Region of the bucket, when the answer named one.
func (e *ResponseError) WantRegion() string { return e.Region }

// refusal returns nil when the answer is a success: a good status, and no error
// in the body. S3 begins some answers before it knows how they end.
func refusal(a *answer, r *request, bucket string, doc *document) *ResponseError {
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

// unexpected is a good status over something that is no answer of S3's, such as
// a proxy's page: nobody knows what was done.
func unexpected(r *request, bucket string, h http.Header) *ResponseError {
	return &ResponseError{
		Operation: r.operation, Bucket: bucket, Key: r.key, Status: http.StatusBadGateway,
		Code: codeOf(http.StatusBadGateway), Message: "the answer has a good status, but it is not one that S3 gives", RequestID: line(get(h, "X-Amz-Request-Id")),
	}
}

// codeOf is a code for an answer that has none: to a HEAD, or of a proxy.
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
		// S3's own has a document with its code, and means that the object is there.
		// What a proxy means by it is not known.
		return "UnexplainedPrecondition"
	case http.StatusRequestEntityTooLarge:
		return "RequestEntityTooLarge" // a proxy's limit: nothing is wrong with the object
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

// maxWait bounds what a store may ask for: a wrong header must not stop a delivery for days.
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

// regionName drops what cannot be a Region's name.
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

// maxText bounds what is kept of a store's text, in bytes.
const maxText = 2048

// line makes foreign text fit for one line of a log.
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
