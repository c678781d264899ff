package cli

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress is one bar for all files. It is silent unless standard error is a terminal.
type progress struct {
	mu  sync.Mutex
	bar *progressbar.ProgressBar // nil: silent
}

func newProgress(w io.Writer, jobs []uploadJob, f uploadFlags) *progress {
	p := &progress{}
	if f.quiet || !isTerminal(w) {
		return p
	}
	total := int64(0)
	for _, j := range jobs {
		info, err := os.Stat(j.file)
		if j.file == "-" || err != nil || !info.Mode().IsRegular() {
			total = -1 // a spinner: the length is not known
			break
		}
		total += info.Size()
	}
	p.bar = progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(f.destination),
		progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetWidth(24),
	)
	return p
}

// track returns the callback of one try of one file: it is told the bytes sent so far.
func (p *progress) track(uploadJob) func(int64) {
	if p.bar == nil {
		return func(int64) {}
	}
	last := int64(0)
	return func(sent int64) {
		p.mu.Lock()
		defer p.mu.Unlock()
		_ = p.bar.Add64(sent - last)
		last = sent
	}
}

// clear makes room for a line of text.
func (p *progress) clear() {
	if p.bar == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.bar.Clear()
}

func (p *progress) done() {
	if p.bar == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.bar.Finish()
}
