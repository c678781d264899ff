package pattern

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// MaxDepth is the largest number of directories between the fixed beginning of a glob and
// a file that it selects.
const MaxDepth = 32

// MaxGlob is the longest glob, in bytes.
const MaxGlob = 1024

// meta are the characters that begin a wildcard.
const meta = `*?[{\`

// Glob is an absolute glob: '*' and '?' within a segment, "**" for any number of
// directories, [a-z], [^a-z] and {a,b}.
type Glob struct {
	text     string
	base     string   // the fixed beginning
	segments []string // below base; at least one
	rest     string   // segments, joined
}

// ParseGlob parses an absolute glob.
func ParseGlob(text string) (Glob, error) {
	switch {
	case text == "" || text[0] != '/':
		return Glob{}, errors.New("a glob must be an absolute path")
	case len(text) > MaxGlob:
		return Glob{}, fmt.Errorf("the glob has %d bytes; the limit is %d", len(text), MaxGlob)
	case strings.ContainsRune(text, 0):
		return Glob{}, errors.New("the glob has a zero byte")
	case !doublestar.ValidatePattern(text):
		return Glob{}, errors.New("the glob has an unclosed '[' or '{', or ends in a '\\'")
	}
	if err := noSlashInside(text); err != nil {
		return Glob{}, err
	}
	g := Glob{text: text, base: "/"}
	segments := strings.Split(text[1:], "/")
	for i, s := range segments {
		switch {
		case s == "":
			return Glob{}, errors.New("the glob has an empty segment")
		case s == "." || s == "..":
			return Glob{}, fmt.Errorf("the glob has the segment %q", s)
		case s != "**" && strings.Contains(s, "**"):
			return Glob{}, fmt.Errorf("%q: \"**\" must be a segment of its own", s)
		}
		if strings.ContainsAny(s, meta) || i == len(segments)-1 {
			g.segments = segments[i:]
			break
		}
		g.base = path.Join(g.base, s)
	}
	if g.segments[len(g.segments)-1] == "**" {
		return Glob{}, errors.New("the glob ends in \"**\": write \"**/*\" for every file")
	}
	g.rest = strings.Join(g.segments, "/")
	return g, nil
}

// noSlashInside refuses a '/' inside brackets: the glob is compared segment by segment.
func noSlashInside(text string) error {
	braces, class := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
			if i < len(text) && text[i] == '/' {
				return errors.New("the glob has an escaped '/'")
			}
		case class:
			if c == '/' {
				return errors.New("the glob has a '/' inside [ ]")
			}
			class = c != ']'
		case c == '[':
			class = true
		case c == '{':
			braces++
		case c == '}':
			braces--
		case c == '/' && braces > 0:
			return errors.New("the glob has a '/' inside { }: write two globs")
		}
	}
	return nil
}

// String returns the glob as it was written.
func (g Glob) String() string { return g.text }

// Base returns the fixed beginning: the longest directory without a wildcard.
func (g Glob) Base() string { return g.base }

// Match reports whether the glob selects the file rel, a path relative to Base.
func (g Glob) Match(rel string) bool {
	return strings.Count(rel, "/") <= MaxDepth && doublestar.MatchUnvalidated(g.rest, rel)
}

// Enter reports whether a file below the directory rel, relative to Base, may be selected.
// The beginning itself is "".
func (g Glob) Enter(rel string) bool {
	if rel == "" {
		return true
	}
	dirs := strings.Split(rel, "/")
	if len(dirs) > MaxDepth {
		return false
	}
	for i, d := range dirs {
		switch {
		case i >= len(g.segments)-1:
			return false
		case g.segments[i] == "**":
			return true
		case !doublestar.MatchUnvalidated(g.segments[i], d):
			return false
		}
	}
	return true
}

// Exclusion is a glob of files and directories to leave out. One that begins with '/' is
// compared with the absolute path; any other one with the path without its first '/', so
// that it usually begins with "**/".
type Exclusion struct{ text string }

// ParseExclusion parses a glob of an exclude list.
func ParseExclusion(text string) (Exclusion, error) {
	switch {
	case text == "":
		return Exclusion{}, errors.New("the glob is empty")
	case len(text) > MaxGlob:
		return Exclusion{}, fmt.Errorf("the glob has %d bytes; the limit is %d", len(text), MaxGlob)
	case !doublestar.ValidatePattern(text):
		return Exclusion{}, errors.New("the glob has an unclosed '[' or '{', or ends in a '\\'")
	case text[0] != '/' && !strings.HasPrefix(text, "**/"):
		return Exclusion{}, errors.New("the glob matches no absolute path")
	}
	return Exclusion{text: strings.TrimPrefix(text, "/")}, nil
}

// Match reports whether the absolute path is left out.
func (e Exclusion) Match(absolute string) bool {
	return doublestar.MatchUnvalidated(e.text, strings.TrimPrefix(absolute, "/"))
}
