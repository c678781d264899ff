package main

import "slices"

// spread is the median of some values and the quartiles around it.
type spread struct {
	Median float64 `json:"median"`
	Q1     float64 `json:"q1"`
	Q3     float64 `json:"q3"`
	N      int     `json:"n"`
}

// spreadOf interpolates between neighbours, as R's type 7 and spreadsheets do.
// Of no values it is zero.
func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	at := func(q float64) float64 {
		if len(sorted) == 0 {
			return 0
		}
		place := q * float64(len(sorted)-1)
		low := int(place)
		high := min(low+1, len(sorted)-1)
		return sorted[low] + (place-float64(low))*(sorted[high]-sorted[low])
	}
	return spread{at(0.5), at(0.25), at(0.75), len(sorted)}
}

// ratios divides round by round, because a slow round slows both.
func ratios(ours, peer []float64) []float64 {
	out := make([]float64, 0, min(len(ours), len(peer)))
	for i := range min(len(ours), len(peer)) {
		if peer[i] > 0 {
			out = append(out, ours[i]/peer[i])
		}
	}
	return out
}
