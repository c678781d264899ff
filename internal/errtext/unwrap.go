package errtext

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/brokerd/brokerd/internal/awserr"
)

// The marks that tools put before each line.
var (
	// transportTime is the time that GitHub Actions, and `kubectl logs --timestamps`, put
	// before each line of a program's output.
	transportTime = re(`(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7,9}Z(?: |$)`)
	lineTime      = re(`^\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]? `)
	quoteMarks    = re(`^(?:> ?)+`)
	boxMarks      = re(`^[│╷╵] ?`)
	pipeMark      = re(`^\|(?: |$)`)
)

// unmark removes the marks that a tool puts before each line, and joins the lines that it
// wrapped.
func unmark(text string) string {
	return unbox(unquote(untime(transportTime.ReplaceAllString(text, ""))))
}

// untime removes the time before a line that continues the refusal in the line before it.
func untime(text string) string {
	if !strings.Contains(text, "User:") || !strings.Contains(text, "\n") {
		return text
	}
	var out []string
	refusal := "" // of the lines so far, if it has no end yet
	for line := range strings.SplitSeq(text, "\n") {
		stamp := lineTime.FindString(line)
		rest := line[len(stamp):]
		if refusal != "" && stamp != "" && wrappedNext.MatchString(rest) && !recordStart.MatchString(rest) {
			refusal += " " + strings.TrimSpace(rest)
			out = append(out, rest)
		} else {
			refusal = strings.TrimSpace(rest)
			out = append(out, line)
		}
		if i := strings.LastIndex(refusal, "User:"); i < 0 || ended.MatchString(refusal[i:]) || len(refusal)-i > codeReach {
			refusal = ""
		}
	}
	return strings.Join(out, "\n")
}

// ended matches a refusal with its reason.
var ended = re(`allows? the \S+ action|with an explicit deny in an? [\w -]*(?:policy|boundary)|explicitly denies access`)

// unquote removes the marks of a quoted mail. A quotation and the reply to it are
// paragraphs of their own.
func unquote(text string) string {
	if !strings.Contains(text, ">") {
		return text
	}
	return marked(text, quoteMarks, func(lines []string) []string { return lines })
}

// unbox removes the marks of Terraform's box around a message, and joins its wrapped lines.
func unbox(text string) string {
	if strings.ContainsAny(text, "│╷╵") {
		text = marked(text, boxMarks, unwrap)
	}
	if strings.Contains(text, "| ") {
		text = marked(text, pipeMark, unwrap)
	}
	return text
}

// marked removes the marks of adjacent lines that have one, and calls change for the lines.
func marked(text string, marks *regexp.Regexp, change func([]string) []string) string {
	var out, run []string
	flush := func() {
		if len(run) > 0 {
			out = append(append(append(out, ""), change(run)...), "")
		}
		run = nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		mark := marks.FindString(line)
		if mark == "" || strings.HasPrefix(mark, "|") && strings.HasSuffix(line, " |") { // a table is no box
			flush()
			out = append(out, line)
			continue
		}
		run = append(run, line[len(mark):])
	}
	flush()
	return strings.Join(out, "\n")
}

// unwrap joins the lines of each paragraph in a box. Lines with an indent are code. Only
// "Error: " begins a record: a blank before other paragraphs keeps them in it.
func unwrap(lines []string) []string {
	var out, paragraph []string
	flush := func() {
		if len(paragraph) > 0 {
			joined := joinWrapped(paragraph)
			if !strings.HasPrefix(joined, "Error: ") {
				joined = " " + joined
			}
			out = append(out, joined)
		}
		paragraph = nil
	}
	for _, line := range lines {
		switch {
		case strings.TrimSpace(line) == "", strings.HasPrefix(line, "  "):
			flush()
			out = append(out, line)
			continue
		case strings.HasPrefix(line, "Error: "):
			flush()
		}
		paragraph = append(paragraph, line)
	}
	flush()
	return out
}

// markWidth is the width of "│ " before each line.
const markWidth = 2

// joinWrapped joins the lines of a paragraph: without a blank if a terminal broke them at
// its width, with a blank if a program broke them between words.
func joinWrapped(lines []string) string {
	words := strings.Join(lines, " ")
	width := utf8.RuneCountInString(lines[0])
	for _, l := range lines[:len(lines)-1] {
		width = max(width, utf8.RuneCountInString(l))
	}
	var broken strings.Builder
	for i, l := range lines {
		broken.WriteString(l)
		n := utf8.RuneCountInString(l)
		if i == len(lines)-1 {
			if n > width {
				return words
			}
			break
		}
		if n == width-1 { // the blank at the end of the line is not copied
			broken.WriteByte(' ')
		} else if n != width {
			return words
		}
	}
	if !terminalWidths[width] && !terminalWidths[width+markWidth] && len(lines) == 2 {
		return words
	}
	if named(words) && !named(broken.String()) {
		return words
	}
	return broken.String()
}

// named reports whether a text is a refusal that names its policy.
func named(text string) bool {
	d, _ := denialOf(text)
	return d.Layer != awserr.LayerUnknown
}
