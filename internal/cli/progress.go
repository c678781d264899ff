package cli

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"
	"github.com/brokerd/brokerd/internal/textwrap"

	"github.com/schollz/progressbar/v3"
)

// progress is one bar for all files. It is silent unless standard error is a terminal.
type progress struct {
	mu  sync.Mutex
	bar *progressbar.ProgressBar // nil: silent
}

func newProgress(w io.Writer, jobs []uploadJob, f uploadFlags) *progress {
	p := &progress{}
	if f.quiet || !console.IsTerminal(w) {
		return p
	}
	total := int64(0)
	for _, j := range jobs {
		info, err := os.Stat(j.file)
		if j.file == "-" || err != nil || !info.Mode().IsRegular() {
			total = -1 // unknown length: show a spinner
			break
		}
		total += info.Size()
	}
	p.bar = progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(describeJobs(jobs, console.Columns(w))),
		progressbar.OptionShowBytes(true),
		progressbar.OptionShowCount(),
		progressbar.OptionUseIECUnits(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetWidth(barWidth),
		progressbar.OptionSetRenderBlankState(true),
	)
	return p
}

const (
	barWidth = 12
	// barText is the rest of the line: bytes, rate and times.
	barText = 48
)

// describeJobs names the object, or counts the files, in the columns that are left.
func describeJobs(jobs []uploadJob, columns int) string {
	text := jobs[0].displayName()
	if len(jobs) > 1 {
		text = console.Counted(len(jobs), "file")
	}
	return textwrap.Cut(console.Printable(text), max(columns-barWidth-barText, 8))
}

// track returns the progress callback of one attempt for one file. Its argument is the
// number of bytes sent so far.
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

// clear removes the bar, so that a line of text can be printed.
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
