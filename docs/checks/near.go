package checks

import (
	"regexp"
	"slices"
	"strings"
)

// short is a code as people write it: "kms-10", "BRK_KMS_010", "kms10".
var short = regexp.MustCompile(`^(?:BRK[-_ ]?)?([A-Z][A-Z0-9]*?)[-_ ]?([0-9]{1,3})$`)

// Normalize turns a code as people write it into the form of the pages. A text that
// is no code comes back in upper case.
func Normalize(s string) string {
	s = strings.ToUpper(strings.TrimSpace(s))
	m := short.FindStringSubmatch(s)
	if m == nil {
		return s
	}
	// S3 ends in a digit of its own: "S3-1" is its code 001; "S31" is ambiguous.
	return "BRK-" + m[1] + "-" + strings.Repeat("0", 3-len(m[2])) + m[2]
}

// mostNear is how many codes are worth reading.
const mostNear = 5

// Near lists the codes that a word which is no code may mean, the likeliest
// first, at most five: those that differ by a slip, those of the family, and
// those whose title holds the word.
func Near(word string) []string {
	want := Normalize(word)
	type candidate struct {
		code  string
		score int
	}
	var found []candidate
	family := familyOf(want)
	for _, code := range Codes() {
		switch d := distance(want, code); {
		case d <= 2:
			found = append(found, candidate{code, d})
		case family != "" && family == familyOf(code):
			found = append(found, candidate{code, 10 + d})
		case len(word) > 2 && strings.Contains(strings.ToUpper(Title(code)), strings.ToUpper(strings.TrimSpace(word))):
			found = append(found, candidate{code, 20})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.score - b.score })
	var out []string
	for _, c := range found[:min(len(found), mostNear)] {
		out = append(out, c.code)
	}
	return out
}

// familyOf is the middle of a code: KMS of BRK-KMS-010, and of KMS alone.
func familyOf(code string) string {
	parts := strings.Split(strings.TrimPrefix(code, "BRK-"), "-")
	return parts[0]
}

// distance counts insertions, deletions and substitutions. Codes are short; long
// input is cut, for it is no slip of one.
func distance(a, b string) int {
	a, b = a[:min(len(a), 32)], b[:min(len(b), 32)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
