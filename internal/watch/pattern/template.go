package pattern

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxTemplate is the longest template, in bytes.
const MaxTemplate = 512

// The placeholders without a number or a name.
var placeholders = []string{"dir", "base", "stem", "ext", "mtime.yyyy", "mtime.mm", "mtime.dd", "mtime.HH", "mtime.MM", "mtime.SS"}

var mtimeLayouts = map[string]string{
	"mtime.yyyy": "2006", "mtime.mm": "01", "mtime.dd": "02", "mtime.HH": "15", "mtime.MM": "04", "mtime.SS": "05",
}

// Placeholders returns the placeholders of a template, for messages.
func Placeholders() []string { return append(slices.Clone(placeholders), "path.N", "match.NAME") }

// Template makes the name of an object from the path of a file.
type Template struct {
	parts []part
	match *regexp.Regexp // nil: no {match.NAME}
}

// part is a literal, or a placeholder when name is set.
type part struct {
	literal, name string
	number        int // of {path.N}
}

// ParseTemplate parses a template such as "{dir}/{base}". match may be nil; its named
// groups are the values of {match.NAME}.
func ParseTemplate(text string, match *regexp.Regexp) (*Template, error) {
	switch {
	case text == "":
		return nil, errors.New("the template is empty")
	case len(text) > MaxTemplate:
		return nil, fmt.Errorf("the template has %d bytes; the limit is %d", len(text), MaxTemplate)
	case text[0] == '/':
		return nil, errors.New("an object name does not begin with '/'")
	}
	t := &Template{match: match}
	for rest := text; rest != ""; {
		open := strings.IndexAny(rest, "{}")
		if open < 0 {
			t.parts = append(t.parts, part{literal: rest})
			break
		}
		if rest[open] == '}' {
			return nil, errors.New("the template has a '}' without its '{'")
		}
		if open > 0 {
			t.parts = append(t.parts, part{literal: rest[:open]})
		}
		end := strings.IndexByte(rest[open:], '}')
		if end < 0 {
			return nil, errors.New("the template has a '{' without its '}'")
		}
		p, err := t.placeholder(rest[open+1 : open+end])
		if err != nil {
			return nil, err
		}
		t.parts = append(t.parts, p)
		rest = rest[open+end+1:]
	}
	return t, t.check()
}

func (t *Template) placeholder(name string) (part, error) {
	if slices.Contains(placeholders, name) {
		return part{name: name}, nil
	}
	if digits, ok := strings.CutPrefix(name, "path."); ok {
		n, err := strconv.Atoi(digits)
		if err != nil || n < 1 || n > 2*MaxDepth || digits[0] == '+' {
			return part{}, fmt.Errorf("{%s}: N is a number from 1, the first segment of the absolute path", name)
		}
		return part{name: "path", number: n}, nil
	}
	if group, ok := strings.CutPrefix(name, "match."); ok {
		if t.match == nil || t.match.SubexpIndex(group) < 0 {
			return part{}, fmt.Errorf("{%s}: match has no group (?P<%s>…)", name, group)
		}
		return part{name: "match", literal: group}, nil
	}
	return part{}, fmt.Errorf("unknown placeholder {%s}", name)
}

// check refuses a template whose literals make a bad name for every file.
func (t *Template) check() error {
	shape := "" // with every placeholder as one harmless letter
	for _, p := range t.parts {
		if p.name != "" {
			shape += "x"
			continue
		}
		if !utf8.ValidString(p.literal) || strings.ContainsFunc(p.literal, unicode.IsControl) {
			return errors.New("the template has a control character, or is not UTF-8")
		}
		shape += p.literal
	}
	for segment := range strings.SplitSeq(shape, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return fmt.Errorf("the template has the segment %q", segment)
		}
	}
	return nil
}

// File is the file that a template names.
type File struct {
	Path    string    // absolute
	Rel     string    // relative to the fixed beginning of its glob
	ModTime time.Time // rendered in UTC
}

// ErrNoMatch is returned when the path does not match the regular expression.
var ErrNoMatch = errors.New("the path does not match the regular expression of match")

// Matches reports whether the regular expression, if there is one, matches the path.
func (t *Template) Matches(absolute string) bool {
	return t.match == nil || t.match.MatchString(absolute)
}

// Render returns the name of the object for f. {dir} is the directory below the fixed
// beginning; when it is empty, the '/' after it goes too.
func (t *Template) Render(f File) (string, error) {
	var groups []string
	if t.match != nil {
		if groups = t.match.FindStringSubmatch(f.Path); groups == nil {
			return "", ErrNoMatch
		}
	}
	var b strings.Builder
	for _, p := range t.parts {
		value, err := t.value(p, f, groups)
		if err != nil {
			return "", err
		}
		b.WriteString(value)
	}
	return segments(b.String()), nil
}

func (t *Template) value(p part, f File, groups []string) (string, error) {
	base := path.Base(f.Path)
	ext := path.Ext(base)
	switch p.name {
	case "":
		return p.literal, nil
	case "dir":
		if dir := path.Dir(f.Rel); dir != "." {
			return escape(dir), nil
		}
		return "", nil
	case "base":
		return escape(base), nil
	case "stem":
		return escape(strings.TrimSuffix(base, ext)), nil
	case "ext":
		return escape(strings.TrimPrefix(ext, ".")), nil
	case "path":
		all := strings.Split(strings.TrimPrefix(f.Path, "/"), "/")
		if p.number > len(all) {
			return "", fmt.Errorf("{path.%d}: the path has %d segments", p.number, len(all))
		}
		return escape(all[p.number-1]), nil
	case "match":
		return escape(strings.ReplaceAll(groups[t.match.SubexpIndex(p.literal)], "/", "_")), nil
	}
	if y := f.ModTime.UTC().Year(); y < 0 || y > 9999 {
		return "", fmt.Errorf("{%s}: the file's modification time has the year %d", p.name, y)
	}
	return f.ModTime.UTC().Format(mtimeLayouts[p.name]), nil
}

// escape writes control characters, bytes that are not UTF-8, and '%' as %XX, so that
// different file names stay different.
func escape(s string) string {
	clean := func(r rune) bool { return !unicode.IsControl(r) && r != '%' }
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !clean(r) }) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, width := utf8.DecodeRuneInString(s[i:])
		if clean(r) && (r != utf8.RuneError || width > 1) {
			b.WriteString(s[i : i+width])
		} else {
			for _, c := range []byte(s[i : i+width]) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		}
		i += width
	}
	return b.String()
}

// segments drops empty segments, and replaces those that no object name may have.
func segments(s string) string {
	out := make([]string, 0, strings.Count(s, "/")+1)
	for segment := range strings.SplitSeq(s, "/") {
		switch segment {
		case "":
			continue
		case ".":
			segment = "%2E"
		case "..":
			segment = "%2E%2E"
		}
		out = append(out, segment)
	}
	return strings.Join(out, "/")
}
