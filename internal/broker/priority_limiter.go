package broker

import (
	"context"
	"sync"
	"time"
)

const (
	stsRate  = 5  // calls a second to STS, for each source of credentials
	stsBurst = 30 // calls at once after a quiet time: STS allows an account hundreds a second
)

// priority orders the calls that wait for a token: the lower one goes first.
type priority struct {
	class int           // 0: a caller waits without a session, 1: less than a minute is left, 2: the rest
	left  time.Duration // within a class
}

func (p priority) before(other priority) bool {
	return p.class < other.class || (p.class == other.class && p.left < other.left)
}

// priorityLimiter is a token bucket of 5 calls a second that serves the highest
// priority first. It asks for a priority when it has a token, not when the wait begins:
// a caller may have arrived meanwhile.
type priorityLimiter struct {
	mu      sync.Mutex
	tokens  float64
	filled  time.Time
	waiting []*waiter
	timer   *time.Timer // armed while a call waits
}

type waiter struct {
	priority func() priority
	granted  chan struct{}
}

func newPriorityLimiter() *priorityLimiter {
	return &priorityLimiter{tokens: stsBurst, filled: time.Now()}
}

// wait blocks until this call gets a token, or ctx ends. A token that is not used goes
// back.
func (l *priorityLimiter) wait(ctx context.Context, urgent func() priority) error {
	w := &waiter{priority: urgent, granted: make(chan struct{})}
	l.mu.Lock()
	l.waiting = append(l.waiting, w)
	l.grant()
	l.mu.Unlock()
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-w.granted: // at the same moment: the next waiter gets the token
		l.tokens++
	default:
		for i := range l.waiting {
			if l.waiting[i] == w {
				l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
				break
			}
		}
	}
	l.grant()
	return ctx.Err()
}

// grant gives the available tokens to waiters, and arms the timer for the next one.
// l.mu is held.
func (l *priorityLimiter) grant() {
	now := time.Now()
	l.tokens = min(stsBurst, l.tokens+now.Sub(l.filled).Seconds()*stsRate)
	l.filled = now
	for l.tokens >= 1 && len(l.waiting) > 0 {
		best, first := 0, l.waiting[0].priority()
		for i, w := range l.waiting[1:] {
			if p := w.priority(); p.before(first) {
				best, first = i+1, p
			}
		}
		close(l.waiting[best].granted)
		l.waiting = append(l.waiting[:best], l.waiting[best+1:]...)
		l.tokens--
	}
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if len(l.waiting) > 0 {
		need := time.Duration((1-l.tokens)/stsRate*float64(time.Second)) + time.Millisecond
		l.timer = time.AfterFunc(need, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.grant()
		})
	}
}
