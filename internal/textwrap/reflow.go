package textwrap

import (
	"regexp"
	"strings"
)

// item matches the mark of a list item.
var item = regexp.MustCompile(`^ {0,3}([-*]|[0-9]+\.) `)

// Reflow fills the paragraphs of a text, whose lines were broken for another width. List
// items are filled, with their mark in front. Headings, tables, quotes, indented lines and
// fenced code are not changed.
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
		case len(paragraph) > 0 && item.MatchString(paragraph[0]) && strings.HasPrefix(line, "  "):
			paragraph = append(paragraph, strings.TrimSpace(line))
		case line == "" || strings.ContainsAny(line[:1], " #|>"):
			flush()
			out = append(out, line)
		default:
			paragraph = append(paragraph, line)
		}
	}
	flush()
	return strings.Join(out, "\n")
}
