package console

import (
	"slices"
	"strings"
)

// Nearest returns the words that a mistyped one probably stands for, the nearest first:
// those with at most two wrong letters, and those that it begins.
func Nearest(wrong string, words []string) []string {
	type candidate struct {
		word string
		at   int
	}
	var found []candidate
	wrong = strings.ToLower(wrong)
	for _, word := range words {
		d := distance(wrong, strings.ToLower(word))
		// Two wrong letters of three say nothing about the word.
		if d <= 2 && d < len(word)/2+1 || len(wrong) > 1 && strings.HasPrefix(strings.ToLower(word), wrong) {
			found = append(found, candidate{word, d})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.at - b.at })
	var out []string
	for _, c := range found[:min(len(found), 3)] {
		out = append(out, c.word)
	}
	return out
}

// didYouMean ends an error with the nearest words, each behind a prefix; "" without words.
func didYouMean(words []string, prefix string) string {
	if len(words) == 0 {
		return ""
	}
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = "`" + prefix + w + "`"
	}
	return "; did you mean " + strings.Join(quoted, " or ") + "?"
}

// distance counts insertions, deletions and substitutions of bytes. Long input is cut.
func distance(a, b string) int {
	a, b = a[:min(len(a), 64)], b[:min(len(b), 64)]
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
