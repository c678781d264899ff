package errtext

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMessage bounds a message, in bytes.
const maxMessage = 500

var (
	// messageStarts are tried in this order. The code of the error, with a colon, comes
	// before the last one.
	messageStarts = []*regexp.Regexp{
		re(`when calling the \w+ operation(?: \([^)]*\))?: |api error [\w.]+: |` +
			`<Message>\s*|message: Some\("|[mM]essage["']?\s*(?:=>|[:=])\s*["']`),
		re(`(?:Exception|Error|Denied)\)?: `),
	}
	messageEnd = re(`</Message>| \((?:Service|AWS Error Code|request id)|` +
		`["'],? ?(?:caller|ts|time|[a-z_]+=)|["'] ?[,})]| status code: \d| at [\w.$<>]+ ?\(`)

	// bareRefusal is a message that is complete unless a reason follows.
	bareRefusal = re(`^(?i:access denied|forbidden)\b`)
	reasonNext  = re(`^\W*(?i:because|with an explicit deny)\b`)
	sentenceEnd = re(`[.?] `)

	// A line that was wrapped goes on with a lower-case word, or with a name or an ARN.
	wrappedNext = re(`^["'(]?(?:[a-z0-9]|[A-Z]+[a-z0-9]+[A-Z]|[A-Z]{2,})`)
)

// minWrap is the least width at which a program wraps text.
const minWrap = 60

// lineEnd is the end of a line in a text that was put on one line.
type lineEnd struct {
	at        int // offset of the blank that replaces it
	paragraph bool
}

// oneLine puts a text on one line, and returns where its lines ended.
func oneLine(s string) (string, []lineEnd) {
	var b strings.Builder
	var ends []lineEnd
	empty := false
	for line := range strings.SplitSeq(s, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 {
			empty = true
			continue
		}
		if b.Len() > 0 {
			ends = append(ends, lineEnd{b.Len(), empty})
			b.WriteByte(' ')
		}
		b.WriteString(strings.Join(words, " "))
		empty = false
	}
	return b.String(), ends
}

// message is the place of an error's message in a text on one line.
type message struct {
	text  string // bounded
	line  string // the message, from the beginning of its first line
	found bool   // the text marks the beginning of its message
}

// messageOf returns the message of an error, without the metadata and the remarks around it.
func messageOf(flat string, ends []lineEnd, code string) message {
	start, found := startOfMessage(flat, code)
	end := len(flat)
	if m := messageEnd.FindStringIndex(flat[start:]); m != nil {
		end = start + m[0]
	}
	first := 0
	if found {
		from := 0 // offset of the line
		for _, e := range ends {
			if e.at < start {
				first = e.at + 1
			} else if e.at < end && !continues(strings.TrimSpace(flat[start:e.at]), e.at-from, flat[e.at+1:end], e.paragraph) {
				end = e.at
				break
			}
			from = e.at + 1
		}
		end = start + len(withoutRemark(flat[start:end]))
	}
	m := message{text: withoutQuote(strings.TrimSpace(flat[start:end])), line: flat[first:end], found: found}
	if len(m.text) > maxMessage {
		m.text = strings.ToValidUTF8(m.text[:maxMessage], "") + "…"
	}
	return m
}

// startOfMessage returns the offset of the message, and reports whether the text marks it.
func startOfMessage(flat, code string) (int, bool) {
	if i := strings.Index(flat, "is not authorized to perform"); i >= 0 {
		if j := strings.LastIndex(flat[:i], "User"); j >= 0 {
			return j, true
		}
	}
	if m := messageStarts[0].FindStringIndex(flat); m != nil {
		return m[1], true
	}
	if code != "" {
		if i := strings.Index(flat, code+": "); i >= 0 {
			return i + len(code) + len(": "), true
		}
	}
	if m := messageStarts[1].FindStringIndex(flat); m != nil {
		return m[1], true
	}
	return 0, false
}

// continues reports whether a message goes on in the next line: the message is not
// complete, and the line has the look of one that a program wrapped.
func continues(soFar string, width int, next string, paragraph bool) bool {
	if soFar == "" {
		return true
	}
	if bareRefusal.MatchString(soFar) && len(strings.Fields(soFar)) <= 2 {
		return reasonNext.MatchString(next)
	}
	last, _ := utf8.DecodeLastRuneInString(soFar)
	if paragraph || strings.ContainsRune(".!?", last) {
		return false
	}
	word, _, _ := strings.Cut(next, " ")
	if unicode.IsPunct(last) && last != ')' && last != '"' && last != '\'' { // a colon, a comma: more follows
		return true
	}
	refusal := strings.HasPrefix(soFar, "User") && !ended.MatchString(soFar)
	return (refusal || width+1+len(word) > minWrap) && wrappedNext.MatchString(next)
}

// withoutRemark removes the text after a complete refusal on the same line.
func withoutRemark(s string) string {
	m := bareRefusal.FindString(s)
	if m == "" {
		return s
	}
	if !reasonNext.MatchString(s[len(m):]) {
		return m
	}
	return firstSentence(s)
}

// withoutQuote removes the quotation mark that ends a message and began before it.
func withoutQuote(s string) string {
	for _, mark := range []string{`"`, "'"} {
		if strings.HasSuffix(s, mark) && strings.Count(s, mark)%2 == 1 {
			return strings.TrimSuffix(s, mark)
		}
	}
	return s
}

// firstSentence returns the first sentence of a message.
func firstSentence(s string) string {
	if m := sentenceEnd.FindStringIndex(s); m != nil {
		return s[:m[0]+1]
	}
	return s
}
