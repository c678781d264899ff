package quota

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"
)

const (
	// linesEach is how many lines of one reason each share has a second.
	linesEach = 3
	// linesBurst is how many lines of one reason a share has at once.
	linesBurst = 10
	// linesReport is how often the lines that were left out are reported.
	linesReport = 10 * time.Second
)

// Lines limits the log lines that a user can cause, for each share and reason. Lines that
// were left out are counted, and reported every ten seconds by Run. Its methods may be
// called from several goroutines.
//
// Lines about a right that was used, such as credentials that were issued or a call of
// an administrator, do not come here.
type Lines struct {
	log *zap.Logger

	mu     sync.Mutex // guards the fields below
	lines  map[lineKey]*line
	others uint64 // lines left out for shares beyond rememberedShares
}

type lineKey struct {
	share  share
	reason string
}

type line struct {
	limit   *rate.Limiter
	party   Party
	message string
	leftOut uint64
	used    bool // since the last report
}

// NewLines returns a limit for lines that go to log.
func NewLines(log *zap.Logger) *Lines {
	return &Lines{log: log, lines: make(map[lineKey]*line)}
}

// Warn writes a line of level warn, unless p has had too many of the same reason.
func (l *Lines) Warn(p Party, reason, message string, fields ...zap.Field) {
	if l.allow(p, reason, message) {
		l.log.Warn(message, fields...)
	}
}

// allow counts a line, and reports whether it is to be written.
func (l *Lines) allow(p Party, reason, message string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := lineKey{p.share(), reason}
	it := l.lines[k]
	if it == nil {
		if len(l.lines) >= rememberedShares {
			l.others++
			return false
		}
		it = &line{limit: rate.NewLimiter(linesEach, linesBurst), party: p}
		l.lines[k] = it
	}
	it.message, it.used = message, true
	if it.limit.Allow() {
		return true
	}
	it.leftOut++
	return false
}

// Run reports the lines that were left out, until ctx ends. It returns nil.
func (l *Lines) Run(ctx context.Context) error {
	tick := time.NewTicker(linesReport)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.Report()
		case <-ctx.Done():
			l.Report()
			return nil
		}
	}
}

// Report writes a line for each share and reason whose lines were left out since the
// last report.
func (l *Lines) Report() {
	l.mu.Lock()
	var out []lineKey
	var told []line
	for k, it := range l.lines {
		if it.leftOut > 0 {
			out, told = append(out, k), append(told, *it)
			it.leftOut = 0
		}
		if !it.used {
			delete(l.lines, k) // its limit is full again
		}
		it.used = false
	}
	others := l.others
	l.others = 0
	l.mu.Unlock()
	for i, k := range out {
		l.log.Warn(fmt.Sprintf("%s (%d more of the same from %s)", told[i].message, told[i].leftOut, told[i].party),
			zap.String("reason", k.reason), zap.Uint64("lines", told[i].leftOut), zap.Stringer("party", told[i].party))
	}
	if others > 0 {
		l.log.Warn("log lines about refused users were left out: too many different users", zap.Uint64("lines", others))
	}
}
