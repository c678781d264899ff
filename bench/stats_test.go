package main

import (
	"math"
	"slices"
	"testing"
)

func TestSpreadOf(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []float64
		want   spread
	}{
		{"nothing", nil, spread{}},
		{"one value is its own quartiles", []float64{3}, spread{3, 3, 3, 1}},
		{"between two values", []float64{4, 2}, spread{3, 2.5, 3.5, 2}},
		{"five values, in disorder", []float64{5, 1, 4, 2, 3}, spread{3, 2, 4, 5}},
		{"an outlier moves nothing", []float64{1, 2, 3, 4, 1e9}, spread{3, 2, 4, 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := slices.Clone(c.values)
			if got := spreadOf(c.values); got != c.want {
				t.Errorf("%+v, not %+v", got, c.want)
			}
			if !slices.Equal(before, c.values) {
				t.Error("the values, which are in the order of the rounds, were sorted")
			}
		})
	}
}

func TestRatiosAreTakenWithinARound(t *testing.T) {
	// The machine was half as fast in the second round: the ratio is unchanged.
	got := spreadOf(ratios([]float64{1, 2, 1}, []float64{2, 4, 2}))
	if got != (spread{0.5, 0.5, 0.5, 3}) {
		t.Errorf("%+v", got)
	}
	if got := ratios([]float64{1, 2}, []float64{0, 1}); len(got) != 1 || math.IsInf(got[0], 0) {
		t.Errorf("a peer without a figure: %v", got)
	}
}

func TestVerdicts(t *testing.T) {
	less := figure{metric: metric{unit: "s"}, peer: "p", floor: 0.75, aim: 0.45}
	more := figure{metric: metric{unit: "MiB/s", higher: true}, peer: "p", floor: 1.35, aim: 2.2}
	for _, c := range []struct {
		figure figure
		value  float64
		want   verdict
	}{
		{less, 0.45, aimMet}, {less, 0.46, floorMet}, {less, 0.75, floorMet}, {less, 0.76, belowFloor},
		{more, 2.2, aimMet}, {more, 2.1, floorMet}, {more, 1.35, floorMet}, {more, 1.34, belowFloor},
	} {
		if got := c.figure.judge(c.value); got != c.want {
			t.Errorf("%g with floor %g and aim %g: %s, not %s", c.value, c.figure.floor, c.figure.aim, got, c.want)
		}
	}
}
