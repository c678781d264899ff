package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxKey is the longest key that S3 accepts, in bytes.
const maxKey = 1024

// placeholders are listed in the order of the documentation.
var placeholders = []string{"host", "yyyy", "mm", "dd", "HH", "name", "id", "uid", "gid", "unit", "pod", "meta.KEY"}

// metaPlaceholder begins the placeholders of metadata entries.
const metaPlaceholder = "meta."

// literalChars are the characters that are allowed outside placeholders.
// '*', '?' and '$' are left out on purpose: the prefix becomes part of a policy's
// Resource, where they would be wildcards and variables.
const literalChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-_.=+@,:!"

// KeyTemplate is a parsed key template. It can only be made by
// ParseKeyTemplate, so an unchecked template cannot be rendered. It is
// immutable and safe for concurrent use.
type KeyTemplate struct {
	parts  []keyPart
	prefix string
	unique bool
}

// keyPart is a literal, or a placeholder when name is set.
type keyPart struct{ literal, name string }

// KeyValues fill the placeholders of a key template.
type KeyValues struct {
	Host string            // {host}
	Time time.Time         // {yyyy} {mm} {dd} {HH}; rendered in UTC
	Name string            // {name}: a valid object name, see ValidateName
	ID   string            // {id}: the upload id
	UID  uint32            // {uid}
	GID  uint32            // {gid}: the peer's primary group
	Unit string            // {unit}: the peer's systemd unit
	Pod  string            // {pod}: UID of the peer's Kubernetes pod
	Meta map[string]string // {meta.KEY}
}

// MissingValueError reports a placeholder without a value.
type MissingValueError struct {
	Placeholder string // with its braces
}

// Error names the placeholder and the source of its value.
func (e *MissingValueError) Error() string {
	why := "is empty"
	switch {
	case strings.HasPrefix(e.Placeholder, "{"+metaPlaceholder):
		why = "is filled by an entry of the upload's metadata, which has none of that name"
	case e.Placeholder == "{unit}", e.Placeholder == "{pod}":
		why = "is not known of this peer: the kernel tells it on Linux 6.5 and later, of processes that the daemon sees"
	}
	return "making the key: " + e.Placeholder + " " + why
}

// ParseKeyTemplate parses a key template such as "logs/{host}/{name}-{id}". It
// refuses a template that could leave its prefix, and one without {id}: two
// uploads must never share a key.
func ParseKeyTemplate(s string) (*KeyTemplate, error) {
	t, _, err := parseKeyTemplate(s)
	if err == nil && !t.Unique() {
		err = errNoID
	}
	return t, err
}

var errNoID = errors.New("the key template has no {id}")

// parseKeyTemplate also returns a hint for the person who wrote the template.
func parseKeyTemplate(s string) (t *KeyTemplate, hint string, err error) {
	const example = "for example logs/{host}/{yyyy}/{mm}/{dd}/{name}-{id}"
	if s == "" {
		return nil, example, errors.New("the key template is empty")
	}
	if s[0] == '/' {
		return nil, "remove the '/' at the front", errors.New("a key is not an absolute path")
	}
	t = &KeyTemplate{}
	for rest := s; rest != ""; {
		open := strings.IndexAny(rest, "{}")
		if open < 0 {
			t.parts = append(t.parts, keyPart{literal: rest})
			break
		}
		if rest[open] == '}' {
			return nil, example, errors.New("a '}' without its '{'")
		}
		if open > 0 {
			t.parts = append(t.parts, keyPart{literal: rest[:open]})
		}
		end := strings.IndexByte(rest[open:], '}')
		if end < 0 {
			return nil, example, errors.New("a '{' without its '}'")
		}
		name := rest[open+1 : open+end]
		if !contains(placeholders, name) && !metaName(name) {
			return nil, didYouMean(name, "placeholders", placeholders), fmt.Errorf("unknown placeholder {%s}", printable(name))
		}
		t.unique = t.unique || name == "id"
		t.parts = append(t.parts, keyPart{name: name})
		rest = rest[open+end+1:]
	}
	shape := "" // the template with every placeholder as one harmless letter
	for _, p := range t.parts {
		if p.name != "" {
			shape += "x"
			continue
		}
		if i := strings.IndexFunc(p.literal, func(r rune) bool { return !strings.ContainsRune(literalChars, r) }); i >= 0 {
			r := []rune(p.literal[i:])[0]
			return nil, "letters, digits and / - _ . = + @ , : ! are allowed", fmt.Errorf("the character %q is not allowed in a key template", r)
		}
		shape += p.literal
	}
	for segment := range strings.SplitSeq(shape, "/") {
		switch segment {
		case "":
			return nil, "write a/b/{name}-{id}", errors.New("an empty segment in the key template")
		case ".", "..":
			return nil, "remove it", fmt.Errorf("the segment %q in the key template", segment)
		}
	}
	if len(shape) > maxKey/2 {
		return nil, "shorten it", fmt.Errorf("the fixed part of the key template has more than %d bytes", maxKey/2)
	}
	if p := t.parts[0]; p.name == "" {
		t.prefix = p.literal[:strings.LastIndexByte(p.literal, '/')+1]
	}
	return t, "", nil
}

// Prefix is the static part of the template, up to and including the last '/'
// before the first placeholder. Every key the template renders starts with it;
// policies allow nothing else. It is "" when the first segment is not static.
func (t *KeyTemplate) Prefix() string { return t.prefix }

// Unique reports whether the template holds {id}, so that no two uploads share a key.
func (t *KeyTemplate) Unique() bool { return t.unique }

// metaName accepts meta.KEY if KEY may be a metadata key.
func metaName(name string) bool {
	key, ok := strings.CutPrefix(name, metaPlaceholder)
	return ok && ValidateMetadataKey(key) == nil
}

// Render fills the template. Every value is escaped so that it stays within its
// segment: a byte that is no letter, digit or one of -_.~=@+,:!'() is written as %XX.
// Only {name} keeps its '/'. Different names give different keys.
func (t *KeyTemplate) Render(v KeyValues) (string, error) {
	var b strings.Builder
	utc := v.Time.UTC()
	for _, p := range t.parts {
		switch p.name {
		case "":
			b.WriteString(p.literal)
		case "name":
			if err := ValidateName(v.Name); err != nil {
				return "", err
			}
			for i, segment := range strings.Split(v.Name, "/") {
				if i > 0 {
					b.WriteByte('/')
				}
				escapeSegment(&b, segment)
			}
		case "uid":
			b.WriteString(strconv.FormatUint(uint64(v.UID), 10))
		case "gid":
			b.WriteString(strconv.FormatUint(uint64(v.GID), 10))
		case "yyyy", "mm", "dd", "HH":
			if v.Time.IsZero() || utc.Year() > 9999 {
				return "", fmt.Errorf("rendering the key: no usable time for {%s}", p.name)
			}
			b.WriteString(utc.Format(timeLayouts[p.name]))
		default:
			value := v.text(p.name)
			if value == "" {
				return "", &MissingValueError{Placeholder: "{" + p.name + "}"}
			}
			escapeSegment(&b, value)
		}
	}
	if b.Len() > maxKey {
		return "", fmt.Errorf("the key would have %d bytes, S3 allows %d: shorten the object name", b.Len(), maxKey)
	}
	return b.String(), nil
}

// text is the value of a placeholder that is plain text; empty when there is none.
func (v KeyValues) text(name string) string {
	switch name {
	case "host":
		return v.Host
	case "id":
		return v.ID
	case "unit":
		return v.Unit
	case "pod":
		return v.Pod
	default:
		return v.Meta[strings.TrimPrefix(name, metaPlaceholder)]
	}
}

var timeLayouts = map[string]string{"yyyy": "2006", "mm": "01", "dd": "02", "HH": "15"}

// escapeSegment writes s so that it is one segment, or a part of one. A value
// of dots only is escaped whole, because next to a literal dot it could become "..".
func escapeSegment(b *strings.Builder, s string) {
	dots := strings.Trim(s, ".") == ""
	for i, r := range s {
		keep := unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || strings.ContainsRune("-_.~=@+,:!'()", r)
		if r == unicode.ReplacementChar || (dots && r == '.') {
			keep = false
		}
		if keep {
			b.WriteRune(r)
			continue
		}
		// A broken byte decodes to U+FFFD of width 1: escape the byte itself.
		width := len(string(r))
		if r == unicode.ReplacementChar && !strings.HasPrefix(s[i:], string(r)) {
			width = 1
		}
		for _, c := range []byte(s[i : i+width]) {
			fmt.Fprintf(b, "%%%02X", c)
		}
	}
}

func contains(list []string, s string) bool {
	for _, c := range list {
		if c == s {
			return true
		}
	}
	return false
}

func printable(s string) string {
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}
