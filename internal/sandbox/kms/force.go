package kms

import (
	"fmt"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Disable disables a KMS key, past all policies. It returns ErrNotFound for an unknown ARN.
func (s *Service) Disable(arn string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keys[arn]
	if k == nil {
		return fmt.Errorf("KMS key %s: %w", arn, kernel.ErrNotFound)
	}
	k.disabled = true
	s.k.MarkDirty()
	return nil
}
