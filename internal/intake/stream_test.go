package intake

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/mem"

	"github.com/brokerd/brokerd/internal/reason"
)

// paced sends its messages one after the other, each after a pause.
type paced struct {
	pause time.Duration
	left  []Message
}

func (p *paced) Announce(string) error { return nil }

func (p *paced) Flush() error { return nil }

func (p *paced) Receive(m *Message) error {
	time.Sleep(p.pause) // virtual
	if len(p.left) == 0 {
		return io.EOF
	}
	*m, p.left = p.left[0], p.left[1:]
	return nil
}

// A sender that has no bytes and shows that it is alive is not cut off; a silent one is.
func TestKeepAliveMessagesCountAsSignsOfLife(t *testing.T) {
	for name, tc := range map[string]struct {
		pause time.Duration
		want  reason.Reason
	}{
		"alive":  {40 * time.Second, ""},
		"silent": {61 * time.Second, reason.ClientTooSlow},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				pool := newReceivers()
				r := &paced{pause: tc.pause, left: []Message{
					{KeepAlive: true}, {KeepAlive: true}, {Chunk: mem.BufferSlice{mem.SliceBuffer("data")}}, {KeepAlive: true},
					{Trailer: &Trailer{Length: 4}},
				}}
				b := newStream(ctx, r, StreamLimits{Idle: time.Minute, MaxObject: 1 << 20}, pool)
				defer func() {
					b.Release()
					cancel()
					pool.close()
					time.Sleep(2 * tc.pause) // the receiver ends after its pause
				}()
				got, err := io.ReadAll(b)
				var e *reason.Error
				switch {
				case tc.want == "" && (err != nil || string(got) != "data"):
					t.Errorf("got %q, %v", got, err)
				case tc.want != "" && (!errors.As(err, &e) || e.Reason != tc.want):
					t.Errorf("got %v, want %s", err, tc.want)
				}
			})
		})
	}
}
