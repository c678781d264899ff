package iam

import (
	"fmt"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Changes that faults and the admin API make past all policies.

// ExpireSession makes one session expire now.
func (s *Service) ExpireSession(accessKeyID string) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	if k := s.Keys[accessKeyID]; k != nil && k.Session != nil {
		ended := *k.Session
		ended.Expires = s.k.Now().Add(-time.Second)
		k.Session = &ended
		s.k.MarkDirty()
	}
}

// ExpireSessions makes all sessions of a role expire now; an empty ARN means the
// sessions of all roles. It returns the number of sessions.
func (s *Service) ExpireSessions(roleARN string) int {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	now, n := s.k.Now(), 0
	for _, k := range s.Keys {
		if k.Session != nil && k.Session.Expires.After(now) && (roleARN == "" || k.Session.Role != nil && k.Session.Role.arn == roleARN) {
			ended := *k.Session
			ended.Expires = now.Add(-time.Second)
			k.Session = &ended
			s.k.MarkDirty()
			n++
		}
	}
	return n
}

// RemoveRole deletes a role with all that is attached to it, past all
// policies. It returns ErrNotFound for an unknown ARN.
func (s *Service) RemoveRole(arn string) error {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	r := s.FindRoleLocked(arn)
	if r == nil {
		return fmt.Errorf("role %s: %w", arn, kernel.ErrNotFound)
	}
	delete(s.accounts[r.Account].roles, r.name)
	delete(s.ids, r.ID)
	s.generation++
	s.k.MarkDirty()
	return nil
}
