package watch

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/watch/journal"
	"github.com/brokerd/brokerd/internal/watch/safefile"
)

// job is a file as it was judged.
type job struct {
	file   *file // for finish; a worker reads and writes nothing of it
	from   *beginning
	rel    string
	disk   string
	info   safefile.Info
	stored *delivered
}

func (j job) named() string {
	if j.disk != "" {
		return j.disk
	}
	return j.rel
}

// end is how the handling of a file ended.
type end int

// The ends.
const (
	endDone     end = iota // removed, moved, or kept
	endAgain               // it changed, or its name is another file's: the next scan decides
	endHeld                // a process has it open for writing
	endRefused             // it must not be read
	endSkipped             // the journal says so
	endFailed              // failure says why
	endUnmoved             // delivered; failure says why it could not be removed or moved
	endCanceled            // life has ended
)

// result is the end of a job.
type result struct {
	job
	end     end
	id      identity
	name    string
	key     string
	stored  *delivered // set as soon as the file is delivered
	sent    bool       // it was delivered by this job
	existed bool
	moved   string // its path after a move
	rule    string
	failure *Failure
	took    time.Duration
}

// handle opens a file, and does everything that is left to do with it. It is called by a
// goroutine for each file.
func (w *watcher) handle(ctx context.Context, j job) result {
	began := time.Now()
	r := result{job: j, stored: j.stored}
	root, err := safefile.OpenRoot(j.from.dir, w.FollowLinks)
	if err != nil {
		return r.unreadable(err)
	}
	defer root.Close()
	f, info, err := root.Open(j.named())
	if err != nil {
		return r.unreadable(err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	if info != j.info {
		r.end = endAgain
		return r
	}
	if rule, why := w.forbidden(info, root.Device()); rule != "" {
		return r.refused(rule, why)
	}
	if w.Finished.Closed && j.disk == "" {
		switch safefile.Writers(f) {
		case safefile.HasWriter:
			r.end = endHeld
			return r
		case safefile.WritersUnknown:
			w.once("lease", "finished.closed cannot be tested here, so finished.idle decides alone: "+
				"the daemon needs the owner's user or CAP_LEASE, and a file system with leases")
		}
	}
	if r.id, err = identify(w.Name, root, f, info); err != nil {
		return r.unreadable(err)
	}
	if r = w.deliver(ctx, r, f); r.end != endDone {
		if r.failure != nil && r.failure.Kind == Dead {
			w.bury(root, &r, f)
		}
		return r
	}
	w.settle(root, &r, f)
	r.took = time.Since(began)
	return r
}

// deliver sends the file, unless that was done before.
func (w *watcher) deliver(ctx context.Context, r result, f *os.File) result {
	entry, known := w.journal.Get(r.id.id)
	switch {
	case known && entry.Outcome == journal.Differs:
		return r.failed(differs())
	case r.stored != nil:
		r.name = entry.Name
		return r
	case known && entry.Outcome == journal.Stored:
		r.stored, r.name = &delivered{ctime: r.info.Ctime}, entry.Name
		return r
	case known && entry.Outcome == journal.Skipped && r.disk == "":
		r.end = endSkipped
		return r
	case known:
		r.name = entry.Name
	}
	if r.name == "" {
		name, err := w.nameOf(r.from, r.rel, r.info)
		if err != nil {
			return r.failed(&Failure{Kind: Dead, Reason: reason.InvalidName, Message: err.Error() + "; change object_name, or rename the file"})
		}
		r.name = name
	}
	w.record(w.journal.Begin(r.id.id, r.name))
	sent, err := w.sender.Send(ctx, w.uploadOf(r.id, r.name, r.info, f))
	var failure *Failure
	switch {
	case errors.As(err, &failure):
		return r.failed(failure)
	case err != nil && ctx.Err() != nil:
		r.end = endCanceled
		return r
	case err != nil:
		return r.failed(&Failure{Reason: reason.Internal, Message: err.Error()})
	}
	w.record(w.journal.Stored(r.id.id))
	r.sent, r.key, r.existed = true, sent.Key, sent.Existed
	r.stored = &delivered{sum: sent.CRC32C, known: !sent.Existed, ctime: r.info.Ctime}
	return r
}

// nameOf returns the name of a file's object.
func (s *setting) nameOf(b *beginning, rel string, info safefile.Info) (string, error) {
	name, err := s.Template.Render(templateFile(b, rel, info))
	if err != nil {
		return "", fmt.Errorf("object_name: %w", err)
	}
	return name, config.ValidateName(name)
}

func (w *watcher) uploadOf(id identity, name string, info safefile.Info, f *os.File) Upload {
	return Upload{
		ID: id.id, Time: id.time, Destination: w.Destination, Name: name, UID: info.UID, GID: info.GID,
		Spool: w.AfterState == config.StateSpooled, File: f, Size: info.Size,
		Unchanged: func() error {
			now, err := safefile.Stat(f)
			if err == nil && !now.SameContent(info) {
				err = errChanged
			}
			return err
		},
	}
}

var errChanged = reason.New(reason.FileChanged, "the file changed while it was sent; nothing was stored")

// settle removes, moves or keeps a delivered file.
func (w *watcher) settle(root *safefile.Root, r *result, f *os.File) {
	now, err := safefile.Stat(f)
	if err != nil {
		*r = r.unmoved(err)
		return
	}
	if !now.SameContent(r.info) {
		r.end, r.stored = endAgain, nil
		return
	}
	if w.After == config.AfterKeep {
		return
	}
	if r.stored.known && now.Ctime != r.stored.ctime {
		// It was renamed, or its content was replaced and its times were set back.
		if same, err := hasSum(f, now.Size, r.stored.sum); err != nil {
			*r = r.unmoved(err)
			return
		} else if !same {
			// Under this identity, S3 would answer that it has the object.
			w.record(w.journal.Differ(r.id.id))
			r.stored = nil
			*r = r.failed(differs())
			return
		}
	}
	file := safefile.File{F: f, Rel: r.named(), Want: now}
	if w.After == config.AfterDelete {
		err = root.Remove(file, r.id.id, w.dropMarker(r.rel))
	} else {
		r.moved, err = root.Move(file, r.id.id, w.MoveTo, r.rel, w.moveMarker(r.rel))
	}
	switch {
	case errors.Is(err, safefile.ErrElsewhere):
		*r = r.unmoved(errRenamed)
	case errors.Is(err, safefile.ErrChanged):
		*r = r.unmoved(errWritten)
	case err != nil:
		*r = r.unmoved(err)
	default:
		w.record(w.journal.Forget(r.id.id))
	}
}

var (
	errRenamed = errors.New("it was renamed meanwhile; the next scan finds its new name")
	errWritten = errors.New("it was written to after its delivery, or a process has it open for writing")
)

func differs() *Failure {
	return &Failure{Kind: Dead, Reason: reason.FileChanged,
		Message: "its content changed after the delivery, and its modification time was set back; touch the file to send it again"}
}

// hasSum reports whether the file's content has the checksum.
func hasSum(f *os.File, size int64, sum uint32) (bool, error) {
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	n, err := io.Copy(h, io.NewSectionReader(f, 0, size))
	return n == size && h.Sum32() == sum, err
}

// dropMarker removes the marker before its file: a marker that stays alone would declare a
// later file of the same name finished.
func (w *watcher) dropMarker(rel string) func(*os.File) error {
	if w.Finished.Marker == "" {
		return nil
	}
	return func(dir *os.File) error {
		err := unix.Unlinkat(int(dir.Fd()), w.Finished.MarkerOf(path.Base(rel)), 0)
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("removing the marker: %w", err)
		}
		return nil
	}
}

func (w *watcher) moveMarker(rel string) func(from, to *os.File) error {
	if w.Finished.Marker == "" {
		return nil
	}
	return func(from, to *os.File) error {
		name := w.Finished.MarkerOf(path.Base(rel))
		err := unix.Renameat(int(from.Fd()), name, int(to.Fd()), name)
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("moving the marker: %w", err)
		}
		return nil
	}
}

// bury moves a dead file to failed_to.
func (w *watcher) bury(root *safefile.Root, r *result, f *os.File) {
	if w.FailedTo == "" {
		return
	}
	to, err := root.Move(safefile.File{F: f, Rel: r.named(), Want: r.info}, r.id.id, w.FailedTo, r.rel, w.moveMarker(r.rel))
	if err != nil {
		r.failure.Message += "; moving it to failed_to failed too: " + err.Error()
		return
	}
	r.moved = to
	w.record(w.journal.Forget(r.id.id))
}

// record reports an error of the journal, once: a full disk stops no delivery.
func (w *watcher) record(err error) {
	if err != nil {
		w.onceJournal(err)
	}
}

func (r result) failed(f *Failure) result {
	r.end, r.failure = endFailed, f
	return r
}

func (r result) unmoved(err error) result {
	r.end, r.failure = endUnmoved,
		&Failure{Reason: reason.FileUnmoved, Message: "it is delivered, and stays: " + err.Error() + unmovedHint(err)}
	return r
}

func unmovedHint(err error) string {
	switch {
	case errors.Is(err, unix.EXDEV):
		return "; move_to must be on the file system of the files"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EROFS):
		return "; give the daemon the right to write to the directory (in a sticky directory, only the owner may remove a file)"
	}
	return ""
}

func (r result) refused(rule, why string) result {
	r.end, r.rule, r.failure = endRefused, rule, &Failure{Reason: reason.FileRefused, Message: why}
	return r
}

// unreadable classifies an error of the file system.
func (r result) unreadable(err error) result {
	var refusal *safefile.Refusal
	switch {
	case errors.As(err, &refusal):
		return r.refused(RuleOutside, refusal.Why)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errShrunk):
		r.end = endAgain
		return r
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return r.failed(&Failure{Kind: Busy, Reason: reason.TooManyFiles, Message: err.Error()})
	case errors.Is(err, fs.ErrPermission):
		return r.failed(&Failure{
			Reason: reason.FileUnreadable, Message: err.Error() + "; give the daemon's user the right to read it: a group, or an ACL",
		})
	}
	return r.failed(&Failure{Reason: reason.FileUnreadable, Message: err.Error()})
}
