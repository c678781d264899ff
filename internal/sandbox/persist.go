package sandbox

import "github.com/brokerd/brokerd/internal/sandbox/trail"

func (s *Sandbox) persist(cl *call) error { return nil }
func (s *Sandbox) persistControl() error  { return nil }

func (s *Sandbox) keepEvents(events []trail.Event) {}

func deletedKey(arn string) *kmsKey { return &kmsKey{arn: arn} }
