package errtext

import (
	"html"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxText bounds the text that is read, in bytes.
const MaxText = 1 << 20

var (
	ansi       = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)
	escapedESC = regexp.MustCompile(`\\u001[bB]`)
)

// clean removes terminal escapes and carriage returns, and bounds the text.
func clean(text string) string {
	if len(text) > MaxText {
		text = strings.ToValidUTF8(text[:MaxText], "")
	}
	text = ansi.ReplaceAllString(strings.ToValidUTF8(text, ""), "")
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	return printable(unquote(text))
}

// printable removes the characters that a terminal obeys and does not show. Line ends and
// tabs stay.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, text)
}

var quotes = regexp.MustCompile(`(?m)^(?:> ?)+`)

// unquote removes the marks of a quoted mail. It changes a text only if each of its lines
// that is not empty has one.
func unquote(text string) string {
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" && line[0] != '>' {
			return text
		}
	}
	return quotes.ReplaceAllString(text, "")
}

// unescapes is how often an error can be quoted inside a quoted string.
const unescapes = 4

// unescape removes the escapes of JSON, of %q and of HTML, at any depth, and the doubled
// quotes of CSV. A character that a terminal obeys does not come out of an escape.
func unescape(s string) string {
	if strings.Contains(s, `: ""arn:`) {
		s = strings.ReplaceAll(s, `""`, `"`)
	}
	for range unescapes {
		s = ansi.ReplaceAllString(escapedESC.ReplaceAllString(s, "\x1b"), "") // colours inside JSON
		next := html.UnescapeString(unescapeOnce(s))
		if next == s {
			break
		}
		s = next
	}
	return printable(s)
}

func unescapeOnce(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n', 'r':
			b.WriteByte('\n')
		case 't':
			b.WriteByte(' ')
		case 'u':
			if i+4 < len(s) {
				if r, err := strconv.ParseUint(s[i+1:i+5], 16, 16); err == nil && utf8.ValidRune(rune(r)) {
					b.WriteRune(rune(r))
					i += 4
					continue
				}
			}
			b.WriteByte('u')
		default: // a quote, a backslash, a slash, a line that continues
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// terminalWidths are common widths at which a terminal breaks a line that is copied.
var terminalWidths = map[int]bool{80: true, 100: true, 120: true, 132: true, 140: true, 160: true, 200: true}

// rejoin joins the lines of a record that a terminal broke at its width, also inside an
// ARN. A terminal breaks at one width only; text that was wrapped at spaces is left alone.
func rejoin(record string) string {
	lines := strings.Split(record, "\n")
	if len(lines) < 2 {
		return record
	}
	width := utf8.RuneCountInString(lines[0])
	for _, l := range lines[:len(lines)-1] {
		if utf8.RuneCountInString(l) != width {
			return record
		}
	}
	if width < 40 || utf8.RuneCountInString(lines[len(lines)-1]) > width || len(lines) == 2 && !terminalWidths[width] {
		return record
	}
	return strings.Join(lines, "")
}
