package render

import "strings"

// Width is the length of a line of prose.
const Width = 94

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

// Wrap breaks text at spaces. A word without spaces, such as an ARN, stays whole;
// indented lines and lines of JSON are not changed.
func Wrap(text string, width int) string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "{") || strings.HasPrefix(line, "}") {
			out = append(out, line)
			continue
		}
		cur := ""
		for word := range strings.FieldsSeq(line) {
			if cur != "" && len(cur)+1+len(word) > width {
				out = append(out, cur)
				cur = ""
			}
			if cur != "" {
				cur += " "
			}
			cur += word
		}
		out = append(out, cur)
	}
	return strings.Join(out, "\n")
}
