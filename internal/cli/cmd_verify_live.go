package cli

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/brokerd/brokerd/internal/textwrap"
	"github.com/brokerd/brokerd/internal/verify/render"
	"github.com/brokerd/brokerd/internal/verify/report"
)

const (
	spinEvery = 100 * time.Millisecond
	clearLine = "\r\x1b[K"
)

var spinFrames = []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}

// live shows the progress in one line of a terminal, and prints nothing elsewhere.
// It is a listener. Wrapped around a listener that prints, it clears its line first.
type live struct {
	names []string
	next  listener // nil: none
	halt  func()

	mu      sync.Mutex
	w       io.Writer // nil: print nothing
	paint   console.Palette
	began   time.Time
	note    string
	at      map[int]string // category in progress, by destination
	done    int
	frame   int
	stopped bool
}

// newLive starts a progress line on w, if w is a terminal. Call stop at the end.
func newLive(a *console.App, w io.Writer, names []string) *live {
	l := &live{names: names, at: make(map[int]string), halt: func() {}}
	if console.IsTerminal(w) && os.Getenv("TERM") != "dumb" {
		l.start(w, a.Palette(w))
	}
	return l
}

func (l *live) start(w io.Writer, paint console.Palette) {
	l.w, l.paint, l.began = w, paint, time.Now()
	ended, gone := make(chan struct{}), make(chan struct{})
	l.halt = sync.OnceFunc(func() { close(ended); <-gone })
	go func() {
		defer close(gone)
		tick := time.NewTicker(spinEvery)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
				l.mu.Lock()
				l.frame++
				l.draw()
				l.mu.Unlock()
			}
		}
	}()
}

// stop clears the line. It may be called more than once.
func (l *live) stop() {
	l.halt()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.w != nil && !l.stopped {
		_, _ = io.WriteString(l.w, clearLine)
	}
	l.stopped = true
}

// around makes l pass every event on to next.
func (l *live) around(next listener) *live {
	l.next = next
	return l
}

// again starts another round over these destinations.
func (l *live) again(names []string, note string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names, l.note, l.done = names, note, 0
	clear(l.at)
	l.draw()
}

func (l *live) check(i int, c report.Check) error {
	return l.heard(func() { l.at[i] = c.Category }, func() error { return l.next.check(i, c) })
}

func (l *live) end(i int, r render.Result) error {
	return l.heard(func() { delete(l.at, i); l.done++ }, func() error { return l.next.end(i, r) })
}

func (l *live) heard(note func(), hand func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	note()
	if l.next == nil {
		return nil
	}
	if l.w != nil && !l.stopped {
		_, _ = io.WriteString(l.w, clearLine)
	}
	err := hand()
	l.draw()
	return err
}

// draw is called with the lock held. It ignores errors of the terminal.
func (l *live) draw() {
	if l.w == nil || l.stopped {
		return
	}
	text := textwrap.Cut(l.text(), cmp.Or(console.Columns(l.w), 80)-1) // a wrapped line could not be cleared
	_, _ = io.WriteString(l.w, clearLine+l.paint.Dim(text))
}

func (l *live) text() string {
	text := spinFrames[l.frame%len(spinFrames)] + " verifying"
	if len(l.names) > 1 {
		text += fmt.Sprintf(", %d of %d done", l.done, len(l.names))
	}
	if first := slices.Sorted(maps.Keys(l.at)); len(first) > 0 {
		text += fmt.Sprintf(": %s, %s", l.names[first[0]], l.at[first[0]])
	} else if len(l.names) == 1 {
		text += ": " + l.names[0]
	}
	text += fmt.Sprintf(" · %ds", int(time.Since(l.began).Seconds()))
	if l.note != "" {
		text += " · " + l.note
	}
	return text
}
