package broker

import (
	"context"
	"sync"
	"time"
)

const (
	stsRate  = 5  // calls a second to STS, for each source of credentials
	stsBurst = 30 // calls at once after a quiet time: STS allows hundreds a second to an account
)

// urgency orders those who wait for a turn: the lower one goes first.
type urgency struct {
	class int           // 0: a caller waits and has nothing, 1: less than a minute is left, 2: in good time
	left  time.Duration // within a class
}

func (u urgency) before(v urgency) bool {
	return u.class < v.class || (u.class == v.class && u.left < v.left)
}

// turnstile lets through 5 calls a second, and the most urgent one first. The
// urgency is asked for when a turn is given, not when the wait begins: a caller
// may have arrived meanwhile.
type turnstile struct {
	mu      sync.Mutex
	tokens  float64
	filled  time.Time
	waiting []*turn
	timer   *time.Timer // armed while somebody waits
}

type turn struct {
	urgency func() urgency
	granted chan struct{}
}

func newTurnstile() *turnstile { return &turnstile{tokens: stsBurst, filled: time.Now()} }

// wait blocks until it is this call's turn, or ctx ends; a turn that is not
// taken costs nothing.
func (t *turnstile) wait(ctx context.Context, urgent func() urgency) error {
	w := &turn{urgency: urgent, granted: make(chan struct{})}
	t.mu.Lock()
	t.waiting = append(t.waiting, w)
	t.grant()
	t.mu.Unlock()
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-w.granted: // at the same moment: give it to the next
		t.tokens++
	default:
		for i := range t.waiting {
			if t.waiting[i] == w {
				t.waiting = append(t.waiting[:i], t.waiting[i+1:]...)
				break
			}
		}
	}
	t.grant()
	return ctx.Err()
}

// grant hands out the turns there are, and comes back for those there will be.
// t.mu is held.
func (t *turnstile) grant() {
	now := time.Now()
	t.tokens = min(stsBurst, t.tokens+now.Sub(t.filled).Seconds()*stsRate)
	t.filled = now
	for t.tokens >= 1 && len(t.waiting) > 0 {
		best, first := 0, t.waiting[0].urgency()
		for i, w := range t.waiting[1:] {
			if u := w.urgency(); u.before(first) {
				best, first = i+1, u
			}
		}
		close(t.waiting[best].granted)
		t.waiting = append(t.waiting[:best], t.waiting[best+1:]...)
		t.tokens--
	}
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
	if len(t.waiting) > 0 {
		need := time.Duration((1-t.tokens)/stsRate*float64(time.Second)) + time.Millisecond
		t.timer = time.AfterFunc(need, func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.grant()
		})
	}
}
