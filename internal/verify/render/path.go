package render

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/brokerd/brokerd/internal/verify/report"
)

// zone is a box of the picture: a host or an account with its stations. Each
// station except the very first has the step that leads to it.
type zone struct {
	Title    string
	Class    string // host, a or b
	Entry    *step  // the step into the zone; nil for the first
	Stations []station
}

type station struct {
	Step *step // nil for the first of its zone
	// Label is in pieces; a line may break between them.
	Label []string
	Kind  string
	ARN   string
}

// step is an edge of the path.
type step struct {
	View  view
	Label string
	Codes []string
}

var stationKinds = map[string]string{
	report.NodePeer: "application", report.NodeBroker: "daemon", report.NodeSource: "source identity", report.NodeRole: "role",
	report.NodeEndpoint: "VPC endpoint", report.NodeBucket: "bucket", report.NodeKey: "KMS key",
}

// zonesOf splits a path where the account changes.
func zonesOf(p report.Path) []zone {
	steps := make(map[string]report.Edge, len(p.Edges))
	for _, e := range p.Edges {
		steps[e.To] = e
	}
	var out []zone
	before := report.Account{}
	for i, n := range p.Nodes {
		var s *step
		if i > 0 {
			s = stepOf(steps[n.ID])
		}
		if len(out) == 0 || n.Account != before {
			z := zone{Title: zoneTitle(n.Account), Class: zoneClass(n.Account), Entry: s}
			s = nil
			out = append(out, z)
		}
		before = n.Account
		kind := stationKinds[n.ID]
		if kind == "" {
			kind = n.ID
		}
		if kind == n.Label {
			kind = "" // its name repeats the kind
		}
		last := &out[len(out)-1]
		last.Stations = append(last.Stations, station{Step: s, Label: pieces(n.Label), Kind: kind, ARN: n.ARN})
	}
	return out
}

// mostCodes is the number of codes that fit below a step.
const mostCodes = 2

func stepOf(e report.Edge) *step {
	result := e.Result
	if result == "" {
		result = report.Unknown // no check is about this step
	}
	s := &step{View: viewOf(result), Codes: e.Codes}
	if more := len(e.Codes) - mostCodes; more > 0 {
		s.Codes = append(slices.Clone(e.Codes[:mostCodes]), fmt.Sprintf("+%d more", more))
	}
	switch result {
	case report.Pass:
		s.Label = "works"
	case report.Fail:
		s.Label = "fails"
	case report.Warn:
		s.Label = "warning"
	case report.Skip:
		s.View, s.Label = view{Class: "unknown", Mark: "?", Word: "not reached"}, "not reached"
	default:
		s.Label = "unknown"
	}
	return s
}

func zoneTitle(a report.Account) string {
	switch {
	case a == (report.Account{}):
		return "this host"
	case a.ID == "":
		return "account " + string(a.Side)
	}
	return "account " + accountText(a)
}

func zoneClass(a report.Account) string {
	if a.Side == "" {
		return "host"
	}
	return strings.ToLower(string(a.Side))
}

// longestPiece is the number of characters that fit into a station.
const longestPiece = 12

// pieces splits a name after punctuation, before a capital that follows a small
// letter, and after longestPiece characters.
func pieces(name string) []string {
	var out []string
	var piece []rune
	before := rune(0)
	for _, r := range name {
		if len(piece) > 0 &&
			(strings.ContainsRune("-_./@: ", before) || (unicode.IsUpper(r) && unicode.IsLower(before)) || len(piece) == longestPiece) {
			out, piece = append(out, string(piece)), nil
		}
		piece, before = append(piece, r), r
	}
	return append(out, string(piece))
}

// wide reports whether the stations of a path fit next to each other on a desktop.
// The numbers are those of the style sheet, in pixels.
func wide(zones []zone) bool {
	const room, works, fails, character, around = 1094, 74, 92, 9, 18
	need := 0
	take := func(s *step) {
		switch {
		case s == nil:
		case s.View.Class == string(report.Fail):
			need += fails
		default:
			need += works
		}
	}
	for _, z := range zones {
		need += 28
		take(z.Entry)
		for _, st := range z.Stations {
			take(st.Step)
			longest := 0
			for word := range strings.FieldsSeq(st.Kind) {
				longest = max(longest, utf8.RuneCountInString(word)*3/4) // in smaller type
			}
			for _, p := range st.Label {
				longest = max(longest, utf8.RuneCountInString(p))
			}
			need += around + longest*character
		}
	}
	return need <= room
}
