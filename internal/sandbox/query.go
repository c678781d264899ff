package sandbox

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The query protocol: form in, XML out. STS and IAM speak it.

func queryNamespace(service string) string {
	if service == "iam" {
		return "https://iam.amazonaws.com/doc/2010-05-08/"
	}
	return "https://sts.amazonaws.com/doc/2011-06-15/"
}

// writeQuery answers with result as the content of <ActionResult>; nil for none.
func (cl *call) writeQuery(result any) error {
	var inner []byte
	if result != nil {
		var err error
		if inner, err = xml.Marshal(result); err != nil {
			return fmt.Errorf("rendering the answer: %w", err)
		}
	}
	op := cl.record.Operation
	body := fmt.Sprintf("<%sResponse xmlns=%q>%s<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>",
		op, queryNamespace(cl.record.Service), inner, cl.record.RequestID, op)
	cl.w.Header().Set("Content-Type", "text/xml")
	cl.reply(http.StatusOK)
	_, err := cl.w.Write([]byte(body))
	return err
}

func validationError(format string, args ...any) *apiError {
	return fail(http.StatusBadRequest, "ValidationError", format, args...)
}

// formTags reads Tags.member.N.Key and .Value of a validated request, for
// what takes keys that differ in case only for the same key: users, roles and
// sessions.
func formTags(form url.Values) ([]tag, error) {
	return readTags(form, strings.ToLower, "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
}

// formExactTags is formTags for what tells keys of other case apart.
func formExactTags(form url.Values) ([]tag, error) {
	return readTags(form, itself, "Duplicate tag keys found.")
}

func readTags(form url.Values, same func(string) string, duplicate string) ([]tag, error) {
	var tags []tag
	seen := map[string]bool{}
	for i := 1; form.Has(tagField("Tags", i, "Key")); i++ {
		t := tag{form.Get(tagField("Tags", i, "Key")), form.Get(tagField("Tags", i, "Value"))}
		if strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return nil, invalidInput("aws: prefixed tag key names are not allowed for external use.")
		}
		if seen[same(t.Key)] {
			return nil, invalidInput("%s", duplicate)
		}
		seen[same(t.Key)] = true
		tags = append(tags, t)
	}
	return tags, nil
}

func formList(form url.Values, name string) []string {
	var out []string
	for i := 1; ; i++ {
		v, ok := form[fmt.Sprintf("%s.member.%d", name, i)]
		if !ok {
			return out
		}
		out = append(out, v[0])
	}
}

// tagContext adds the request's tags as condition keys.
func tagContext(ctx map[string][]string, tags []tag) {
	var keys []string
	for _, t := range tags {
		ctx["aws:RequestTag/"+t.Key] = []string{t.Value}
		keys = append(keys, t.Key)
	}
	if keys != nil {
		ctx["aws:TagKeys"] = keys
	}
}

func seconds(d time.Duration) int { return int(d / time.Second) }
