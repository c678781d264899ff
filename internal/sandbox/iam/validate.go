package iam

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Validation of parameters by IAM and STS, before the policies are asked. First, one error
// lists all violations of the model. Then the first value with invalid characters is refused.

// Shape is the constraint on a parameter's value.
type Shape struct {
	Least, Most int  // characters, entries of a list, or the number itself; most 0: no bound
	Number      bool // an integer
	oneOf       []string
	Pattern     *regexp.Regexp // of the model; errors show text
	Text        string
	chars       *regexp.Regexp // of the service; errors show want
	want        string
	Member      *Shape // of a list
	Tags        bool   // a list of keys and values
}

// Model is how a service validates.
type Model struct {
	Parameters map[string]string
	Shape      func(operation, name string) Shape
	TellsValue bool // STS repeats the value in its text, IAM does not
}

func shapeOf(operation, name string) Shape {
	if s, ok := shapesOf[operation][name]; ok {
		return s
	}
	return shapes[name]
}

// validation collects the mistakes of a request.
type validation struct {
	Model
	form  url.Values
	wrong []string
}

// Validate checks a request against the model; the error is AWS's.
func (m Model) Validate(operation string, form url.Values) error {
	v := &validation{Model: m, form: form}
	names := strings.Fields(m.Parameters[operation])
	for _, name := range names {
		name, required := strings.CutSuffix(name, "!")
		if err := v.parameter(m.Shape(operation, name), name, required); err != nil {
			return err
		}
	}
	if n := len(v.wrong); n > 0 {
		noun := "errors"
		if n == 1 {
			noun = "error"
		}
		return kernel.ValidationError("%d validation %s detected: %s", n, noun, strings.Join(v.wrong, "; "))
	}
	for _, name := range names {
		name = strings.TrimSuffix(name, "!")
		s := m.Shape(operation, name)
		if value, ok := form[name]; ok && s.chars != nil && !s.chars.MatchString(value[0]) {
			return kernel.ValidationError("The specified value for %s is invalid. %s", fieldName(name), s.want)
		}
	}
	return nil
}

// fieldName is a parameter's name in error texts.
func fieldName(parameter string) string { return strings.ToLower(parameter[:1]) + parameter[1:] }

func (v *validation) refuse(field, value, constraint string, args ...any) {
	where := "Value at '" + field + "'"
	if v.TellsValue {
		where = "Value '" + value + "' at '" + field + "'"
	}
	v.wrong = append(v.wrong, where+" failed to satisfy constraint: "+fmt.Sprintf(constraint, args...))
}

func (v *validation) missing(field string) {
	where := "Value at '" + field + "'"
	if v.TellsValue {
		where = "Value null at '" + field + "'"
	}
	v.wrong = append(v.wrong, where+" failed to satisfy constraint: Member must not be null")
}

func (v *validation) parameter(s Shape, name string, required bool) error {
	field := fieldName(name)
	if s.Member != nil || s.Tags {
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
	if s.Number {
		n, err := strconv.Atoi(value[0])
		if err != nil {
			return kernel.Fail(http.StatusBadRequest, "MalformedInput", "")
		}
		if n < s.Least {
			v.refuse(field, value[0], "Member must have value greater than or equal to %d", s.Least)
		}
		if n > s.Most {
			v.refuse(field, value[0], "Member must have value less than or equal to %d", s.Most)
		}
		return nil
	}
	if s.oneOf != nil && !slices.Contains(s.oneOf, value[0]) {
		// IAM shows values of enumerations, too.
		v.wrong = append(
			v.wrong,
			fmt.Sprintf(
				"Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: [%s]",
				value[0],
				field,
				strings.Join(s.oneOf, ", "),
			),
		)
		return nil
	}
	v.text(s, field, value[0])
	return nil
}

// text checks the length and the characters of a value.
func (v *validation) text(s Shape, field, value string) {
	n := utf8.RuneCountInString(value)
	if s.Pattern != nil && n > 0 && !s.Pattern.MatchString(value) {
		v.refuse(field, value, "Member must satisfy regular expression pattern: %s", s.Text)
	}
	if n < s.Least {
		v.refuse(field, value, "Member must have length greater than or equal to %d", s.Least)
	}
	if s.Most > 0 && n > s.Most {
		v.refuse(field, value, "Member must have length less than or equal to %d", s.Most)
	}
}

// holds reports whether a value satisfies what text checks.
func (s *Shape) holds(value string) bool {
	n := utf8.RuneCountInString(value)
	return n >= s.Least && (s.Most == 0 || n <= s.Most) && (s.Pattern == nil || s.Pattern.MatchString(value))
}

func (v *validation) list(s Shape, name string, required bool) {
	field := fieldName(name)
	if s.Tags {
		n := 0
		for v.form.Has(tagField(name, n+1, "Key")) || v.form.Has(tagField(name, n+1, "Value")) {
			n++
			v.tag(name, n)
		}
		v.count(s, name, n, required)
		return
	}
	values := kernel.FormList(v.form, name)
	v.count(s, name, len(values), required)
	for _, value := range values {
		if s.Member.holds(value) {
			continue
		}
		// One member is enough to refuse the list; the error shows all its constraints.
		var rules []string
		if s.Member.Most > 0 {
			rules = append(rules, fmt.Sprintf("Member must have length less than or equal to %d", s.Member.Most))
		}
		rules = append(rules, fmt.Sprintf("Member must have length greater than or equal to %d", s.Member.Least))
		if s.Member.Pattern != nil {
			rules = append(rules, "Member must satisfy regular expression pattern: "+s.Member.Text)
		}
		rules = append(rules, "Member must not be null")
		v.refuse(field, "["+strings.Join(values, ", ")+"]", "Member must satisfy constraint: [%s]", strings.Join(rules, ", "))
		return
	}
}

func (v *validation) count(s Shape, name string, n int, required bool) {
	switch {
	case n == 0 && required && !v.form.Has(name): // "Tags=" is an empty list
		v.missing(fieldName(name))
	case s.Most > 0 && n > s.Most:
		v.refuse(fieldName(name), "[]", "Member must have length less than or equal to %d", s.Most)
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
		v.text(TagShapes[i], field, value[0])
	}
}

func tagField(name string, n int, part string) string {
	return fmt.Sprintf("%s.member.%d.%s", name, n, part)
}

// CheckVersion refuses a call for another version of the service's API.
func CheckVersion(cl *kernel.Request, version string) error {
	if got := cl.Form.Get("Version"); got != version {
		if got == "" {
			got = "NO_VERSION_SPECIFIED"
		}
		return kernel.Fail(http.StatusBadRequest, "InvalidAction", "Could not find operation %s for version %s", cl.Record.Operation, got)
	}
	return nil
}
