package config

import (
	"slices"
	"strings"
)

// closest returns the candidate that is most similar to word, or "" when none is
// similar: at most one edit in three characters, and never more than three.
func closest(word string, candidates []string) string {
	best, bestDistance := "", min(3, max(1, len(word)/3))+1
	for _, c := range candidates {
		if d := editDistance(strings.ToLower(word), strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	for _, c := range candidates {
		if best == "" && len(c) > 2 && strings.HasPrefix(strings.ToLower(word), c) {
			best = c // "warning" for "warn"
		}
	}
	return best
}

// didYouMean is a hint for an unknown word: the nearest candidate, else all of them.
func didYouMean(word, noun string, candidates []string) string {
	if c := closest(word, candidates); c != "" {
		return "did you mean " + c + "?"
	}
	if len(candidates) == 0 {
		return ""
	}
	sorted := slices.Clone(candidates)
	slices.Sort(sorted)
	return "known " + noun + ": " + strings.Join(sorted, ", ")
}

// editDistance counts insertions, deletions, substitutions and swaps of
// neighbours. Long input is cut: it is no misspelt key.
func editDistance(a, b string) int {
	const longest = 64
	ra, rb := []rune(a), []rune(b)
	ra, rb = ra[:min(len(ra), longest)], rb[:min(len(rb), longest)]
	before, prev, cur := make([]int, len(rb)+1), make([]int, len(rb)+1), make([]int, len(rb)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(ra); i++ {
		cur[0] = i
		for j := 1; j <= len(rb); j++ {
			cost := 1
			if ra[i-1] == rb[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && ra[i-1] == rb[j-2] && ra[i-2] == rb[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(rb)]
}
