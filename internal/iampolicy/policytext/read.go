package policytext

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is deeper than any policy nests.
const maxDepth = 32

type reader struct {
	text  string
	at    int
	depth int
}

// Read reads exactly one JSON value. It is stricter than encoding/json:
// duplicate keys, NUL characters, lone surrogates, invalid UTF-8 and deep
// nesting are errors.
func Read(text string, limit int) (*Node, error) {
	r := &reader{text: text}
	if len(text) > limit {
		return nil, r.fail(limit, "the document has %d bytes; the limit is %d", len(text), limit)
	}
	if i := strings.IndexByte(text, 0); i >= 0 {
		return nil, r.fail(i, "NUL byte")
	}
	if !utf8.ValidString(text) {
		i := strings.IndexFunc(text, func(c rune) bool { return c == utf8.RuneError })
		for i >= 0 && i+3 <= len(text) && text[i:i+3] == "\uFFFD" {
			j := strings.IndexFunc(text[i+3:], func(c rune) bool { return c == utf8.RuneError })
			if j < 0 {
				break
			}
			i += 3 + j
		}
		return nil, r.fail(max(i, 0), "invalid UTF-8")
	}
	n, err := r.value()
	if err != nil {
		return nil, err
	}
	r.space()
	if r.at < len(text) {
		return nil, r.fail(r.at, "text after the end of the document")
	}
	return &n, nil
}

func (r *reader) fail(at int, format string, args ...any) error {
	line, column := Place(r.text, at)
	return &SyntaxError{Line: line, Column: column, Message: fmt.Sprintf(format, args...)}
}

func (r *reader) space() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\t', '\r', '\n':
			r.at++
		default:
			return
		}
	}
}

func (r *reader) value() (Node, error) {
	r.space()
	if r.at >= len(r.text) {
		return Node{}, r.fail(r.at, "the document ends too early")
	}
	start := r.at
	switch c := r.text[r.at]; {
	case c == '{' || c == '[':
		if r.depth++; r.depth > maxDepth {
			return Node{}, r.fail(start, "nested deeper than %d levels", maxDepth)
		}
		defer func() { r.depth-- }()
		if c == '{' {
			return r.object()
		}
		return r.array()
	case c == '"':
		s, err := r.string()
		return Node{Kind: StringNode, Pos: start, End: r.at, Text: s}, err
	case c == '-' || c >= '0' && c <= '9':
		return r.number()
	}
	for word, kind := range map[string]Kind{"true": BoolNode, "false": BoolNode, "null": NullNode} {
		if strings.HasPrefix(r.text[r.at:], word) {
			r.at += len(word)
			return Node{Kind: kind, Pos: start, End: r.at, Text: word}, nil
		}
	}
	c, _ := utf8.DecodeRuneInString(r.text[r.at:])
	return Node{}, r.fail(start, "unexpected %q, want a JSON value", c)
}

func (r *reader) object() (Node, error) {
	n := Node{Kind: ObjectNode, Pos: r.at}
	r.at++
	for {
		r.space()
		if len(n.Members) == 0 && r.peek('}') {
			break
		}
		keyPos := r.at
		if r.at >= len(r.text) || r.text[r.at] != '"' {
			return n, r.fail(r.at, "want a quoted name")
		}
		key, err := r.string()
		if err != nil {
			return n, err
		}
		if slices.ContainsFunc(n.Members, func(m Member) bool { return m.Key == key }) {
			return n, r.fail(keyPos, "duplicate key %q", key)
		}
		if r.space(); !r.peek(':') {
			return n, r.fail(r.at, "want ':' after %q", key)
		}
		v, err := r.value()
		if err != nil {
			return n, err
		}
		n.Members = append(n.Members, Member{key, keyPos, v})
		r.space()
		if r.peek(',') {
			continue
		}
		if r.peek('}') {
			break
		}
		return n, r.fail(r.at, "want ',' or '}' in an object")
	}
	n.End = r.at
	return n, nil
}

func (r *reader) array() (Node, error) {
	n := Node{Kind: ArrayNode, Pos: r.at}
	r.at++
	for {
		r.space()
		if len(n.Elems) == 0 && r.peek(']') {
			break
		}
		v, err := r.value()
		if err != nil {
			return n, err
		}
		n.Elems = append(n.Elems, v)
		r.space()
		if r.peek(',') {
			continue
		}
		if r.peek(']') {
			break
		}
		return n, r.fail(r.at, "want ',' or ']' in an array")
	}
	n.End = r.at
	return n, nil
}

// peek consumes c when it is next.
func (r *reader) peek(c byte) bool {
	if r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

func (r *reader) digits() bool {
	start := r.at
	for r.at < len(r.text) && r.text[r.at] >= '0' && r.text[r.at] <= '9' {
		r.at++
	}
	return r.at > start
}

func (r *reader) number() (Node, error) {
	start := r.at
	r.peek('-')
	first := r.at
	ok := r.digits() && (r.text[first] != '0' || r.at == first+1)
	if ok && r.peek('.') {
		ok = r.digits()
	}
	if ok && (r.peek('e') || r.peek('E')) {
		_ = r.peek('+') || r.peek('-')
		ok = r.digits()
	}
	if !ok {
		return Node{}, r.fail(start, "malformed number")
	}
	return Node{Kind: NumberNode, Pos: start, End: r.at, Text: r.text[start:r.at]}, nil
}

func (r *reader) string() (string, error) {
	start := r.at
	r.at++
	for i := r.at; i < len(r.text); i++ {
		switch c := r.text[i]; {
		case c == '"': // no escapes: share the text
			s := r.text[r.at:i]
			r.at = i + 1
			return s, nil
		case c < ' ':
			return "", r.fail(i, "control character in a string")
		case c == '\\':
			return r.escaped(start)
		}
	}
	return "", r.fail(start, "string without an end")
}

func (r *reader) escaped(start int) (string, error) {
	var b strings.Builder
	for r.at < len(r.text) {
		c := r.text[r.at]
		switch {
		case c == '"':
			r.at++
			return b.String(), nil
		case c < ' ':
			return "", r.fail(r.at, "control character in a string")
		case c != '\\':
			b.WriteByte(c)
			r.at++
			continue
		}
		if r.at+1 >= len(r.text) {
			break
		}
		at := r.at
		r.at += 2
		switch e := r.text[at+1]; e {
		case '"', '\\', '/':
			b.WriteByte(e)
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'u':
			c, ok := r.hex4()
			if ok && utf16.IsSurrogate(c) {
				ok = strings.HasPrefix(r.text[r.at:], `\u`)
				if ok {
					r.at += 2
					var low rune
					low, ok = r.hex4()
					c = utf16.DecodeRune(c, low)
					ok = ok && c != utf8.RuneError
				}
			}
			if !ok {
				return "", r.fail(at, "malformed \\u escape")
			}
			if c == 0 {
				return "", r.fail(at, "NUL character")
			}
			b.WriteRune(c)
		default:
			return "", r.fail(at, "unknown escape in a string")
		}
	}
	return "", r.fail(start, "string without an end")
}

func (r *reader) hex4() (rune, bool) {
	if r.at+4 > len(r.text) {
		return 0, false
	}
	v, err := strconv.ParseUint(r.text[r.at:r.at+4], 16, 16)
	if err != nil {
		return 0, false
	}
	r.at += 4
	return rune(v), true
}
