package sandbox

import "github.com/brokerd/brokerd/internal/sandbox/trail"

func (s *Sandbox) persist(cl *call) error   { return nil }
func (s *Sandbox) persistControl() error    { return nil }
func (s *Sandbox) keepEvents([]trail.Event) {}
