package edit

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/config"
)

// NoPlaceError says that the lines were not added, and shows them.
type NoPlaceError struct {
	Lines string // ready to be pasted
}

// Error says what to do.
func (e *NoPlaceError) Error() string {
	return "found no place in the file where nothing else would change; add these lines by hand:\n" + e.Lines
}

// ExistsError says that the file has a destination of this name.
type ExistsError struct {
	Name string
	Line int
	Same bool // it equals the destination that was to be added
}

// Error says where it is.
func (e *ExistsError) Error() string {
	return fmt.Sprintf("destination %s is in the file already, in line %d", e.Name, e.Line)
}

// Add puts the destination of d into the configuration data, the content of the
// file at path, and a rule for its uploader unless a rule gives the right to all
// destinations of the file already. Everything else stays byte for byte.
//
// Errors: config.Errors when the file or what would come of it is not valid,
// *ExistsError, *NoPlaceError.
func Add(path string, data []byte, d Draft) ([]byte, error) {
	old, err := config.Parse(path, data)
	if err != nil {
		return nil, err
	}
	stanza := d.Destination.node()
	said := d
	if d.RunsAs == old.Setup.RunsAs {
		said.RunsAs = config.RunsAs{}
	}
	if d.Boundary == old.Setup.Boundary {
		said.Boundary = ""
	}
	said.Sandbox = nil // the file has its places, for all its destinations
	said.CreateBucket = d.CreateBucket && (old.Setup.CreateBucket == nil || !*old.Setup.CreateBucket)
	if section := said.setup(); !section.scalar() {
		stanza.add(entry{key: "setup", value: section})
	}
	additions := []addition{{"destinations", d.Destination.Name, stanza}}
	if d.Uploader != "" && !mayUpload(old, d.Uploader) {
		additions = append(additions, addition{"access", "", d.rule()})
	}
	byHand := &NoPlaceError{Lines: byHand(additions)}
	alone, err := config.Parse("the new destination", []byte(byHand.Lines))
	if err != nil && old.AWS.Source.Type == config.SourceWebIdentity {
		// Alone it would be one of a daemon without a token.
		alone, err = config.Parse("the new destination", []byte("aws: {source: {type: web-identity}}\n"+byHand.Lines))
	}
	if err != nil {
		return nil, err
	}
	if have, ok := old.Destinations[d.Destination.Name]; ok {
		return nil, &ExistsError{d.Destination.Name, have.Line, sameDestination(have, alone.Destinations[d.Destination.Name])}
	}
	p, ok := open(data)
	if !ok {
		return nil, byHand
	}
	choices := make([][]insertion, len(additions))
	for i, a := range additions {
		choices[i] = p.places(a)
	}
	var rejected error
	for chosen := range combinations(choices) {
		out := insert(data, chosen)
		now, err := config.Parse(path, out)
		if err != nil {
			rejected = err
			continue
		}
		if onlyAdded(old, now, alone) {
			return out, nil
		}
	}
	// A fault that has to do with the rest of the file, such as a source that
	// takes no external id, is worth more than the lines.
	if rejected != nil && len(faults(rejected, d.Destination.Name)) > 0 {
		return nil, faults(rejected, d.Destination.Name)
	}
	return nil, byHand
}

// combinations yields one choice for every addition, all first choices first.
func combinations(choices [][]insertion) func(yield func([]insertion) bool) {
	return func(yield func([]insertion) bool) {
		var walk func(i int, chosen []insertion) bool
		walk = func(i int, chosen []insertion) bool {
			if i == len(choices) {
				return yield(slices.Clone(chosen))
			}
			for _, c := range choices[i] {
				if !walk(i+1, append(chosen, c)) {
					return false
				}
			}
			return true
		}
		walk(0, nil)
	}
}

func byHand(additions []addition) string {
	var root node
	for _, a := range additions {
		root.add(a.whole())
	}
	return strings.Join(root.lines(0), "\n") + "\n"
}

func mayUpload(c *config.Config, user string) bool {
	return slices.ContainsFunc(c.Access, func(r config.Rule) bool {
		return r.Peer == (config.Peer{UID: user}) && slices.Contains(r.Destinations, "*") && slices.Contains(r.Allow, config.PermUpload)
	})
}

// faults are those errors that concern the new stanza.
func faults(err error, name string) config.Errors {
	var out config.Errors
	all, _ := err.(config.Errors) //nolint:errorlint // config.Parse returns it bare
	for _, e := range all {
		if e.Path == "destinations."+name || strings.HasPrefix(e.Path, "destinations."+name+".") {
			out = append(out, e)
		}
	}
	return out
}

// onlyAdded compares values: now says what old said and what added says, and nothing else.
func onlyAdded(old, now, added *config.Config) bool {
	if len(now.Destinations) != len(old.Destinations)+len(added.Destinations) || len(now.Access) != len(old.Access)+len(added.Access) {
		return false
	}
	for name, d := range added.Destinations {
		if now.Destinations[name] == nil || !sameDestination(now.Destinations[name], d) {
			return false
		}
	}
	rest := *now
	rest.Destinations = map[string]*config.Destination{}
	for name, d := range now.Destinations {
		if added.Destinations[name] == nil {
			rest.Destinations[name] = d
		}
	}
	n := len(added.Access)
	for _, at := range []int{len(old.Access), 0} { // new rules come after the old ones, or before
		rest.Access = slices.Delete(slices.Clone(now.Access), at, at+n)
		if sameConfig(old, &rest) && sameRules(now.Access[at:at+n], added.Access) {
			return true
		}
	}
	return false
}

func sameConfig(a, b *config.Config) bool {
	x, y := *a, *b
	x.Path, y.Path = "", ""
	if len(x.Destinations) != len(y.Destinations) || !sameRules(x.Access, y.Access) {
		return false
	}
	for name, d := range x.Destinations {
		if y.Destinations[name] == nil || !sameDestination(d, y.Destinations[name]) {
			return false
		}
	}
	x.Destinations, y.Destinations, x.Access, y.Access = nil, nil, nil, nil
	return reflect.DeepEqual(x, y)
}

func sameDestination(a, b *config.Destination) bool {
	x, y := *a, *b
	x.Line, y.Line = 0, 0
	return reflect.DeepEqual(x, y)
}

func sameRules(a, b []config.Rule) bool {
	return slices.EqualFunc(a, b, func(a, b config.Rule) bool {
		a.Line, b.Line = 0, 0
		return reflect.DeepEqual(a, b)
	})
}
