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
	return withoutTags(unmark(printable(text)))
}

// printable removes the characters that a terminal obeys and does not show. Line ends and
// tabs stay.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return -1
		}
		return r
	}, text)
}

var (
	inlineTag = regexp.MustCompile(`</?(?:code|pre|b|i|em|strong|span|tt|kbd|samp|a|font)(?: [^<>\n]{0,300})?>`)
	blockTag  = regexp.MustCompile(`</?(?:p|br|div|li|ul|blockquote)(?: [^<>\n]{0,300})?/?>`)
)

// withoutTags removes the tags of HTML that surround words and lines, and the marks of
// Markdown's code around the parts of a refusal. The tags of S3's XML begin with a capital
// letter.
func withoutTags(text string) string {
	if strings.Contains(text, "is not authorized") {
		text = strings.ReplaceAll(text, "`", "") // Markdown's code
	}
	if !strings.Contains(text, "<") {
		return text
	}
	return blockTag.ReplaceAllString(inlineTag.ReplaceAllString(text, ""), "\n")
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
	return withoutTags(printable(s))
}

var (
	lineEnds   = strings.NewReplacer("\n", "", "\r", "", "\t", "", "\u2028", "", "\u2029", "")
	identifier = regexp.MustCompile(`^[\w.:*/-]*`)
)

// singleLine removes line ends from the fields of an error: each is one line of a report,
// and a JSON string or an escape can hold more. Names end where they stop to be names.
func (e *Error) singleLine() {
	for _, name := range []*string{&e.Code, &e.Service, &e.Operation, &e.RequestID, &e.Denial.Action} {
		*name = identifier.FindString(*name)
	}
	for _, field := range []*string{
		&e.Message, &e.Denial.Principal, &e.Denial.Resource, &e.Denial.PolicyARN, &e.CallerAccount, &e.OwnerAccount, &e.Bucket, &e.Role,
	} {
		*field = lineEnds.Replace(*field)
	}
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
