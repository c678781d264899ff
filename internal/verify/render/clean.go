package render

import (
	"strings"
	"unicode"
)

// clean drops control characters, bidirectional controls, and characters that XML
// 1.0 cannot hold. Text from AWS and from policies is not trusted.
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
