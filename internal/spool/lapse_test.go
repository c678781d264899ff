package spool_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/spool"
)

// trickle gives a byte every five seconds, until it is told to hurry.
type trickle struct {
	left  int
	hurry <-chan struct{}
}

func (r *trickle) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), r.left)
	select {
	case <-r.hurry:
	case <-time.After(5 * time.Second):
		n = 1
	}
	clear(p[:n])
	r.left -= n
	return n, nil
}

// An announced size whose bytes do not come keeps no other user out for longer than half
// a minute. The slow upload goes on, and is refused when its room is taken.
func TestAReservationLapsesWhenItsBytesDoNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := optionsOf(t, newStore())
		o.Dir, o.FS, o.Total = "/spool", newModelFS(), 1<<20
		s := open(t, o)
		announced, hurry, slow := headerOf(1), make(chan struct{}), make(chan error, 1)
		announced.UID, announced.Size = 2000, 1<<20
		go func() {
			_, _, err := s.Accept(t.Context(), announced, unstated{&trickle{1 << 20, hurry}})
			slow <- err
		}()
		synctest.Wait()
		var full *spool.FullError
		other := headerOf(2)
		other.Size = 600 << 10
		for range 2 { // the reservation holds
			if _, _, err := s.Accept(t.Context(), other, unstated{bytes.NewReader(make([]byte, other.Size))}); !errors.As(err, &full) {
				t.Errorf("within 29 seconds: %v", err)
			}
			time.Sleep(29 * time.Second / 2)
		}
		time.Sleep(2 * time.Second)
		accept(t, s, other, make([]byte, other.Size))
		close(hurry)
		if err := <-slow; !errors.As(err, &full) {
			t.Errorf("the slow upload: %v", err)
		}
	})
}
