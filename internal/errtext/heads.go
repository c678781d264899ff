package errtext

import (
	"regexp"
	"strings"
)

// head matches the beginning of one error in a record. Each alternative is local, so that
// a long record is read in linear time.
var head = regexp.MustCompile(strings.Join([]string{
	`An\serror\soccurred\s\([\w.]{1,80}\)\swhen\scalling\sthe\s\w{1,80}\soperation(?:\s\([^)\n]{1,80}\))?:\s`,
	`operation error [\w ]{1,60}: \w{1,80},`,
	`<Code>`,
	`[a-z]\w*\.[\w.]*[A-Z]\w*(?:Exception|Error): `,
	`\b(?:KMS\.)?(?:` + strings.Join(knownCodes(), "|") + `):\s?`,
	`code: Some\(`,
	`"__type"`,
	`User: `,
	`User is not authorized to perform: `,
	`Not authorized to perform:? sts:`,
	`The ciphertext refers to a customer master key`,
}, "|"))

// The reach of a head, in bytes: to the code of an SDK's error, and to the end of a principal.
const (
	codeReach      = 1500
	principalReach = 500
)

// extend returns the end of a head that begins at start: an operation's error goes on to
// its code, and a refusal to its action. It reports false for a head that is none.
func extend(record string, start, end int) (int, bool) {
	switch {
	case strings.HasPrefix(record[start:], "User: "):
		const verb = " is not authorized to perform: "
		i := strings.Index(record[end:min(len(record), end+principalReach)], verb)
		return end + i + len(verb), i >= 0
	case strings.HasPrefix(record[start:], "operation error "):
		window := record[end:min(len(record), end+codeReach)]
		if i := strings.Index(window, "operation error "); i >= 0 {
			window = window[:i]
		}
		if _, after, ok := strings.Cut(window, "api error "); ok {
			if code, _, ok := strings.Cut(after, ": "); ok && len(code) <= 80 && !strings.ContainsAny(code, " \n") {
				return end + strings.Index(window, "api error ") + len("api error ") + len(code) + 2, true
			}
		}
	}
	return end, true
}

// segments splits a record into parts that hold one error each.
func segments(record string) []string {
	var starts []int
	end := -1
	for at := 0; at < len(record); {
		m := head.FindStringIndex(record[at:])
		if m == nil {
			break
		}
		start := at + m[0]
		stop, ok := extend(record, start, at+m[1])
		at = max(stop, at+m[1])
		if !ok {
			at = start + len("User")
			continue
		}
		// A head whose message begins with another head is one error with it.
		if end < 0 || strings.TrimLeft(record[end:start], " \n\t\"'>-") != "" {
			starts = append(starts, start)
		}
		end = at
	}
	if len(starts) < 2 {
		return []string{record}
	}
	starts[0] = 0 // text before the first head names operations and buckets
	var out []string
	for i, s := range starts {
		stop := len(record)
		if i+1 < len(starts) {
			stop = starts[i+1]
		}
		part := record[s:stop]
		if n := len(out); n > 0 && len(out[n-1]) < maxSegment && (hasOnlyCode(out[n-1]) || wrapper.MatchString(out[n-1])) {
			out[n-1] += part
			continue
		}
		out = append(out, part)
	}
	return out
}

var onlyCode = regexp.MustCompile(`(?s)(?:<Code>\s*[\w.]+\s*</Code>\s*<Message>|` +
	`code: Some\("[\w.]+"\), message: Some\("|"__type".{0,120})\s*$`)

// wrapper matches an error of boto3 that holds the error of AWS.
var wrapper = regexp.MustCompile(`^\S{0,40}S3UploadFailedError: Failed to upload [^\n]{1,600}: $`)

// hasOnlyCode reports whether a part ends before the message of its error. An operation's
// error without a code goes on as well: an inner operation failed.
func hasOnlyCode(part string) bool {
	tail := part[max(0, len(part)-codeReach):]
	if i := strings.LastIndex(tail, "operation error "); i >= 0 && !strings.Contains(tail[i:], "api error ") && len(tail)-i < codeReach {
		return true
	}
	tail = part[max(0, len(part)-300):]
	return strings.ContainsAny(tail, "_<(") && onlyCode.MatchString(tail)
}
