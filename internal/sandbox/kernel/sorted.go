package kernel

import (
	"maps"
	"slices"
)

// Sorted returns the values of a map in the order of its keys, so that the same
// state is always written as the same bytes.
func Sorted[V, S any](m map[string]V, save func(V) S) []S {
	var out []S
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, save(m[k]))
	}
	return out
}
