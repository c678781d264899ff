package kernel

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// Calls to services that the sandbox does not have. They answer 501, name service
// and operation, and have the form of the protocol, so that an SDK shows the text.

// maxUnmodelledBody bounds how much of a body is read to find its operation.
const maxUnmodelledBody = 1 << 20

// serviceName is the form of a service in a credential scope.
var serviceName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// Unmodelled returns the error of a call to a service that the sandbox does not have.
func (cl *Request) Unmodelled(service string) error {
	cl.Record.Operation = cl.unmodelledOperation()
	return Fail(http.StatusNotImplemented, "NotImplemented", "The sandbox has no service %q (%s).", service, cl.Record.Operation)
}

// unmodelledOperation is the operation by the request's protocol: the target's
// name, the action of a form, else method and path.
func (cl *Request) unmodelledOperation() string {
	if target := cl.HTTP.Header.Get("X-Amz-Target"); target != "" {
		return target[strings.LastIndex(target, ".")+1:]
	}
	if action := cl.HTTP.URL.Query().Get("Action"); action != "" {
		return action
	}
	if isForm(cl.HTTP) {
		// A body that is no form has no action; the request is refused all the same.
		data, _ := io.ReadAll(io.LimitReader(cl.Payload, maxUnmodelledBody))
		if form, err := url.ParseQuery(string(data)); err == nil && form.Get("Action") != "" {
			return form.Get("Action")
		}
	}
	return cl.HTTP.Method + " " + cl.HTTP.URL.Path
}

func isForm(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && r.Method == http.MethodPost && kind == "application/x-www-form-urlencoded"
}

// restXML are the services whose REST protocol has XML errors.
var restXML = map[string]bool{"route53": true, "cloudfront": true}

// writeUnmodelled renders an error in the protocol of a service that the sandbox
// does not have.
func writeUnmodelled(w http.ResponseWriter, r *http.Request, service string, e *Error, requestID string) string {
	h := w.Header()
	switch {
	case service == "ec2":
		h.Set("Content-Type", "text/xml")
		return fmt.Sprintf(
			xml.Header+`<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>%s</RequestID></Response>`,
			escapeXML(e.Code),
			escapeXML(e.Message),
			requestID,
		)
	case isForm(r), r.URL.Query().Has("Action"), restXML[service]:
		h.Set("Content-Type", "text/xml")
		return fmt.Sprintf(
			xml.Header+
				`<ErrorResponse><Error><Type>Receiver</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>%s</RequestId></ErrorResponse>`,
			escapeXML(e.Code),
			escapeXML(e.Message),
			requestID,
		)
	}
	h.Set("Content-Type", JSONContentType)
	h.Set("X-Amzn-Errortype", e.Code)
	text, err := json.Marshal(map[string]string{"__type": e.Code, "message": e.Message})
	if err != nil {
		return `{"__type":"InternalFailure"}`
	}
	return string(text)
}
