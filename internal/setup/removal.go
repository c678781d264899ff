package setup

import "slices"

// Without returns the state without these destinations.
func (s State) Without(destinations []string) (State, error) {
	return s.of(func(d Delivery) bool { return !slices.Contains(destinations, d.Destination.Name) })
}

// Removed is how a removal changes our part of a document.
type Removed struct {
	Sids []string    `json:"sids"` // of the statements to take out
	Keep []Statement `json:"keep"` // to put in: a statement that destinations shared, without the removed ones
}

// RemovedFrom compares our part of a document before and after a removal. The statement
// that keeps a key under its account's control stays.
func RemovedFrom(before, after Policy) Removed {
	out := Removed{Sids: []string{}, Keep: []Statement{}}
	missing := func(list []Statement, s Statement) bool {
		return !slices.ContainsFunc(list, func(o Statement) bool { return o.Sid == s.Sid && o.signature() == s.signature() })
	}
	for _, s := range before.Statement {
		if s.Sid != SidKeyAdmin && missing(after.Statement, s) {
			out.Sids = append(out.Sids, s.Sid)
		}
	}
	for _, s := range after.Statement {
		if s.Sid != SidKeyAdmin && missing(before.Statement, s) {
			out.Keep = append(out.Keep, s)
		}
	}
	return out
}

// MadeTag and MadeValue mark a role that setup made; only such a role is ever deleted.
const (
	MadeTag   = "brokerd:made-by"
	MadeValue = "brokerctl setup"
)
