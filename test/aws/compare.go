package kit

import (
	"cmp"
	"maps"
	"slices"
)

// Difference is a fact in which the two sides differ.
type Difference struct {
	Part string `json:"part"`
	Name string `json:"name"`
	Fact string `json:"fact"`
	// AWS and Sandbox are the values; absent where the fact is not there.
	AWS     string `json:"aws"`
	Sandbox string `json:"sandbox"`
	// Recorded says how the answer of AWS differs from the table; empty when it does not.
	Recorded string `json:"recorded,omitempty"`
}

const absent = "(absent)"

// Differences compares two lists of observations.
func Differences(aws, sandbox []Observation) []Difference {
	other := map[[2]string]Observation{}
	for _, o := range sandbox {
		other[[2]string{o.Part, o.Name}] = o
	}
	var out []Difference
	seen := map[[2]string]bool{}
	for _, o := range aws {
		id := [2]string{o.Part, o.Name}
		seen[id] = true
		mine, there := other[id]
		if !there {
			out = append(out, Difference{Part: o.Part, Name: o.Name, Fact: "observed", AWS: "yes", Sandbox: absent})
			continue
		}
		out = append(out, o.against(mine)...)
	}
	for _, o := range sandbox {
		if !seen[[2]string{o.Part, o.Name}] {
			out = append(out, Difference{Part: o.Part, Name: o.Name, Fact: "observed", AWS: absent, Sandbox: "yes"})
		}
	}
	slices.SortStableFunc(out, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.Part, b.Part), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Fact, b.Fact))
	})
	return out
}

// against compares the facts of AWS with a sandbox's.
func (o Observation) against(mine Observation) []Difference {
	facts := map[string]bool{}
	for k := range o.Facts {
		facts[k] = true
	}
	for k := range mine.Facts {
		facts[k] = true
	}
	var out []Difference
	for _, fact := range slices.Sorted(maps.Keys(facts)) {
		a, inA := o.Facts[fact]
		b, inB := mine.Facts[fact]
		if a == b && inA == inB {
			continue
		}
		if !inA {
			a = absent
		}
		if !inB {
			b = absent
		}
		out = append(out, Difference{Part: o.Part, Name: o.Name, Fact: fact, AWS: a, Sandbox: b, Recorded: o.Wrong})
	}
	return out
}
