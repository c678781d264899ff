package watch

import (
	"time"

	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/watch/safefile"
)

// closedAgain is how long after a writer was seen the file is probed again, at the least.
const closedAgain = time.Second

// finish takes over how the handling of a file ended.
func (w *watcher) finish(r result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	f := r.file
	w.inFlight--
	f.id, f.stored = r.id, r.stored
	if r.sent {
		w.delivered(r, now)
	}
	switch r.end {
	case endDone:
		f.tries, f.reason, f.message = 0, "", ""
		f.hold(Kept, RuleDone, now)
		if w.After != config.AfterKeep {
			w.drop(f)
			w.log.Info("file "+pastTense[w.After], w.about(r, zap.String("to", r.moved))...)
		}
	case endAgain:
		w.log.Info("a file changed, or was renamed, before it was delivered; it is looked at again", w.about(r)...)
		f.renew()
		f.stable = now
		f.hold(Waiting, RuleIdle, now)
	case endHeld:
		f.next = now.Add(max(closedAgain, w.Scan.Std()))
		f.hold(Waiting, RuleClosed, now)
		w.soonest(f.next)
	case endRefused:
		f.hold(Refused, r.rule, now)
		f.message = r.failure.Message
		w.counts.Refused++
		w.log.Warn("a file is refused", w.about(r, zap.String("rule", r.rule), zap.String("why", r.failure.Message))...)
	case endSkipped:
		f.hold(Skipped, RuleSkipped, now)
	case endUnmoved:
		w.unmoved(r, now)
	case endFailed:
		w.failed(r, now)
	case endCanceled:
		f.hold(Waiting, RuleTurn, now)
	}
}

// pastTense is the end of a delivered file, for the log.
var pastTense = map[string]string{config.AfterDelete: "removed", config.AfterMove: "moved"}

// delivered counts and logs an object. The first one ends the pause.
func (w *watcher) delivered(r result, now time.Time) {
	w.counts.Stored++
	w.counts.Bytes += r.info.Size
	w.counts.LastStored = now
	if w.pause.ended() {
		w.log.Info("the destination takes files again", zap.String("destination", w.Destination))
	}
	w.log.Info("file delivered", w.about(r, zap.String("name", r.name), zap.String("key", r.key), zap.Int64("size", r.info.Size),
		zap.Bool("existed", r.existed))...)
}

// failed decides about a file that was not delivered.
func (w *watcher) failed(r result, now time.Time) {
	f, e := r.file, r.failure
	about := w.about(r, zap.String("reason", string(e.Reason)), zap.String("error", e.Message))
	switch e.Kind {
	case Busy:
		w.pause.refused(now, e)
		f.hold(Waiting, RuleTurn, now)
		w.soonest(w.pause.busy)
		return
	case Changed:
		w.log.Warn("a file changed while it was sent; there is no object, and it is sent again", about...)
		w.counts.Failed++
		w.counts.Changed++
		f.renew()
		f.stable = now
		f.hold(Waiting, RuleIdle, now)
		return
	case Dead:
		w.counts.Failed++
		w.counts.Dead++
		f.reason, f.message = e.Reason, e.Message
		f.hold(DeadFile, RuleDead, now)
		w.log.Error("a file cannot be delivered as it is", append(about, zap.String("moved_to", r.moved))...)
		if r.moved != "" {
			w.drop(f)
		}
		return
	case Pause:
		if w.pause.failed(now, e) {
			w.log.Error("the destination takes no file; the files stay, and one at a time probes it", about...)
		}
	}
	w.counts.Failed++
	f.failed(now, e)
	f.hold(Retrying, RuleRetry, now)
	w.soonest(f.next)
	w.log.Warn("a file was not delivered; it is tried again",
		append(about, zap.Int("tries", f.tries), zap.Duration("next_try_in", f.next.Sub(now)))...)
}

// unmoved decides about a delivered file that is still there.
func (w *watcher) unmoved(r result, now time.Time) {
	f := r.file
	first := f.tries == 0
	f.failed(now, r.failure)
	f.hold(Removing, RuleRemove, now)
	w.soonest(f.next)
	if first {
		w.log.Warn("a delivered file could not be removed or moved; that is tried again", w.about(r, zap.String("error", r.failure.Message))...)
	}
}

// drop forgets a file that is gone.
func (w *watcher) drop(f *file) {
	key := inode{f.info.Device, f.info.Inode}
	if w.files[key] == f {
		delete(w.files, key)
	}
}

// soonest makes run look at the files again at t at the latest.
func (w *watcher) soonest(t time.Time) {
	if w.nextJudge.IsZero() || t.Before(w.nextJudge) {
		w.nextJudge = t
	}
}

func (w *watcher) about(r result, more ...zap.Field) []zap.Field {
	out := []zap.Field{zap.String("file", r.from.path(r.rel)), zap.String("destination", w.Destination)}
	if r.id.id != "" {
		out = append(out, zap.String("upload_id", r.id.id))
	}
	if safe, ok := safefile.Unstaged(r.disk); ok {
		out = append(out, zap.String("staged", safe))
	}
	return append(out, more...)
}

// maxToldRefusals bounds the lines of one scan about refused files.
const maxToldRefusals = 20

// tellRefused logs the files that a scan refused.
func (w *watcher) tellRefused(files []found) {
	for _, f := range files[:min(len(files), maxToldRefusals)] {
		w.log.Warn("a file is refused", zap.String("file", f.from.path(f.rel)), zap.String("reason", string(reason.FileRefused)),
			zap.String("rule", f.rule), zap.String("why", f.why))
	}
	if more := len(files) - maxToldRefusals; more > 0 {
		w.log.Warn("more files are refused; `brokerctl watch ls` lists them", zap.Int("files", more))
	}
}

// tellLook logs what changed since the last scan.
func (w *watcher) tellLook(l look) {
	w.change("problems", len(l.problems) > 0, "directories cannot be read; their files wait", "all directories can be read again",
		zap.Strings("problems", l.problems))
	w.change("missing", len(l.missing) > 0, "watched directories do not exist; they are looked for again", "the watched directories exist",
		zap.Strings("directories", l.missing))
	w.change("full", l.full, "there are too many files; the others are found when some are gone", "all files are found again",
		zap.Int("limit", MaxFiles))
	if l.remote != "" {
		w.onceLocked("remote", "files on "+l.remote+" are found by scans alone: other hosts' changes cause no notification")
	}
}

// change logs the beginning and the end of a condition.
func (w *watcher) change(what string, now bool, begins, ends string, fields ...zap.Field) {
	switch was := w.told[what]; {
	case now && !was:
		w.log.Warn(begins, fields...)
	case !now && was:
		w.log.Info(ends)
	}
	w.told[what] = now
}

// once writes a warning that is written once.
func (w *watcher) once(what, text string, fields ...zap.Field) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onceLocked(what, text, fields...)
}

// onceLocked is once while w.mu is held.
func (w *watcher) onceLocked(what, text string, fields ...zap.Field) {
	if !w.told[what] {
		w.told[what] = true
		w.log.Warn(text, fields...)
	}
}

const journalNote = "the journal of the watch cannot be written; after a restart, files that are kept are read again"

func (w *watcher) onceJournal(err error) { w.once("journal", journalNote, zap.Error(err)) }
