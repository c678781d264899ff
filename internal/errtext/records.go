package errtext

import (
	"regexp"
	"slices"
	"strings"
)

// recordStart matches the first line of a log record or of a tool's message. Other lines
// continue the record before them: stack traces, wrapped lines, pretty-printed fields.
var recordStart = regexp.MustCompile(`^(?:` +
	`\[?\d{4}[-/]\d\d[-/]\d\d[T ]|` + // a date
	`\[\d{4}/|` +
	`[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d |` + // syslog
	`\d\d:\d\d:\d\d[.,]?\d*[ \]]|` +
	`(?:ts|time|level|timestamp)=|` + // logfmt
	`(?:ERROR|WARN|WARNING|INFO|FATAL|DEBUG|CRITICAL)\b|` +
	`##\[|` + // GitHub Actions
	`\[(?:ERROR|WARN|error|warn)|` +
	`An error occurred|upload failed|download failed|fatal error|copy failed|delete failed|brokerctl:|Error: |│ Error: |╷|` +
	`aws: \[ERROR\]|` +
	`\{|<\?xml|<Error>|` +
	`Exception in thread|Traceback \(most recent call last\)|Uncaught |User: |` +
	`(?:KMS\.)?(?:` + strings.Join(knownCodes(), "|") + `): ` +
	`)`)

// chained matches the lines after which a traceback goes on about the same failure.
var chained = regexp.MustCompile(`^(?:During handling of the above exception|The above exception was the direct cause|` +
	`Caused by:|\s*Suppressed:)`)

// maxHeaders bounds the lines between a status line and its body.
const maxHeaders = 40

// expectsMore reports whether a record goes on in the next line: its last line ends in a
// colon, or is the declaration of an XML document. The body of an HTTP answer follows its
// status line and headers.
func expectsMore(record []string, next string) bool {
	if len(record) == 0 {
		return false
	}
	if strings.HasPrefix(next, "<?xml") || strings.HasPrefix(next, "<Error>") {
		if slices.ContainsFunc(record[max(0, len(record)-maxHeaders):], statusLine.MatchString) {
			return true
		}
	}
	last := strings.TrimRight(record[len(record)-1], " \t")
	return strings.HasSuffix(last, ":") || strings.HasPrefix(last, "<?xml") && strings.HasSuffix(last, "?>")
}

// records splits text into the records of a log.
func records(text string) []string {
	var out []string
	var current []string
	joins := false // the next traceback belongs to the failure before it
	flush := func() {
		if record := strings.TrimSpace(strings.Join(current, "\n")); record != "" {
			out = append(out, record)
		}
		current = nil
	}
	depth := 0 // of braces in pretty-printed JSON
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case chained.MatchString(line):
			joins = true
		case depth == 0 && recordStart.MatchString(line) && !expectsMore(current, line):
			if !joins || !strings.HasPrefix(line, "Traceback") {
				flush()
			}
			joins = false
		}
		if depth > 0 || strings.HasPrefix(line, "{") || strings.HasPrefix(line, "[{") || line == "[" {
			depth = max(0, depth+strings.Count(line, "{")-strings.Count(line, "}"))
		}
		current = append(current, line)
	}
	flush()
	return out
}
