//go:build linux

package hostile

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

// An upload of the honest user takes at most this long, or the attack got in.
const honestLimit = 10 * time.Second

// sample is one upload of the honest user.
type sample struct {
	Took  time.Duration `json:"took"`
	Error string        `json:"error,omitempty"`
}

// latencies are the honest user's uploads during an attack.
type latencies struct {
	N      int           `json:"n"`
	P50    time.Duration `json:"p50"`
	P99    time.Duration `json:"p99"`
	Failed int           `json:"failed"`
	Error  string        `json:"error,omitempty"` // the first
}

func (l latencies) String() string {
	if l.N == 0 {
		return "-"
	}
	s := fmt.Sprintf("p50 %v p99 %v n %d", l.P50.Round(time.Millisecond/10), l.P99.Round(time.Millisecond/10), l.N)
	if l.Failed > 0 {
		s += fmt.Sprintf(" FAILED %d (%s)", l.Failed, l.Error)
	}
	return s
}

func summary(samples []sample) latencies {
	l := latencies{N: len(samples)}
	if l.N == 0 {
		return l
	}
	took := make([]time.Duration, l.N)
	for i, s := range samples {
		took[i] = s.Took
		if s.Error != "" {
			l.Failed++
			if l.Error == "" {
				l.Error = s.Error
			}
		}
	}
	slices.Sort(took)
	l.P50, l.P99 = took[l.N/2], took[min(l.N-1, l.N*99/100)]
	return l
}

// uploadForever is the honest user: small objects, and every fourth above 64 KiB. It
// keeps going until the daemon of its arena is stopped and the process killed.
func uploadForever(t *Target) {
	c := t.dial()
	out := json.NewEncoder(t.answers)
	small, large := bytes.Repeat([]byte("s"), 1<<10), bytes.Repeat([]byte("l"), 200<<10)
	for i := 0; ; i++ {
		body := small
		if i%4 == 3 {
			body = large
		}
		ctx, cancel := context.WithTimeout(context.Background(), 3*honestLimit)
		begin := time.Now()
		_, err := c.Upload(ctx, "audit-logs", "honest.log", bytes.NewReader(body))
		s := sample{Took: time.Since(begin)}
		cancel()
		if err != nil {
			s.Error = err.Error()
		}
		if out.Encode(s) != nil {
			return
		}
	}
}

// honest collects the samples of the honest user.
type honest struct {
	mu      sync.Mutex
	cond    *sync.Cond
	samples []sample
	ended   bool
}

func (a *arena) startHonest(t *testing.T) {
	t.Helper()
	h := &honest{}
	h.cond = sync.NewCond(&h.mu)
	a.honest = h
	cmd, err := a.childCommand(t, alice, "honest")
	if err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{write}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	go func() {
		lines := bufio.NewScanner(read)
		for lines.Scan() {
			var s sample
			if json.Unmarshal(lines.Bytes(), &s) != nil {
				break
			}
			h.mu.Lock()
			h.samples = append(h.samples, s)
			h.mu.Unlock()
			h.cond.Broadcast()
		}
		h.mu.Lock()
		h.ended = true
		h.mu.Unlock()
		h.cond.Broadcast()
	}()
	a.stopHonest = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = read.Close()
	}
	h.next(4) // the session exists, and both sizes were sent
}

// count returns how many uploads have ended.
func (h *honest) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.samples)
}

// next waits for n more uploads that begin from now on, and returns how they went.
func (h *honest) next(n int) latencies {
	h.mu.Lock()
	defer h.mu.Unlock()
	from := len(h.samples) + 1 // the upload that is under way began before
	for len(h.samples) < from+n && !h.ended {
		h.cond.Wait()
	}
	return summary(h.samples[min(from, len(h.samples)):])
}

// since returns the uploads after the first n.
func (h *honest) since(n int) latencies {
	h.mu.Lock()
	defer h.mu.Unlock()
	return summary(h.samples[n:])
}
