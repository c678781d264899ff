package watch

import (
	"errors"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/zap"
)

// Hints tell that something changed in a directory. They may be late, incomplete, or wrong.
type Hints interface {
	// Watch adds directories. Those that are known already cost little.
	Watch(dirs []string)
	// Changed receives a value after a change.
	Changed() <-chan struct{}
	// Close ends the notifications.
	Close()
}

// notifications are Hints of the kernel.
type notifications struct {
	w       *fsnotify.Watcher
	log     *zap.Logger
	changed chan struct{}
	done    chan struct{}
	limited bool
}

// NewHints returns the notifications of the kernel. log gets a line when they are limited:
// from then on, more is found by scans alone.
func NewHints(log *zap.Logger) (Hints, error) {
	w, err := fsnotify.NewBufferedWatcher(64)
	if err != nil {
		return nil, err
	}
	n := &notifications{w: w, log: log, changed: make(chan struct{}, 1), done: make(chan struct{})}
	go n.run()
	return n, nil
}

func (n *notifications) run() {
	defer close(n.done)
	overflowed := false
	for {
		select {
		case e, ok := <-n.w.Events:
			if !ok {
				return
			}
			if !e.Has(fsnotify.Create) && !e.Has(fsnotify.Rename) {
				continue // a program writes to its log: that finishes no file
			}
		case err, ok := <-n.w.Errors:
			if !ok {
				return
			}
			if !overflowed {
				overflowed = true
				n.log.Warn("notifications of the file system were lost; the scans find every file", zap.Error(err),
					zap.Bool("overflow", errors.Is(err, fsnotify.ErrEventOverflow)))
			}
		}
		select {
		case n.changed <- struct{}{}:
		default:
		}
	}
}

// Watch implements Hints. One goroutine calls it.
func (n *notifications) Watch(dirs []string) {
	if n.limited {
		return
	}
	// The kernel drops a directory that is removed: one that was made again is added again.
	active := make(map[string]bool, len(dirs))
	for _, d := range n.w.WatchList() {
		active[d] = true
	}
	now := make(map[string]bool, len(dirs))
	for _, d := range dirs {
		now[d] = true
		if active[d] {
			continue
		}
		if err := n.w.Add(d); err != nil {
			n.limited = true
			n.log.Warn("not every directory has notifications of the file system; the scans find every file", zap.String("directory", d),
				zap.Error(err))
			break
		}
	}
	for d := range active {
		if !now[d] {
			_ = n.w.Remove(d) // it may be gone
		}
	}
}

// Changed implements Hints.
func (n *notifications) Changed() <-chan struct{} { return n.changed }

// Close implements Hints.
func (n *notifications) Close() {
	_ = n.w.Close() // nothing is left to lose
	<-n.done
}
