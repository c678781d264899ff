package kernel

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// The query protocol: form in, XML out. STS and IAM speak it.

func queryNamespace(service string) string {
	if service == "iam" {
		return "https://iam.amazonaws.com/doc/2010-05-08/"
	}
	return "https://sts.amazonaws.com/doc/2011-06-15/"
}

// WriteQuery answers with result, whose XML element is ACTIONResult; nil for no result.
func (cl *Request) WriteQuery(result any) error {
	var inner []byte
	if result != nil {
		var err error
		if inner, err = xml.Marshal(result); err != nil {
			return fmt.Errorf("rendering the answer: %w", err)
		}
	}
	op := cl.Record.Operation
	body := fmt.Sprintf("<%sResponse xmlns=%q>%s<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>",
		op, queryNamespace(cl.Record.Service), inner, cl.Record.RequestID, op)
	cl.Out.Header().Set("Content-Type", "text/xml")
	cl.Reply(http.StatusOK)
	_, err := cl.Out.Write([]byte(body))
	return err
}

// ValidationError is the error of the query protocol for invalid parameters.
func ValidationError(format string, args ...any) *Error {
	return Fail(http.StatusBadRequest, "ValidationError", format, args...)
}

// FormList reads a list of the query protocol, NAME.member.N.
func FormList(form url.Values, name string) []string {
	var out []string
	for i := 1; ; i++ {
		v, ok := form[fmt.Sprintf("%s.member.%d", name, i)]
		if !ok {
			return out
		}
		out = append(out, v[0])
	}
}

// TagContext adds the request's tags as condition keys.
func TagContext(ctx map[string][]string, tags []Tag) {
	var keys []string
	for _, t := range tags {
		ctx["aws:RequestTag/"+t.Key] = []string{t.Value}
		keys = append(keys, t.Key)
	}
	if keys != nil {
		ctx["aws:TagKeys"] = keys
	}
}

// Seconds is a duration in whole seconds.
func Seconds(d time.Duration) int { return int(d / time.Second) }
