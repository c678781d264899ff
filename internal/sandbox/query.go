package sandbox

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// The query protocol: form in, XML out. STS and IAM speak it.

func queryNamespace(service string) string {
	if service == "iam" {
		return "https://iam.amazonaws.com/doc/2010-05-08/"
	}
	return "https://sts.amazonaws.com/doc/2011-06-15/"
}

// writeQuery answers with result as the content of <ActionResult>; nil for none.
func (s *Sandbox) writeQuery(cl *call, result any) error {
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
	s.reply(cl, http.StatusOK)
	_, err := cl.w.Write([]byte(body))
	return err
}

func validationError(format string, args ...any) *apiError {
	return fail(http.StatusBadRequest, "ValidationError", format, args...)
}

var (
	roleNamePattern    = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)
	sessionNamePattern = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	externalIDPattern  = regexp.MustCompile(`^[\w+=,.@:/-]+$`)
	policyNamePattern  = regexp.MustCompile(`^[\w+=,.@-]{1,128}$`)
	pathPattern        = regexp.MustCompile(`^/([\x21-\x7e]*/)?$`)
)

func requireName(form url.Values, field string, pattern *regexp.Regexp) (string, error) {
	v := form.Get(field)
	if !pattern.MatchString(v) {
		return "", validationError("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy regular expression pattern: %s",
			v, strings.ToLower(field[:1])+field[1:], pattern)
	}
	return v, nil
}

// formTags reads Tags.member.N.Key and .Value.
func formTags(form url.Values) ([]tag, error) {
	var tags []tag
	seen := map[string]bool{}
	for i := 1; ; i++ {
		prefix := fmt.Sprintf("Tags.member.%d.", i)
		key := form.Get(prefix + "Key")
		if key == "" {
			return tags, nil
		}
		if i > 50 {
			return nil, validationError("1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50")
		}
		if strings.HasPrefix(strings.ToLower(key), "aws:") {
			return nil, fail(http.StatusBadRequest, "InvalidInput", "aws: prefixed tag key names are not allowed for external use.")
		}
		if !tagText.MatchString(key) || utf8.RuneCountInString(key) > maxTagKey {
			return nil, validationError("1 validation error detected: Value '%s' at 'tags.%d.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+", key, i)
		}
		if v := form.Get(prefix + "Value"); !tagText.MatchString(v) || utf8.RuneCountInString(v) > maxTagValue {
			return nil, validationError("1 validation error detected: Value '%s' at 'tags.%d.member.value' failed to satisfy constraint: Member must have length less than or equal to 256", v, i)
		}
		if lower := strings.ToLower(key); seen[lower] {
			return nil, fail(http.StatusBadRequest, "InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		} else {
			seen[lower] = true
		}
		tags = append(tags, tag{key, form.Get(prefix + "Value")})
	}
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
