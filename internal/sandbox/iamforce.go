package sandbox

import (
	"fmt"
	"time"
)

// Changes that faults and the admin API make past all policies.

// expireSession ends one session as if its time had come.
func (s *iamService) expireSession(accessKeyID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.keys[accessKeyID]; k != nil && k.session != nil {
		ended := *k.session
		ended.expires = s.k.now().Add(-time.Second)
		k.session = &ended
		s.k.markDirty()
	}
}

// expireSessions ends all sessions of a role as if their time had come; an
// empty ARN means those of all roles. It returns how many ended.
func (s *iamService) expireSessions(roleARN string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, n := s.k.now(), 0
	for _, k := range s.keys {
		if k.session != nil && k.session.expires.After(now) && (roleARN == "" || k.session.role != nil && k.session.role.arn == roleARN) {
			ended := *k.session
			ended.expires = now.Add(-time.Second)
			k.session = &ended
			s.k.markDirty()
			n++
		}
	}
	return n
}

// removeRole deletes a role with all that is attached to it, past all
// policies. It returns ErrNotFound for an unknown ARN.
func (s *iamService) removeRole(arn string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.findRoleLocked(arn)
	if r == nil {
		return fmt.Errorf("role %s: %w", arn, ErrNotFound)
	}
	delete(s.accounts[r.account].roles, r.name)
	delete(s.ids, r.id)
	s.generation++
	s.k.markDirty()
	return nil
}
