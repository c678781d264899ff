package rpc

import (
	"context"
	"time"
)

// messageAtStop is how long a stop waits for the first message of an open call. Without
// it, a client that opens a call and sends no more would delay the stop.
const messageAtStop = time.Second

// hurry ends a call whose message has not arrived some time after the stop began. The
// returned function gives up the observation.
func (c *call) hurry() func() bool {
	return context.AfterFunc(c.s.intake.Waiting(), func() {
		if c.timer.Stop() { // else the message is there, or the call has ended
			c.timer.Reset(messageAtStop)
			if c.there.Load() { // it came between the two
				c.timer.Stop()
			}
		}
	})
}

// untilHeader returns a context for an upload that ends some time after the stop began,
// unless its header arrives. Call arrived then. Call cancel at the end.
func (s *Server) untilHeader(ctx context.Context) (limited context.Context, arrived, cancel func()) {
	limited, end := context.WithCancel(ctx)
	header := make(chan struct{})
	unhook := context.AfterFunc(s.intake.Waiting(), func() {
		timer := time.NewTimer(messageAtStop)
		defer timer.Stop()
		select {
		case <-header:
		case <-limited.Done():
		case <-timer.C:
			end()
		}
	})
	return limited, func() { unhook(); close(header) }, func() { unhook(); end() }
}
