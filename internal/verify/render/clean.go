package render

import (
	"strings"
	"unicode"
)

// clean drops what no form should pass on: characters that steer a terminal, turn
// text around, or that XML 1.0 cannot hold. What AWS answers, and what a policy
// holds, is another's text.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), r == unicode.ReplacementChar, r == 0xFFFE, r == 0xFFFF:
			return -1
		case r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069: // bidirectional controls
			return -1
		}
		return r
	}, s)
}
