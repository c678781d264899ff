package client

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"time"
)

// producer reads a body in a goroutine of its own, because the Read of a pipe or a
// terminal can be interrupted by nothing. It survives the retries of an upload: a Read
// that is in progress when an attempt fails belongs to the next one.
//
// After the end of ctx a Read may still be in progress, and its bytes are lost.
type producer struct {
	r    io.Reader
	want chan []byte
	got  chan filled
	once sync.Once

	mu   sync.Mutex
	n    int  // bytes of the current buffer that were read
	busy bool // a buffer is being filled
}

// filled is a buffer that is full, or the last one.
type filled struct {
	n   int
	err error
}

func newProducer(r io.Reader) *producer {
	return &producer{r: r, want: make(chan []byte), got: make(chan filled, 1)}
}

// blocks reports whether a Read of r may wait for another process. Memory and sections of
// files do not, so that they need no goroutine.
func blocks(r io.Reader) bool {
	switch r := r.(type) {
	case *bytes.Reader, *bytes.Buffer, *strings.Reader, *io.SectionReader:
		return false
	case *io.LimitedReader:
		return blocks(r.R)
	case *replay:
		return blocks(r.r)
	}
	return true
}

// begin starts to fill buf.
func (p *producer) begin(buf []byte) {
	p.once.Do(func() { go p.run() })
	p.mu.Lock()
	p.n, p.busy = 0, true
	p.mu.Unlock()
	p.want <- buf
}

func (p *producer) run() {
	for buf := range p.want {
		out := filled{}
		for out.n < len(buf) && out.err == nil {
			var m int
			m, out.err = p.r.Read(buf[out.n:])
			out.n += m
			p.mu.Lock()
			p.n = out.n
			p.mu.Unlock()
		}
		p.got <- out
	}
}

// progress returns how many bytes of the current buffer were read.
func (p *producer) progress() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

// reading reports whether a Read may be in progress.
func (p *producer) reading() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.busy
}

// taken must be called after a value of got was received.
func (p *producer) taken() {
	p.mu.Lock()
	p.busy = false
	p.mu.Unlock()
}

// settle waits until no Read is in progress, so that the body can be rewound.
func (p *producer) settle(ctx context.Context) error {
	if !p.reading() {
		return nil
	}
	select {
	case <-p.got:
		p.taken()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close ends the goroutine when its Read returns.
func (p *producer) close() { close(p.want) }

// partialAfter is how long bytes of a slow producer wait for more before they are sent.
const partialAfter = 200 * time.Millisecond
