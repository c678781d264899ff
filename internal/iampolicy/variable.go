package iampolicy

import "strings"

// tri is a truth value that may be unknown.
type tri int8

const (
	no tri = iota
	maybe
	yes
)

func truth(b bool) tri {
	if b {
		return yes
	}
	return no
}

func (t tri) not() tri { return yes - t }

// template is policy text with variables. Without variables, pieces is nil and
// text is the whole of it.
type template struct {
	text   string
	pieces []piece
}

// piece is literal text, or a variable when key is set.
type piece struct {
	text     string
	key      string
	fallback *string
}

// compileTemplate reads text. Variables are read only when vars is set: a
// document without Version 2012-10-17 has none. Wildcards become wildcard bytes
// when globs is set. A "${" that is no variable stands for itself.
func compileTemplate(s string, vars, globs bool) template {
	compile := func(s string) string {
		if globs {
			return compileGlob(s)
		}
		return s
	}
	if !vars || !strings.Contains(s, "${") {
		return template{text: compile(s)}
	}
	var pieces []piece
	var lit strings.Builder
	for {
		before, after, found := strings.Cut(s, "${")
		lit.WriteString(compile(before))
		if !found {
			break
		}
		body, rest, closed := strings.Cut(after, "}")
		if !closed {
			lit.WriteString("${" + compile(after))
			break
		}
		s = rest
		switch body {
		case "*", "?", "$":
			lit.WriteString(body)
			continue
		}
		key, fallback, ok := parseVariable(body)
		if !ok {
			lit.WriteString("${" + compile(body) + "}")
			continue
		}
		if lit.Len() > 0 {
			pieces = append(pieces, piece{text: lit.String()})
			lit.Reset()
		}
		pieces = append(pieces, piece{key: key, fallback: fallback})
	}
	if pieces == nil {
		return template{text: lit.String()}
	}
	if lit.Len() > 0 {
		pieces = append(pieces, piece{text: lit.String()})
	}
	return template{pieces: pieces}
}

// parseVariable reads "key" or "key, 'default'".
func parseVariable(body string) (key string, fallback *string, ok bool) {
	key, rest, found := strings.Cut(body, ",")
	key = strings.TrimSpace(key)
	if key == "" || strings.ContainsAny(key, "*?$ '\"") {
		return "", nil, false
	}
	if found {
		rest = strings.TrimSpace(rest)
		if len(rest) < 2 || rest[0] != '\'' || rest[len(rest)-1] != '\'' {
			return "", nil, false
		}
		text := rest[1 : len(rest)-1]
		fallback = &text
	}
	return lookupKey(key), fallback, true
}

// resolve fills the variables in. The answer no means that the text can match
// nothing: a variable without value or with an empty one, with several values, or
// with one that cannot be told from a wildcard (IAM User Guide,
// reference_policies_variables.html, "Policy variables with no value").
func (t *template) resolve(c *requestContext) (string, tri) {
	if t.pieces == nil {
		return t.text, yes
	}
	var b strings.Builder
	known := yes
	for i := range t.pieces {
		p := &t.pieces[i]
		if p.key == "" {
			b.WriteString(p.text)
			continue
		}
		values, state := c.lookup(p.key)
		switch {
		case state == keyUnknown:
			known = maybe
		case state == keyPresent && len(values) == 1 && values[0] != "" && !hasWildcard(values[0]):
			b.WriteString(values[0])
		case (state == keyAbsent || len(values) == 0 || len(values) == 1 && values[0] == "") && p.fallback != nil:
			b.WriteString(*p.fallback)
		default:
			return "", no
		}
	}
	return b.String(), known
}
