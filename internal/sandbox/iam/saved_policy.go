package iam

import (
	"errors"
)

// SavedPolicy is a policy with principals, with the ids that they are kept by.
type SavedPolicy struct {
	Text  string
	Named []savedPrincipal `json:",omitempty"`
}

type savedPrincipal struct {
	Start, End int
	ID         string
}

// SavePolicy returns the form in which a policy with principals is kept.
func SavePolicy(p *StoredPolicy) SavedPolicy {
	out := SavedPolicy{Text: p.text}
	for _, n := range p.named {
		out.Named = append(out.Named, savedPrincipal{n.start, n.end, n.id})
	}
	return out
}

// RestorePolicy makes a stored policy of a saved one. It takes mu.
func (s *Service) RestorePolicy(saved SavedPolicy) (*StoredPolicy, error) {
	s.Mu.RLock()
	defer s.Mu.RUnlock()
	return s.restorePolicyLocked(saved)
}

func (s *Service) restorePolicyLocked(saved SavedPolicy) (*StoredPolicy, error) {
	p := &StoredPolicy{text: saved.Text, generation: s.generation}
	for _, n := range saved.Named {
		if n.Start < 0 || n.Start > n.End || n.End > len(saved.Text) {
			return nil, errors.New("a policy's principal is outside of its text")
		}
		p.named = append(p.named, namedPrincipal{n.Start, n.End, n.ID})
	}
	var err error
	p.current, p.Doc, err = s.readLocked(p)
	return p, err
}
