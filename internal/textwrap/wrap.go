package textwrap

import (
	"regexp"
	"strings"

	"github.com/rivo/uniseg"
)

// colour matches the escape sequences that colour text.
var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

// Columns returns the number of columns that a terminal needs for one line.
func Columns(line string) int { return uniseg.StringWidth(colour.ReplaceAllString(line, "")) }

// Indent puts by in front of every line that is not empty.
func Indent(text, by string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = by + line
		}
	}
	return strings.Join(lines, "\n")
}

// Wrap breaks the lines of text at spaces. Indented lines and lines of JSON are not
// changed.
func Wrap(text string, width int) string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "{") || strings.HasPrefix(line, "}") {
			out = append(out, line)
			continue
		}
		out = append(out, fill(line, width, "", "")...)
	}
	return strings.Join(out, "\n")
}

// Hang breaks the lines of text that are too long, and indents the rest of a line by two
// columns more than its begin. A width of 0 is unlimited.
func Hang(text string, width int) string {
	if width <= 0 {
		return text
	}
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		if Columns(line) <= width {
			out = append(out, line)
			continue
		}
		margin := line[:len(line)-len(strings.TrimLeft(line, " "))]
		out = append(out, fill(line, width, margin, margin+"  ")...)
	}
	return strings.Join(out, "\n")
}

// fill breaks one line. The runs of spaces between its words stay as they are.
func fill(line string, width int, first, rest string) (lines []string) {
	current, at, gap := first, Columns(first), ""
	empty := true
	for _, w := range words(line) {
		if strings.TrimLeft(w, " ") == "" {
			gap = w
			continue
		}
		if n := Columns(w); !empty && at+len(gap)+n > width {
			lines = append(lines, current)
			current, at, empty = rest, Columns(rest), true
		}
		if empty {
			gap = ""
		}
		current += gap + w
		at += len(gap) + Columns(w)
		gap, empty = "", false
	}
	return append(lines, current)
}

// token matches a run of spaces, or a word. A command between backquotes is one word with
// the characters that touch it.
var token = regexp.MustCompile("[ \t]+|(?:`brokerctl [^`\n]*`|`[^`\n]{1,40}`|[^ \t])+")

func words(line string) []string { return token.FindAllString(line, -1) }

// Cut shortens a line that is too wide, and ends it with "…". It is for text without
// colours.
func Cut(line string, width int) string {
	if width <= 0 || Columns(line) <= width {
		return line
	}
	var b strings.Builder
	at := 0
	for g := uniseg.NewGraphemes(line); g.Next(); {
		if at+g.Width() > width-1 {
			break
		}
		at += g.Width()
		b.WriteString(g.Str())
	}
	return b.String() + "…"
}
