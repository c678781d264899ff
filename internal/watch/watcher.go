package watch

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/watch/journal"
	"github.com/brokerd/brokerd/internal/watch/safefile"
)

const (
	// leastGap and mostGap bound the least time between two scans, a tenth of watch.scan.
	leastGap = 20 * time.Millisecond
	mostGap  = time.Second
	// gapPerScan keeps the scans that notifications ask for below a twentieth of a core.
	gapPerScan = 19
	// forgottenAfter is how many scans must miss a file while a directory cannot be read.
	forgottenAfter = 3
	// compactEvery is how often the journal is looked through.
	compactEvery = time.Hour
)

// watcher runs one watch. run owns the fields below the mutex, and everything else locks it.
type watcher struct {
	*setting
	sender  Sender
	log     *zap.Logger
	journal *journal.Log
	started time.Time // the first start of the watch
	hints   Hints     // nil: scans only

	results chan result
	wake    chan struct{}
	workers sync.WaitGroup

	mu        sync.Mutex
	files     map[inode]*file
	queue     []*file // ready files, in order
	inFlight  int
	scans     uint64
	pause     pause
	counts    Counts
	last      look      // without its files
	scanned   time.Time // when the last scan ended
	took      time.Duration
	nextScan  time.Time
	nextJudge time.Time // when a file's own pause ends; zero: no file waits
	compacted time.Time
	told      map[string]bool // notes that are written once
	waiters   []chan struct{} // are told of the end of the next scan
}

func newWatcher(s *setting, o *Options, log *journal.Log, started time.Time) *watcher {
	return &watcher{
		setting: s, sender: o.Sender, journal: log, started: started, log: o.Logger.With(zap.String("watch", s.Name)),
		results: make(chan result), wake: make(chan struct{}, 1), files: make(map[inode]*file), told: make(map[string]bool),
	}
}

// run scans and sends until ctx ends. Then it starts no file, and waits for those in
// flight, which end with life at the latest.
func (w *watcher) run(ctx, life context.Context) {
	var nudges <-chan struct{}
	if w.hints != nil {
		defer w.hints.Close()
		nudges = w.hints.Changed()
	}
	w.mu.Lock()
	w.nextScan = time.Now()
	w.mu.Unlock()
	for ctx.Err() == nil {
		timer := time.NewTimer(w.step(ctx, life))
		select {
		case <-ctx.Done():
		case r := <-w.results:
			w.finish(r)
		case <-w.wake:
		case <-nudges:
			w.hurry(time.Now())
		case <-timer.C:
		}
		timer.Stop()
	}
	w.drain()
}

// drain waits for the files in flight.
func (w *watcher) drain() {
	done := make(chan struct{})
	go func() { w.workers.Wait(); close(done) }()
	for {
		select {
		case r := <-w.results:
			w.finish(r)
		case <-done:
			return
		}
	}
}

// step does what is due, and returns the time until the next step.
func (w *watcher) step(ctx, life context.Context) time.Duration {
	w.mu.Lock()
	due := !time.Now().Before(w.nextScan)
	w.mu.Unlock()
	if due {
		began := time.Now()
		seen, err := w.scan(ctx)
		if err != nil {
			return 0 // ctx has ended
		}
		w.tellRefused(w.merge(seen, began))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if due || !w.nextJudge.IsZero() && !now.Before(w.nextJudge) {
		w.judgeAll(now)
	}
	later := w.dispatch(life, now)
	next := w.nextScan
	for _, t := range []time.Time{later, w.nextJudge} {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	return max(0, next.Sub(now))
}

// hurry makes the next scan earlier, as far as the cost of a scan allows.
func (w *watcher) hurry(to time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hurryLocked(to)
}

// hurryLocked is hurry while w.mu is held.
func (w *watcher) hurryLocked(to time.Time) {
	gap := max(leastGap, min(mostGap, w.Scan.Std()/10), gapPerScan*w.took)
	if earliest := w.scanned.Add(gap); to.Before(earliest) {
		to = earliest
	}
	if to.Before(w.nextScan) {
		w.nextScan = to
	}
}

// merge adopts the result of a scan. It returns the files that are newly refused.
func (w *watcher) merge(seen look, began time.Time) (refused []found) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.scans++
	w.scanned, w.took, w.nextScan = now, now.Sub(began), began.Add(w.Scan.Std())
	for _, f := range seen.files {
		if w.meet(f, now) {
			refused = append(refused, f)
		}
	}
	for key, f := range w.files {
		missed := w.scans - f.seen
		if missed > 0 && f.state != InFlight && (len(seen.problems) == 0 || missed >= forgottenAfter) {
			delete(w.files, key)
		}
	}
	w.tellLook(seen)
	if w.hints != nil {
		w.hints.Watch(seen.dirs)
	}
	seen.files, seen.dirs = nil, nil
	w.last = seen
	if now.Sub(w.compacted) >= compactEvery {
		w.compacted = now
		w.compact(now)
	}
	for _, c := range w.waiters {
		close(c)
	}
	w.waiters = nil
	return refused
}

// meet updates one file. It reports whether the file is newly refused.
func (w *watcher) meet(e found, now time.Time) (refused bool) {
	key := inode{e.info.Device, e.info.Inode}
	f := w.files[key]
	switch {
	case f == nil:
		f = &file{info: e.info, stable: now, state: Waiting}
		w.files[key] = f
		w.counts.Found++
	case f.seen == w.scans:
		return false // another glob, or another link, leads to the same file
	case f.state != InFlight && f.info != e.info:
		if !f.info.SameContent(e.info) {
			w.counts.Found++
			f.renew()
		} else if f.state != Removing {
			f.renew() // renamed, or its mode or owner changed: the journal knows it
		}
		f.info, f.stable = e.info, now
	}
	f.seen, f.from, f.rel, f.disk = w.scans, e.from, e.rel, e.disk
	if f.state == InFlight {
		return false
	}
	if e.rule == "" {
		if f.state == Refused {
			f.state = Waiting
		}
		return false
	}
	refused = f.state != Refused || f.rule != e.rule
	f.hold(Refused, e.rule, now)
	f.message = e.why
	if refused {
		w.counts.Refused++
	}
	return refused
}

// judgeAll decides about every file, and makes the queue.
func (w *watcher) judgeAll(now time.Time) {
	w.queue, w.nextJudge = w.queue[:0], time.Time{}
	markers := newMarkers(w.setting)
	defer markers.close()
	for _, f := range w.files {
		look := w.judge(f, now, w.started, func() bool { return markers.exists(f.from, f.rel) })
		switch {
		case f.state == Waiting && f.rule == RuleTurn:
			w.queue = append(w.queue, f)
		case look.IsZero():
		case f.rule == RuleIdle:
			w.hurryLocked(look)
		case w.nextJudge.IsZero() || look.Before(w.nextJudge):
			w.nextJudge = look
		}
	}
	slices.SortFunc(w.queue, w.before)
}

// before is the order of delivery.
func (w *watcher) before(a, b *file) int {
	byName := cmp.Or(strings.Compare(a.from.dir, b.from.dir), strings.Compare(a.rel, b.rel))
	if w.Order == config.OrderName {
		return byName
	}
	return cmp.Or(cmp.Compare(a.info.Mtime, b.info.Mtime), byName)
}

// dispatch starts ready files. It returns when more may start; zero: when a file has ended.
func (w *watcher) dispatch(life context.Context, now time.Time) time.Time {
	most, later := w.pause.allows(now, w.Concurrency)
	for w.inFlight < most && len(w.queue) > 0 {
		f := w.queue[0]
		w.queue = w.queue[1:]
		if f.state != Waiting || f.rule != RuleTurn {
			continue // it was skipped meanwhile
		}
		f.hold(InFlight, RuleInFlight, now)
		w.inFlight++
		j := job{file: f, from: f.from, rel: f.rel, disk: f.disk, info: f.info, stored: f.stored}
		w.workers.Go(func() { w.results <- w.handle(life, j) })
	}
	if len(w.queue) == 0 {
		return time.Time{}
	}
	return later
}

// compact removes the journal's entries of files that are long gone; w.mu is held.
func (w *watcher) compact(now time.Time) {
	live := make(map[string]bool)
	for _, f := range w.files {
		if f.id.id != "" {
			live[f.id.id] = true
		}
	}
	if err := w.journal.Compact(now, func(id string) bool { return live[id] }); err != nil {
		w.onceLocked("journal", journalNote, zap.Error(err))
	}
}

// markers looks for the markers of files.
type markers struct {
	*setting
	roots map[*beginning]*safefile.Root
}

func newMarkers(s *setting) *markers {
	return &markers{setting: s, roots: make(map[*beginning]*safefile.Root)}
}

func (m *markers) exists(b *beginning, rel string) bool {
	root, known := m.roots[b]
	if !known {
		root, _ = safefile.OpenRoot(b.dir, false) // without it, no marker is seen
		m.roots[b] = root
	}
	if root == nil {
		return false
	}
	dir, err := root.Dir(path.Dir(rel))
	if err != nil {
		return false
	}
	defer dir.Close() //nolint:errcheck // nothing was written
	info, err := safefile.StatAt(dir, m.Finished.MarkerOf(path.Base(rel)), false)
	return err == nil && info.Regular && info.UID == m.uid
}

func (m *markers) close() {
	for _, r := range m.roots {
		if r != nil {
			r.Close()
		}
	}
}
