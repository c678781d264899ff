package s3

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// postPolicy is the policy of a form.
type postPolicy struct {
	conditions  []postCondition
	least, most int64 // bytes of the file
}

// postCondition is about one field.
type postCondition struct {
	text     string // as it was written
	operator string // eq, starts-with
	field    string // lower case; empty: can never hold
	value    string
}

func badPostPolicy(format string, args ...any) error {
	return kernel.Fail(http.StatusBadRequest, "InvalidPolicyDocument", "Invalid Policy: "+format, args...)
}

func againstPostPolicy(format string, args ...any) error {
	return kernel.Fail(http.StatusForbidden, "AccessDenied", "Invalid according to Policy: "+format, args...)
}

// checkPostPolicy compares the form's fields with its policy: each condition
// has to hold, and each field has to be in one.
func (c *call) checkPostPolicy(f *postForm) (*postPolicy, error) {
	if f.get("policy") == "" {
		return &postPolicy{most: maxPutSize}, nil
	}
	p, err := parsePostPolicy(f.get("policy"), c.Now)
	if err != nil {
		return nil, err
	}
	values := map[string]string{"bucket": c.bucketName}
	for name, value := range f.values {
		values[name] = value
	}
	covered := map[string]bool{"policy": true, "x-amz-signature": true, "awsaccesskeyid": true}
	for _, condition := range p.conditions {
		value, there := values[condition.field]
		if condition.field == "" || !there && condition.value != "" || !condition.holds(value) {
			return nil, againstPostPolicy("Policy Condition failed: %s", condition.text)
		}
		covered[condition.field] = true
	}
	for _, name := range append([]string{"bucket"}, f.names...) {
		if lower := strings.ToLower(name); !covered[lower] && !strings.HasPrefix(lower, "x-ignore-") {
			return nil, againstPostPolicy("Extra input fields: %s", name)
		}
	}
	return p, nil
}

func (c postCondition) holds(value string) bool {
	if c.operator == "starts-with" {
		// A list of content types has to match one by one.
		if c.field == "content-type" && strings.Contains(value, ",") {
			for v := range strings.SplitSeq(value, ",") {
				if !strings.HasPrefix(strings.TrimSpace(v), c.value) {
					return false
				}
			}
			return true
		}
		return strings.HasPrefix(value, c.value)
	}
	return value == c.value
}

// parsePostPolicy reads a policy of base64 text.
func parsePostPolicy(text string, now time.Time) (*postPolicy, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return -1
		}
		return r
	}, text))
	if err != nil {
		return nil, badPostPolicy("invalid Base64 encoding.")
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, badPostPolicy("Expecting '{' but found End-of-Input")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, badPostPolicy("Invalid JSON.")
	}
	for name := range fields {
		if name != "expiration" && name != "conditions" {
			return nil, badPostPolicy("Unexpected: %q", name)
		}
	}
	if err := checkPostExpiration(fields["expiration"], now); err != nil {
		return nil, err
	}
	if fields["conditions"] == nil {
		return nil, badPostPolicy("Policy missing conditions.")
	}
	var list []json.RawMessage
	if err := json.Unmarshal(fields["conditions"], &list); err != nil || list == nil {
		return nil, badPostPolicy("Invalid 'conditions' value: must be a List.")
	}
	p := &postPolicy{most: maxPutSize}
	for _, item := range list {
		if err := p.add(item); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func checkPostExpiration(raw json.RawMessage, now time.Time) error {
	if raw == nil {
		return badPostPolicy("Policy missing expiration.")
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return badPostPolicy("Invalid JSON.")
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return badPostPolicy("Invalid 'expiration' value: '%s'", text)
	}
	if !now.Before(at) {
		return againstPostPolicy("Policy expired.")
	}
	return nil
}

// add reads one condition: an object of one field, or a list.
func (p *postPolicy) add(raw json.RawMessage) error {
	var text bytes.Buffer
	if err := json.Compact(&text, raw); err != nil {
		return badPostPolicy("Invalid JSON.")
	}
	switch text.Bytes()[0] {
	case '{':
		return p.addSimple(text.Bytes())
	case '[':
		return p.addList(text.Bytes())
	}
	return badPostPolicy("Invalid condition test: must be a List or Object.")
}

func (p *postPolicy) addSimple(raw []byte) error {
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		return badPostPolicy("Invalid JSON.")
	}
	if len(fields) != 1 {
		return badPostPolicy("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
	}
	for name, v := range fields {
		value, ok := v.(string)
		if !ok {
			return badPostPolicy("Invalid Simple-Condition: value must be a string.")
		}
		name = strings.ToLower(name)
		// S3 shows a failed condition as a list.
		p.conditions = append(p.conditions, postCondition{fmt.Sprintf("[%q, %q, %q]", "eq", "$"+name, value), "eq", name, value})
	}
	return nil
}

func (p *postPolicy) addList(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var list []any
	if err := dec.Decode(&list); err != nil {
		return badPostPolicy("Invalid JSON.")
	}
	if len(list) == 0 {
		return badPostPolicy("Invalid Condition: missing operation identifier.")
	}
	operator, _ := list[0].(string)
	known := strings.ToLower(operator)
	if known != "eq" && known != "starts-with" && known != "content-length-range" {
		return badPostPolicy("Invalid Condition: unknown operation '%s'.", operator)
	}
	if len(list) != 3 {
		return badPostPolicy("Invalid %s: wrong number of arguments.", operator)
	}
	if known == "content-length-range" {
		least, ok1 := postNumber(list[1])
		most, ok2 := postNumber(list[2])
		if !ok1 || !ok2 {
			return badPostPolicy("Invalid JSON.")
		}
		p.least, p.most = max(p.least, least), min(p.most, most)
		return nil
	}
	field, ok1 := list[1].(string)
	value, ok2 := list[2].(string)
	if !ok1 || !ok2 {
		return badPostPolicy("Invalid JSON.")
	}
	name, ok := strings.CutPrefix(strings.ToLower(field), "$")
	if !ok {
		name = ""
	}
	p.conditions = append(p.conditions, postCondition{string(raw), known, name, value})
	return nil
}

// postNumber reads a size, which may be a number or its text.
func postNumber(v any) (int64, bool) {
	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = v
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n >= 0
}
