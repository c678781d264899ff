package sandbox

import "fmt"

// disable disables a KMS key, past all policies. It returns ErrNotFound for an unknown ARN.
func (s *kmsService) disable(arn string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keys[arn]
	if k == nil {
		return fmt.Errorf("KMS key %s: %w", arn, ErrNotFound)
	}
	k.disabled = true
	s.k.markDirty()
	return nil
}
