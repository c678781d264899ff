package iampolicy

import (
	"strings"
	"unicode/utf8"
)

// A compiled pattern is text in which the wildcards are bytes that no UTF-8
// text contains, so that a literal '*' (from an escape or a variable) and a
// wildcard cannot be confused.
const (
	anyRun = '\xff' // '*'
	anyOne = '\xfe' // '?'
)

// compileGlob turns '*' and '?' into wildcards.
func compileGlob(s string) string {
	if !strings.ContainsAny(s, "*?") {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		switch c {
		case '*':
			b[i] = anyRun
		case '?':
			b[i] = anyOne
		}
	}
	return string(b)
}

// hasWildcard says whether a compiled pattern or a value holds a wildcard byte.
func hasWildcard(s string) bool {
	return strings.IndexByte(s, anyRun) >= 0 || strings.IndexByte(s, anyOne) >= 0
}

// glob matches s with a compiled pattern. '?' is one character, '*' is any
// number of them, none included. Worst case len(pattern)*len(s), no recursion.
func glob(pattern, s string) bool {
	p, i := 0, 0
	star, mark := -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == anyRun:
			if p == len(pattern)-1 {
				return true
			}
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == anyOne:
			_, n := utf8.DecodeRuneInString(s[i:])
			i += n
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			_, n := utf8.DecodeRuneInString(s[mark:])
			mark += n
			i = mark
			p = star + 1
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == anyRun {
		p++
	}
	return p == len(pattern)
}
