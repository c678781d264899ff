package errtext

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// maxDepth bounds the nesting of JSON that is read.
const maxDepth = 24

// readJSON reads one JSON value or several. It reports false if the text is no JSON.
func readJSON(text string) (out []Error, ok bool) {
	if !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		return nil, false
	}
	dec := json.NewDecoder(strings.NewReader(text))
	for {
		var v any
		err := dec.Decode(&v)
		if errors.Is(err, io.EOF) {
			return out, true
		}
		if err != nil {
			return nil, false
		}
		out = append(out, readValue(cleanValue(v, 0), 0)...)
	}
}

// cleanValue cleans the strings and names of a decoded value: JSON escapes control
// characters, and none may reach a terminal.
func cleanValue(v any, depth int) any {
	if depth > maxDepth {
		return nil
	}
	switch v := v.(type) {
	case string:
		return clean(v)
	case []any:
		for i := range v {
			v[i] = cleanValue(v[i], depth+1)
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[clean(key)] = cleanValue(item, depth+1)
		}
		return out
	}
	return v
}

func readValue(v any, depth int) []Error {
	if depth > maxDepth {
		return nil
	}
	switch v := v.(type) {
	case []any:
		var out []Error
		for _, item := range v {
			out = append(out, readValue(item, depth+1)...)
		}
		return out
	case map[string]any:
		if event, ok := v["CloudTrailEvent"].(string); ok {
			if found, ok := readJSON(strings.TrimSpace(event)); ok {
				return found
			}
		}
		if isCloudTrail(v) {
			return readEvent(v)
		}
		if holdsEvents(v, depth) {
			var out []Error
			for _, key := range slices.Sorted(maps.Keys(v)) {
				out = append(out, readValue(v[key], depth+1)...)
			}
			return out
		}
		return readObject(v, depth)
	}
	return nil
}

func isCloudTrail(v map[string]any) bool {
	_, source := v["eventSource"].(string)
	_, name := v["eventName"].(string)
	return source && name
}

// holdsEvents reports whether a value contains CloudTrail records at any depth.
func holdsEvents(v any, depth int) bool {
	if depth > maxDepth {
		return false
	}
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return holdsEvents(item, depth+1) })
	case map[string]any:
		if _, ok := v["CloudTrailEvent"].(string); ok || isCloudTrail(v) {
			return true
		}
		for _, item := range v {
			if holdsEvents(item, depth+1) {
				return true
			}
		}
	}
	return false
}

// readObject reads a JSON log line, or an error object: its strings as one text.
func readObject(v map[string]any, depth int) []Error {
	var lines []string
	flatten(v, depth, &lines)
	var out []Error
	for _, s := range segments(unescape(strings.Join(lines, "\n\n"))) {
		if e, ok := readSegment(s); ok {
			out = appendNew(out, e)
		}
	}
	return out
}

// flatten collects the fields of an object as text. A code and its message at one level
// become "code: message"; a string that holds JSON is read as JSON.
func flatten(v any, depth int, lines *[]string) {
	if depth > maxDepth {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		code, message := field(v, "code", "errorcode", "error_code", "__type", "name"), field(v, "message", "errormessage", "error_message")
		if i := strings.LastIndexByte(code, '#'); i >= 0 {
			code = code[i+1:]
		}
		if code != "" && message != "" && isKnownCode(strings.TrimPrefix(code, "KMS.")) {
			*lines = append(*lines, code+": "+message)
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if text, ok := v[key].(string); ok {
				if inner, ok := innerJSON(text); ok {
					flatten(inner, depth+1, lines)
					continue
				}
				if text == message && code != "" || text == code {
					continue
				}
				*lines = append(*lines, key+"="+text)
				continue
			}
			if n, ok := v[key].(float64); ok {
				*lines = append(*lines, fmt.Sprintf("%s: %v", key, n))
			}
			flatten(v[key], depth+1, lines)
		}
	case []any:
		for _, item := range v {
			if text, ok := item.(string); ok {
				*lines = append(*lines, text)
			}
			flatten(item, depth+1, lines)
		}
	}
}

func innerJSON(text string) (any, bool) {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "{") {
		return nil, false
	}
	var v any
	err := json.Unmarshal([]byte(text), &v)
	return cleanValue(v, 0), err == nil && v != nil
}

// field returns the first string field whose name, in lower case, is one of names.
func field(v map[string]any, names ...string) string {
	for _, name := range names {
		for key, value := range v {
			if text, ok := value.(string); ok && strings.ToLower(key) == name && text != "" {
				return text
			}
		}
	}
	return ""
}

// readEvent reads a CloudTrail record. A record of a call that succeeded gives no error.
func readEvent(v map[string]any) []Error {
	code := str(v, "errorCode")
	if code == "" {
		return nil
	}
	service, _, _ := strings.Cut(str(v, "eventSource"), ".")
	e := Error{Code: code, Service: service, Operation: str(v, "eventName"), RequestID: str(v, "requestID"), Message: str(v, "errorMessage")}
	flat, ends := oneLine(unescape(e.Message[:min(len(e.Message), maxSegment)]))
	e.Message = messageOf(flat, ends, code).text
	if d, stated := denialOf(flat); d.Action != "" {
		e.Denial, e.Stated = d, stated
		if denied, _, _ := strings.Cut(d.Action, ":"); denied != "" {
			e.Service = denied // S3 relays the refusals of KMS
		}
	}
	e.note(flat)
	identity, _ := v["userIdentity"].(map[string]any)
	if e.CallerAccount == "" {
		e.CallerAccount = accountID(str(identity, "accountId"))
	}
	if e.Denial.Principal == "" {
		e.Denial.Principal = str(identity, "arn")
	}
	params, _ := v["requestParameters"].(map[string]any)
	if e.Bucket == "" {
		e.Bucket = str(params, "bucketName")
	}
	if arn := str(params, "roleArn"); arn != "" && e.Role == "" {
		e.Role = arn
		if m := reARN.FindStringSubmatch(arn); m != nil && e.OwnerAccount == "" {
			e.OwnerAccount = m[3]
		}
	}
	resources, _ := v["resources"].([]any)
	for _, r := range resources {
		resource, _ := r.(map[string]any)
		if id := accountID(cmp.Or(str(resource, "accountId"), str(resource, "accountID"))); id != "" && e.OwnerAccount == "" {
			e.OwnerAccount = id
		}
	}
	return []Error{e}
}

func str(v map[string]any, key string) string {
	text, _ := v[key].(string)
	return text
}

// accountID returns s if it is an account id.
func accountID(s string) string {
	if len(s) != 12 || strings.Trim(s, "0123456789") != "" {
		return ""
	}
	return s
}
