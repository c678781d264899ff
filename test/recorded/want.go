package recorded

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Want is an answer as a row states it. $NAME stands for a variable of the run;
// … stands for any text.
type Want struct {
	Status  int
	Fields  map[string]string // by path, see Answer.Fields; absent says that there is none
	Headers map[string]string // by name in the case that is sent; absent likewise
	Body    string            // the whole body; "" is not compared
	// LowerHeaders compares the case of header names too.
	LowerHeaders bool
}

// absent is the value of a field or header that the answer must not have.
const absent = "\x00absent"

// refused is an error: status, code and text. An empty text is not compared.
func refused(status int, code, text string) Want {
	w := Want{Status: status, Fields: map[string]string{}, Headers: map[string]string{}}
	if code != "" {
		w.Fields["Code"] = code
	}
	if text != "" {
		w.Fields["Message"] = text
	}
	return w
}

// answers is a success, or a status without a body.
func answers(status int) Want { return refused(status, "", "") }

func (w Want) field(path, value string) Want {
	w.Fields = maps.Clone(w.Fields)
	w.Fields[path] = value
	return w
}

func (w Want) header(name, value string) Want {
	w.Headers = maps.Clone(w.Headers)
	w.Headers[name] = value
	return w
}

func (w Want) without(paths ...string) Want {
	for _, p := range paths {
		w = w.field(p, absent)
	}
	return w
}

func (w Want) withoutHeader(names ...string) Want {
	for _, n := range names {
		w = w.header(n, absent)
	}
	return w
}

func (w Want) body(text string) Want {
	w.Body = text
	return w
}

// exactCase compares the case of the names of the headers that the row states.
func (w Want) exactCase() Want {
	w.LowerHeaders = true
	return w
}

// differences says how an answer differs from the wanted one. expand replaces the
// variables of the run. No difference gives none.
func (w Want) differences(a *Answer, expand func(string) string) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if a.Status != w.Status {
		say("status %d, want %d", a.Status, w.Status)
	}
	for _, path := range slices.Sorted(maps.Keys(w.Fields)) {
		got, there := a.Fields[path]
		if text := differs(got, there, w.Fields[path], expand); text != "" {
			say("%s: %s", path, text)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.Headers)) {
		got, there := a.header(name, w.LowerHeaders)
		if text := differs(got, there, w.Headers[name], expand); text != "" {
			say("header %s: %s", name, text)
		}
	}
	if w.Body != "" {
		if text := differs(string(a.Body), true, w.Body, expand); text != "" {
			say("body: %s", text)
		}
	}
	return out
}

func differs(got string, there bool, want string, expand func(string) string) string {
	if want == absent {
		if there {
			return fmt.Sprintf("got %q, want none", got)
		}
		return ""
	}
	want = expand(want)
	if !there {
		return fmt.Sprintf("absent, want %q", want)
	}
	if !fits(got, want) {
		return fmt.Sprintf("got %q, want %q", got, want)
	}
	return ""
}

// fits matches text against a pattern in which … is any text.
func fits(text, pattern string) bool {
	parts := strings.Split(pattern, "…")
	if len(parts) == 1 {
		return text == pattern
	}
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, last)
}
