package render

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/setup"
)

// Format is a way to write the arrangement.
type Format string

// The formats.
const (
	JSON           Format = "json"
	Terraform      Format = "terraform"
	CloudFormation Format = "cloudformation"
	CDK            Format = "cdk-json"
	CLI            Format = "cli"
)

// Formats lists all, in the order in which help shows them.
func Formats() []Format { return []Format{JSON, Terraform, CloudFormation, CDK, CLI} }

// Half is the part of the arrangement that is written.
type Half string

// The halves.
const (
	Source Half = "source" // account A: the roles, and what assumes them
	Target Half = "target" // account B: key, bucket, trail
	Both   Half = "both"
)

// Halves lists all.
func Halves() []Half { return []Half{Source, Target, Both} }

func (h Half) has(other Half) bool { return h == Both || h == other }

// File is one file of the output.
type File struct {
	Name string
	Mode fs.FileMode
	Data []byte
	// Alone says that the file is of use without the others, and only then: two of
	// them do not belong into one stream.
	Alone bool
}

// Render writes the half of s that was asked for.
func Render(f Format, s setup.State, h Half) ([]File, error) {
	if !slices.Contains(Halves(), h) {
		return nil, fmt.Errorf("%q is no half of the arrangement: source, target or both", h)
	}
	if len(s.Deliveries) == 0 {
		return nil, fmt.Errorf("no destination has anything to set up")
	}
	w := &writer{State: s, half: h}
	switch f {
	case JSON:
		return w.json()
	case Terraform:
		return w.terraform(), nil
	case CloudFormation:
		return w.cloudFormation(yamlTemplate)
	case CDK:
		return w.cloudFormation(jsonTemplate)
	case CLI:
		return w.scripts()
	}
	return nil, fmt.Errorf("%q is not a format", f)
}

// writer is one rendering.
type writer struct {
	setup.State
	half Half
}

// place is where the resources of one file or provider are.
type place struct{ account, region string }

// places are those of one half, in the order in which they are met. IAM does not
// mind the Region: account A has one place an account.
func (w *writer) places(h Half) []place {
	var out []place
	add := func(p place) {
		if p.account != "" && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	if h == Source {
		for _, r := range w.Roles {
			add(w.inIAM(r.Account))
		}
		for _, s := range w.Sources {
			if !s.Inline.Empty() {
				add(w.inIAM(s.Account))
			}
		}
		return out
	}
	for _, k := range w.Keys {
		add(place{k.Account, k.Region})
	}
	for _, b := range w.Buckets {
		add(place{b.Account, b.Region})
	}
	for _, t := range w.Trails {
		add(place{t.Account, t.Region})
	}
	return out
}

func (w *writer) inIAM(account string) place { return place{account, w.Buckets[0].Region} }

// side names a place: source and target where there is one of each.
func (w *writer) side(h Half, p place) string {
	switch {
	case len(w.places(h)) == 1:
		return string(h)
	case h == Source:
		return string(h) + "_" + p.account
	}
	return string(h) + "_" + p.account + "_" + identifier(p.region)
}

// lastOf is the name at the end of the resource of an ARN.
func lastOf(arn string) string { return arn[strings.LastIndexAny(arn, "/:")+1:] }

// identifier turns a name into one that HCL and CloudFormation take.
func identifier(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '_'
	}, name)
}

// names gives every ARN a name of its own.
type names struct {
	of   map[string]string
	used map[string]bool
}

func newNames() *names { return &names{map[string]string{}, map[string]bool{}} }

func (n *names) name(arn, wish string) string {
	if have, ok := n.of[arn]; ok {
		return have
	}
	got := wish
	for i := 2; n.used[got]; i++ {
		got = fmt.Sprintf("%s%d", wish, i)
	}
	n.of[arn], n.used[got] = got, true
	return got
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
