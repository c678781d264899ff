package iampolicy

import "testing"

// LayerCase is a case of TestLayers for tests that import package fixproof.
type LayerCase struct {
	Name     string
	Scenario Scenario
	Want     Decision
}

// LayerCases are the cases of TestLayers.
func LayerCases(t testing.TB) []LayerCase {
	var out []LayerCase
	for _, c := range layerCases() {
		out = append(out, LayerCase{c.name, c.scenario(t), c.want})
	}
	return out
}
