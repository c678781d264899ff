package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// How IAM and STS refuse parameters: first all that breaks the model, in one
// answer, then the first value with characters that the service does not take.
// Both come before the policies are asked.

// shape is what the value of a parameter may be.
type shape struct {
	least, most int  // characters, entries of a list, or the number itself; most 0: no bound
	number      bool // an integer
	oneOf       []string
	pattern     *regexp.Regexp // of the model, told as text
	text        string
	chars       *regexp.Regexp // of the service, told as want
	want        string
	member      *shape // of a list
	tags        bool   // a list of keys and values
}

// model is how a service validates.
type model struct {
	parameters map[string]string
	shape      func(operation, name string) shape
	tellsValue bool // STS repeats the value in its text, IAM does not
}

func iamShape(operation, name string) shape {
	if s, ok := iamShapesOf[operation][name]; ok {
		return s
	}
	return iamShapes[name]
}

// validation collects what is wrong with a request.
type validation struct {
	model
	form  url.Values
	wrong []string
}

// validate checks a request against the model; the error is AWS's.
func (m model) validate(operation string, form url.Values) error {
	v := &validation{model: m, form: form}
	names := strings.Fields(m.parameters[operation])
	for _, name := range names {
		name, required := strings.CutSuffix(name, "!")
		if err := v.parameter(m.shape(operation, name), name, required); err != nil {
			return err
		}
	}
	if n := len(v.wrong); n > 0 {
		noun := "errors"
		if n == 1 {
			noun = "error"
		}
		return validationError("%d validation %s detected: %s", n, noun, strings.Join(v.wrong, "; "))
	}
	for _, name := range names {
		name = strings.TrimSuffix(name, "!")
		s := m.shape(operation, name)
		if value, ok := form[name]; ok && s.chars != nil && !s.chars.MatchString(value[0]) {
			return validationError("The specified value for %s is invalid. %s", fieldName(name), s.want)
		}
	}
	return nil
}

// fieldName is a parameter's name in error texts.
func fieldName(parameter string) string { return strings.ToLower(parameter[:1]) + parameter[1:] }

func (v *validation) refuse(field, value, constraint string, args ...any) {
	where := "Value at '" + field + "'"
	if v.tellsValue {
		where = "Value '" + value + "' at '" + field + "'"
	}
	v.wrong = append(v.wrong, where+" failed to satisfy constraint: "+fmt.Sprintf(constraint, args...))
}

func (v *validation) missing(field string) {
	where := "Value at '" + field + "'"
	if v.tellsValue {
		where = "Value null at '" + field + "'"
	}
	v.wrong = append(v.wrong, where+" failed to satisfy constraint: Member must not be null")
}

func (v *validation) parameter(s shape, name string, required bool) error {
	field := fieldName(name)
	if s.member != nil || s.tags {
		v.list(s, name, required)
		return nil
	}
	value, ok := v.form[name]
	if !ok {
		if required {
			v.missing(field)
		}
		return nil
	}
	if s.number {
		n, err := strconv.Atoi(value[0])
		if err != nil {
			return fail(http.StatusBadRequest, "MalformedInput", "")
		}
		if n < s.least {
			v.refuse(field, value[0], "Member must have value greater than or equal to %d", s.least)
		}
		if n > s.most {
			v.refuse(field, value[0], "Member must have value less than or equal to %d", s.most)
		}
		return nil
	}
	if s.oneOf != nil && !slices.Contains(s.oneOf, value[0]) {
		// A value that is one of a few is told by IAM too.
		v.wrong = append(v.wrong, fmt.Sprintf("Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: [%s]", value[0], field, strings.Join(s.oneOf, ", ")))
		return nil
	}
	v.text(s, field, value[0])
	return nil
}

// text checks the length and the characters of a value.
func (v *validation) text(s shape, field, value string) {
	n := utf8.RuneCountInString(value)
	if s.pattern != nil && n > 0 && !s.pattern.MatchString(value) {
		v.refuse(field, value, "Member must satisfy regular expression pattern: %s", s.text)
	}
	if n < s.least {
		v.refuse(field, value, "Member must have length greater than or equal to %d", s.least)
	}
	if s.most > 0 && n > s.most {
		v.refuse(field, value, "Member must have length less than or equal to %d", s.most)
	}
}

// holds reports whether a value satisfies what text checks.
func (s *shape) holds(value string) bool {
	n := utf8.RuneCountInString(value)
	return n >= s.least && (s.most == 0 || n <= s.most) && (s.pattern == nil || s.pattern.MatchString(value))
}

func (v *validation) list(s shape, name string, required bool) {
	field := fieldName(name)
	if s.tags {
		n := 0
		for v.form.Has(tagField(name, n+1, "Key")) || v.form.Has(tagField(name, n+1, "Value")) {
			n++
			v.tag(name, n)
		}
		v.count(s, name, n, required)
		return
	}
	values := formList(v.form, name)
	v.count(s, name, len(values), required)
	for _, value := range values {
		if s.member.holds(value) {
			continue
		}
		// One member is enough to refuse the list, and all its constraints are told.
		var rules []string
		if s.member.most > 0 {
			rules = append(rules, fmt.Sprintf("Member must have length less than or equal to %d", s.member.most))
		}
		rules = append(rules, fmt.Sprintf("Member must have length greater than or equal to %d", s.member.least))
		if s.member.pattern != nil {
			rules = append(rules, "Member must satisfy regular expression pattern: "+s.member.text)
		}
		rules = append(rules, "Member must not be null")
		v.refuse(field, "["+strings.Join(values, ", ")+"]", "Member must satisfy constraint: [%s]", strings.Join(rules, ", "))
		return
	}
}

func (v *validation) count(s shape, name string, n int, required bool) {
	switch {
	case n == 0 && required && !v.form.Has(name): // "Tags=" is an empty list
		v.missing(fieldName(name))
	case s.most > 0 && n > s.most:
		v.refuse(fieldName(name), "[]", "Member must have length less than or equal to %d", s.most)
	}
}

func (v *validation) tag(name string, n int) {
	for i, part := range []string{"Key", "Value"} {
		field := fmt.Sprintf("%s.%d.member.%s", fieldName(name), n, strings.ToLower(part))
		value, ok := v.form[tagField(name, n, part)]
		if !ok {
			v.missing(field)
			continue
		}
		v.text(tagShapes[i], field, value[0])
	}
}

func tagField(name string, n int, part string) string {
	return fmt.Sprintf("%s.member.%d.%s", name, n, part)
}

// checkVersion refuses a call for another version of the service's API.
func checkVersion(cl *call, version string) error {
	if got := cl.query.Get("Version"); got != version {
		if got == "" {
			got = "NO_VERSION_SPECIFIED"
		}
		return fail(http.StatusBadRequest, "InvalidAction", "Could not find operation %s for version %s", cl.record.Operation, got)
	}
	return nil
}
