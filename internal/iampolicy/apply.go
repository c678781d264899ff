package iampolicy

import (
	"fmt"
	"slices"
	"strings"
)

// Apply makes the changes of fixes in a copy of the scenario. The fixes of one
// Result belong together: their indexes count in the documents as evaluated.
func Apply(sc Scenario, fixes []Fix) (Scenario, error) { return apply(sc, fixes, false) }

// noStatement stands in for a removed statement while indexes must not move.
const noStatement = `{"Effect":"Deny","Principal":"*","Action":"none:None","Resource":"*"}`

func apply(sc Scenario, fixes []Fix, keepIndexes bool) (Scenario, error) {
	var edits []Fix
	for _, f := range fixes {
		switch f.Kind {
		case ChangeRequest:
			sc.Request.Context = withKeys(sc.Request.Context, f.Context)
		case ChangeSetting:
			if f.Setting != "restrict_public_buckets=false" || sc.PublicAccessBlock == nil {
				return sc, fmt.Errorf("applying a fix: unknown setting %q", f.Setting)
			}
			block := *sc.PublicAccessBlock
			block.RestrictPublicBuckets = false
			sc.PublicAccessBlock = &block
		case AddStatement, ReplaceStatement, RemoveStatement:
			edits = append(edits, f)
		default:
			return sc, fmt.Errorf("applying a fix: unknown kind %q", f.Kind)
		}
	}
	// Removals last and from the end, so that indexes hold.
	slices.SortStableFunc(edits, func(a, b Fix) int {
		ra, rb := a.Kind == RemoveStatement, b.Kind == RemoveStatement
		switch {
		case ra && rb:
			return b.Index - a.Index
		case ra:
			return 1
		case rb:
			return -1
		}
		return 0
	})
	for _, f := range edits {
		if err := sc.Policies.edit(f, keepIndexes); err != nil {
			return sc, fmt.Errorf("applying a fix to %s: %w", f.Layer, err)
		}
	}
	return sc, nil
}

func (p *PolicySet) edit(f Fix, keepIndexes bool) error {
	var list *[]NamedPolicy
	switch f.Layer {
	case LayerResource:
		d, err := p.Resource.edit(f, keepIndexes)
		p.Resource = d
		return err
	case LayerIdentity:
		list = &p.Identity
	case LayerBoundary:
		list = &p.Boundary
	case LayerSession:
		list = &p.Session
	case LayerVPCEndpoint:
		list = &p.VPCEndpoint
	case LayerSCP, LayerRCP:
		levels := &p.ServiceControl
		if f.Layer == LayerRCP {
			levels = &p.ResourceControl
		}
		*levels = slices.Clone(*levels)
		if f.LevelIndex < 0 || f.LevelIndex >= len(*levels) {
			return fmt.Errorf("no level %d %q", f.LevelIndex, f.Level)
		}
		list = &(*levels)[f.LevelIndex].Policies
	default:
		return fmt.Errorf("layer %q has no statements", f.Layer)
	}
	*list = slices.Clone(*list)
	if f.Kind == AddStatement {
		d, err := (*Document)(nil).edit(f, keepIndexes)
		*list = append(*list, NamedPolicy{Name: "added", Policy: d})
		return err
	}
	if f.Document < 0 || f.Document >= len(*list) {
		return fmt.Errorf("no policy %d", f.Document)
	}
	d, err := (*list)[f.Document].Policy.edit(f, keepIndexes)
	(*list)[f.Document].Policy = d
	return err
}

// edit gives the changed document; the old one stays as it is.
func (d *Document) edit(f Fix, keepIndexes bool) (*Document, error) {
	version := versionVariables
	var texts []string
	if d != nil {
		version = d.version
		for i := range d.statements {
			texts = append(texts, d.text[d.statements[i].start:d.statements[i].end])
		}
	}
	if f.Kind == AddStatement {
		texts = append(texts, string(f.Statement))
	} else {
		switch {
		case f.Index < 0 || f.Index >= len(texts):
			return d, fmt.Errorf("no statement %d", f.Index)
		case f.Kind == ReplaceStatement:
			texts[f.Index] = string(f.Statement)
		case keepIndexes:
			texts[f.Index] = noStatement
		default:
			texts = slices.Delete(texts, f.Index, f.Index+1)
		}
	}
	var b strings.Builder
	b.WriteByte('{')
	if version != "" {
		b.WriteString(`"Version":"` + version + `",`)
	}
	b.WriteString(`"Statement":[` + strings.Join(texts, ",") + `]}`)
	return Parse([]byte(b.String()))
}
