package config

import "fmt"

// The parser needs memory and time that grow with the square of what these limits
// bound: 400 kB of "- " took 6 GB. No valid configuration comes near them.
const (
	maxNesting = 64       // open flow brackets; the schema needs five levels
	maxBlocks  = 16       // block indicators ("- ", "? ") at the beginning of a line
	maxItems   = 10_000   // block indicators of the file
	maxIndent  = 256      // columns
	maxLine    = 16 << 10 // bytes
)

// misshapen returns the first place at which the file exceeds a limit of the parser's
// input, and the problem; "" when there is none. It knows no YAML: it counts brackets and
// indicators in text and comments as well.
func misshapen(data []byte) (line, column int, problem string) {
	line = 1
	depth, items, blocks := 0, 0, 0
	leading, indent := true, 0 // only blanks and indicators so far
	for i, b := range data {
		column++
		if b == '\n' {
			line, column, blocks, leading, indent = line+1, 0, 0, true, 0
			continue
		}
		if leading {
			switch {
			case b == ' ' || b == '\t':
				indent++
			case (b == '-' || b == '?') && endsWord(data, i+1):
				blocks, items, indent = blocks+1, items+1, indent+1
			default:
				leading = false
			}
		}
		switch b {
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
		}
		switch {
		case depth > maxNesting:
			return line, column, fmt.Sprintf("brackets are nested more than %d deep", maxNesting)
		case blocks > maxBlocks:
			return line, column, fmt.Sprintf("a line begins with more than %d list or key indicators (- or ?)", maxBlocks)
		case items > maxItems:
			return line, column, fmt.Sprintf("the file has more than %d list items", maxItems)
		case leading && indent > maxIndent:
			return line, column, fmt.Sprintf("a line is indented by more than %d columns", maxIndent)
		case column > maxLine:
			return line, column, fmt.Sprintf("a line is longer than %d bytes", maxLine)
		}
	}
	return 0, 0, ""
}

// endsWord reports whether a word ends before data[i].
func endsWord(data []byte, i int) bool {
	return i >= len(data) || data[i] == ' ' || data[i] == '\t' || data[i] == '\n' || data[i] == '\r'
}
