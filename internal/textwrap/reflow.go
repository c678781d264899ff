package textwrap

import (
	"regexp"
	"strings"
)

// item matches the mark of a list item, or the term of a definition, which two spaces end.
var item = regexp.MustCompile(`^ {0,3}([-*]|[0-9]+\.) |^ {2,4}[^ ]+(?: [^ ]+)* {2,}`)

// continues reports whether a line belongs to the list item that begins with first: it is
// indented as the text of the item is.
func continues(first, line string) bool {
	mark := item.FindString(first)
	return mark != "" && line != "" && strings.HasPrefix(line, strings.Repeat(" ", min(len(mark), 12)))
}

// Reflow fills the paragraphs of a text, whose lines were broken for another width. List
// items and definitions are filled, with their mark or term in front. Tables, quotes, other
// indented lines and fenced code are not changed.
func Reflow(text string, width int) string {
	var out, paragraph []string
	fenced := false
	flush := func() {
		if len(paragraph) > 0 {
			line := strings.Join(paragraph, " ")
			mark := item.FindString(line)
			rest := strings.Repeat(" ", len(mark))
			out = append(out, fill(line[len(mark):], width, mark, rest)...)
		}
		paragraph = nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence || fenced:
			flush()
			fenced = fenced != fence
			out = append(out, line)
		case item.MatchString(line):
			flush()
			paragraph = []string{line}
		case len(paragraph) > 0 && continues(paragraph[0], line):
			paragraph = append(paragraph, strings.TrimSpace(line))
		case strings.HasPrefix(line, "#"):
			flush()
			out = append(out, fill(line, width, "", "  ")...)
		case line == "" || strings.ContainsAny(line[:1], " |>"):
			flush()
			out = append(out, line)
		default:
			paragraph = append(paragraph, line)
		}
	}
	flush()
	return strings.Join(out, "\n")
}
