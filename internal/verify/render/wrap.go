package render

import "strings"

// Width is how long lines of prose are.
const Width = 94

// Indent puts by in front of every line that holds something.
func Indent(text, by string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = by + line
		}
	}
	return strings.Join(lines, "\n")
}

// Wrap breaks text at spaces; what has none, such as an ARN, stays whole. Lines
// that are indented, and those of JSON, keep their form.
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
