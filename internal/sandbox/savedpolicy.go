package sandbox

import (
	"errors"
)

// savedPolicy is a policy with principals, with the ids that they are kept by.
type savedPolicy struct {
	Text  string
	Named []savedPrincipal `json:",omitempty"`
}

type savedPrincipal struct {
	Start, End int
	ID         string
}

func savePolicy(p *storedPolicy) savedPolicy {
	out := savedPolicy{Text: p.text}
	for _, n := range p.named {
		out.Named = append(out.Named, savedPrincipal{n.start, n.end, n.id})
	}
	return out
}

// restorePolicy makes a stored policy of a saved one. It takes mu.
func (s *iamService) restorePolicy(saved savedPolicy) (*storedPolicy, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.restorePolicyLocked(saved)
}

func (s *iamService) restorePolicyLocked(saved savedPolicy) (*storedPolicy, error) {
	p := &storedPolicy{text: saved.Text, generation: s.generation}
	for _, n := range saved.Named {
		if n.Start < 0 || n.Start > n.End || n.End > len(saved.Text) {
			return nil, errors.New("a policy's principal is outside of its text")
		}
		p.named = append(p.named, namedPrincipal{n.Start, n.End, n.ID})
	}
	var err error
	p.current, p.doc, err = s.readLocked(p)
	return p, err
}
