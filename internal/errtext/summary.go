package errtext

import (
	"cmp"
	"slices"
)

// Group is a cause that several errors share.
type Group struct {
	Count       int
	Explanation Explanation
	Example     Error // the first error of the group
}

type groupKey struct{ page, cause, account, reason string }

// Summarize groups errors by cause, the most frequent first.
func Summarize(all []Error) []Group {
	var out []Group
	at := make(map[groupKey]int)
	for _, e := range all {
		x := Explain(e)
		key := groupKey{x.Page, x.Cause, x.Account, x.Reason}
		i, ok := at[key]
		if !ok {
			i = len(out)
			at[key] = i
			out = append(out, Group{Explanation: x, Example: e})
		}
		out[i].Count++
	}
	slices.SortStableFunc(out, func(a, b Group) int { return cmp.Compare(b.Count, a.Count) })
	return out
}
