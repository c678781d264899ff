package watch

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/watch/pattern"
	"github.com/brokerd/brokerd/internal/watch/safefile"
)

// Counts are totals since the start of the daemon.
type Counts struct {
	Found      uint64 // files, and new contents of known files
	Stored     uint64
	Bytes      int64 // of stored files
	Failed     uint64
	Changed    uint64 // of Failed: the file changed while it was sent
	Dead       uint64 // of Failed: the file cannot be delivered as it is
	Refused    uint64
	LastStored time.Time
}

// Status is the state of one watch.
type Status struct {
	Watch, Destination string
	Files              map[State]int
	Counts             Counts
	// Oldest is the modification time of the oldest file that is to be delivered; zero: none.
	Oldest time.Time
	// PausedSince is when the destination began to take nothing; zero: it takes files.
	PausedSince  time.Time
	PauseReason  reason.Reason
	PauseMessage string
	Problems     []string // directories that cannot be read
	Missing      []string // directories that do not exist
	Full         bool     // there are more than MaxFiles files
	Scanned      time.Time
	ScanTook     time.Duration
}

// FileStatus is the state of one file.
type FileStatus struct {
	Watch, Path string
	Size        int64
	Modified    time.Time
	State       State
	Rule        string
	Since       time.Time // of the rule
	Reason      reason.Reason
	Message     string
	Tries       int
	NextTry     time.Time
	UploadID    string
	// Name, Key and Action are set for a plan: the object, and what happens to the file.
	Name, Key, Action string
}

// Status returns the states of all watches, in the order of the configuration.
func (m *Manager) Status() []Status {
	all, _ := m.find("") // "" is always found
	out := make([]Status, len(all))
	for i, w := range all {
		out[i] = w.status()
	}
	return out
}

func (w *watcher) status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := Status{
		Watch: w.Name, Destination: w.Destination, Files: make(map[State]int), Counts: w.counts, PausedSince: w.pause.since,
		PauseReason: w.pause.reason, PauseMessage: w.pause.message, Problems: w.last.problems, Missing: w.last.missing, Full: w.last.full,
		Scanned: w.scanned, ScanTook: w.took,
	}
	if !w.pause.active() {
		s.PauseReason, s.PauseMessage = "", ""
	}
	for _, f := range w.files {
		s.Files[f.state]++
		switch f.state {
		case Waiting, InFlight, Retrying, DeadFile:
			if at := time.Unix(0, f.info.Mtime); s.Oldest.IsZero() || at.Before(s.Oldest) {
				s.Oldest = at
			}
		}
	}
	return s
}

// Scan scans now, and waits for the end of the scan.
func (m *Manager) Scan(ctx context.Context, name string) error {
	all, err := m.find(name)
	if err != nil {
		return err
	}
	for _, w := range all {
		done := make(chan struct{})
		w.mu.Lock()
		w.waiters = append(w.waiters, done)
		w.hurryLocked(time.Now())
		w.mu.Unlock()
		w.poke()
		select {
		case <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Look scans every watch once, and judges its files, instead of Run. It logs no refused
// file: its caller lists them with Files.
func (m *Manager) Look(ctx context.Context) error {
	all, _ := m.find("") // "" is always found
	for _, w := range all {
		began := time.Now()
		seen, err := w.scan(ctx)
		if err != nil {
			return err
		}
		_ = w.merge(seen, began)
		w.mu.Lock()
		w.judgeAll(time.Now())
		w.mu.Unlock()
	}
	return nil
}

// poke wakes run.
func (w *watcher) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Files returns the files of a watch, or of all for "", in the order of their delivery.
// With plan, the object of each file that is to be delivered is worked out, which reads
// 8 KiB of it.
func (m *Manager) Files(name string, plan bool) (iter.Seq[FileStatus], error) {
	all, err := m.find(name)
	if err != nil {
		return nil, err
	}
	return func(yield func(FileStatus) bool) {
		for _, w := range all {
			for _, f := range w.snapshot() {
				st := w.describe(&f, plan)
				if !yield(st) {
					return
				}
			}
		}
	}, nil
}

// snapshot returns copies of all files, sorted.
func (w *watcher) snapshot() []file {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]*file, 0, len(w.files))
	for _, f := range w.files {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b *file) int { return cmp.Or(w.before(a, b), cmp.Compare(a.info.Inode, b.info.Inode)) })
	out := make([]file, len(all))
	for i, f := range all {
		out[i] = *f
		if f.state == Waiting && f.rule == RuleTurn && w.pause.active() {
			out[i].rule, out[i].since, out[i].reason, out[i].message = RulePaused, w.pause.since, w.pause.reason, w.pause.message
		}
	}
	return out
}

func (w *watcher) describe(f *file, plan bool) FileStatus {
	st := FileStatus{
		Watch: w.Name, Path: f.path(), Size: f.info.Size, Modified: time.Unix(0, f.info.Mtime), State: f.state, Rule: f.rule, Since: f.since,
		Reason: f.reason, Message: f.message, Tries: f.tries, NextTry: f.next, UploadID: f.id.id,
	}
	if !plan {
		return st
	}
	switch f.state {
	case Waiting, InFlight, Retrying, Removing:
		st.Action = w.After
		w.foresee(f, &st)
	default:
		st.Action = "none"
	}
	return st
}

// foresee works out the object of a file.
func (w *watcher) foresee(f *file, st *FileStatus) {
	id, info := f.id, f.info
	fail := func(err error) {
		st.Message = cmp.Or(st.Message, err.Error())
	}
	if id.id == "" {
		var err error
		if id, info, err = w.identityOf(f); err != nil {
			fail(err)
			return
		}
	}
	st.UploadID = id.id
	entry, _ := w.journal.Get(id.id)
	if st.Name = entry.Name; st.Name == "" {
		var err error
		if st.Name, err = w.nameOf(f.from, f.rel, info); err != nil {
			fail(err)
			return
		}
	}
	key, err := w.sender.Key(w.uploadOf(id, st.Name, info, nil))
	if err != nil {
		fail(err)
		return
	}
	st.Key = key
}

// identityOf opens a file and identifies it.
func (w *watcher) identityOf(f *file) (identity, safefile.Info, error) {
	root, err := safefile.OpenRoot(f.from.dir, w.FollowLinks)
	if err != nil {
		return identity{}, safefile.Info{}, err
	}
	defer root.Close()
	open, info, err := root.Open(f.named())
	if err != nil {
		return identity{}, info, err
	}
	defer open.Close() //nolint:errcheck // nothing was written
	if _, why := w.forbidden(info, root.Device()); why != "" {
		return identity{}, info, errors.New(why)
	}
	id, err := identify(w.Name, root, open, info)
	return id, info, err
}

func (b *beginning) path(rel string) string { return (&file{from: b, rel: rel}).path() }

func templateFile(b *beginning, rel string, info safefile.Info) pattern.File {
	return pattern.File{Path: b.path(rel), Rel: rel, ModTime: time.Unix(0, info.Mtime)}
}

// Retry tries failed, dead and refused files again now. Without paths it tries all of the
// watch. It returns how many files are tried.
func (m *Manager) Retry(name string, paths []string) (int, error) {
	return m.each(name, paths, func(w *watcher, f *file) (bool, error) {
		switch f.state {
		case DeadFile, Retrying, Removing, Refused:
			stored := f.stored
			f.renew()
			f.stored = stored
			f.hold(Waiting, RuleTurn, time.Now())
			return true, nil
		case Waiting:
			f.next = time.Time{}
			return f.rule == RuleTurn || f.rule == RuleClosed, nil
		}
		return false, nil
	})
}

// Skip decides that files are not delivered. Their content is meant: a file of the same
// name with other content is delivered.
func (m *Manager) Skip(name string, paths []string) (int, error) {
	if len(paths) == 0 {
		return 0, reason.New(reason.InvalidHeader, "name the files to skip")
	}
	return m.each(name, paths, func(w *watcher, f *file) (bool, error) {
		switch f.state {
		case InFlight, Removing, Kept:
			return false, reason.New(reason.WatchUnknown, "%s: it is being delivered, or is delivered already", f.path())
		}
		id, _, err := w.identityOf(f)
		if err != nil {
			return false, reason.New(reason.FileUnreadable, "%s: %v", f.path(), err)
		}
		if err := w.journal.Skip(id.id); err != nil {
			return false, reason.New(reason.SpoolFailed, "writing the journal of the watch: %v", err)
		}
		f.id = id
		f.hold(Skipped, RuleSkipped, time.Now())
		return true, nil
	})
}

// each calls do for the files with the paths, or for all files, and then scans.
func (m *Manager) each(name string, paths []string, do func(*watcher, *file) (bool, error)) (int, error) {
	all, err := m.find(name)
	if err != nil {
		return 0, err
	}
	n := 0
	missing := make(map[string]bool)
	for _, p := range paths {
		missing[p] = true
	}
	for _, w := range all {
		done, err := w.each(paths, missing, do)
		n += done
		if err != nil {
			return n, err
		}
	}
	for _, p := range paths {
		if missing[p] {
			return n, reason.New(reason.WatchUnknown, "%s: no watch found such a file; write the absolute path", p)
		}
	}
	return n, nil
}

func (w *watcher) each(paths []string, missing map[string]bool, do func(*watcher, *file) (bool, error)) (n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.poke()
	for _, f := range w.files {
		p := f.path()
		if len(paths) > 0 && !slices.Contains(paths, p) {
			continue
		}
		delete(missing, p)
		did, err := do(w, f)
		if err != nil {
			return n, err
		}
		if did {
			n++
		}
	}
	if n > 0 {
		w.pause.until = time.Time{} // the next file probes the destination now
		w.nextJudge = time.Now()
		w.hurryLocked(time.Now())
	}
	return n, nil
}

// Settle waits until no file is in flight, waits for its turn, or waits for
// finished.idle. Files that failed are not waited for.
func (m *Manager) Settle(ctx context.Context) error {
	if err := m.Scan(ctx, ""); err != nil {
		return err
	}
	tick := time.NewTicker(settleTick)
	defer tick.Stop()
	for m.unsettled() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// settleTick is how often Settle looks.
const settleTick = 50 * time.Millisecond

func (m *Manager) unsettled() bool {
	all, _ := m.find("") // "" is always found
	return slices.ContainsFunc(all, func(w *watcher) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, f := range w.files {
			if f.state == InFlight || f.state == Waiting && (f.rule == RuleIdle || f.rule == RuleTurn && !w.pause.active()) {
				return true
			}
		}
		return false
	})
}
