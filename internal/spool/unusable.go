package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/brokerd/brokerd/internal/reason"
)

// unusableFiles lists the files of accepted objects that cannot be used: unreadable
// files in their place, and damaged files in quarantine/. Its methods take the mutex of
// the index, unless they say otherwise.
type unusableFiles struct {
	mu    *sync.Mutex // of the index
	dir   *directory
	files map[string]*unrecovered // by name
}

// list returns the unusable files, sorted by name. A file that an operator has removed
// is forgotten.
func (l *unusableFiles) list() []*unrecovered {
	l.mu.Lock()
	list := slices.Collect(maps.Values(l.files))
	l.mu.Unlock()
	list = slices.DeleteFunc(list, func(u *unrecovered) bool {
		_, err := l.dir.fs.Stat(l.dir.path(u.name))
		if !errors.Is(err, fs.ErrNotExist) {
			return false
		}
		l.forget(u.name)
		return true
	})
	slices.SortFunc(list, func(a, b *unrecovered) int { return strings.Compare(a.name, b.name) })
	return list
}

func (l *unusableFiles) forget(name string) {
	l.mu.Lock()
	l.remove(name)
	l.mu.Unlock()
}

// remove takes a file off the list. The mutex is held.
func (l *unusableFiles) remove(name string) { delete(l.files, name) }

// of returns the unusable file of an object; nil without one. The mutex is held.
func (l *unusableFiles) of(id ulid.ULID) *unrecovered {
	for _, name := range []string{nameOf(id, dirQueue, extObject), nameOf(id, dirDead, extObject), nameOf(id, dirQuarantine, extObject)} {
		if u := l.files[name]; u != nil {
			return u
		}
	}
	return nil
}

// markUnreadable records a file that cannot be read.
func (l *unusableFiles) markUnreadable(name string, why error) *unrecovered {
	u := &unrecovered{name: name, state: Unreadable, since: time.Now().UTC()}
	u.id, _, _ = splitName(path.Base(name))
	info, err := l.dir.fs.Stat(l.dir.path(name))
	if err == nil {
		u.size = info.Size()
	}
	u.text = fmt.Sprintf("%s cannot be read: %v; %s", name, errnoOf(why), l.repair(name, info, why))
	l.mu.Lock()
	if known := l.files[name]; known != nil {
		u.since = known.since
	}
	l.files[name] = u
	l.mu.Unlock()
	return u
}

// repair tells an operator how to make a file readable; info may be nil. It needs no mutex.
func (l *unusableFiles) repair(name string, info fs.FileInfo, why error) string {
	full := l.dir.path(name)
	switch {
	case errors.Is(why, fs.ErrPermission):
		uid, owner := os.Geteuid(), "another user"
		if info != nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				owner = fmt.Sprintf("user %d with mode %04o", st.Uid, info.Mode().Perm())
			}
		}
		return fmt.Sprintf("it belongs to %s and the daemon runs as user %d; run: chown %d %s && chmod 0600 %s", owner, uid, uid, full, full)
	case errors.Is(why, syscall.EMFILE), errors.Is(why, syscall.ENFILE):
		return "the daemon reads it again by itself; raise the limit of open files (LimitNOFILE of the unit, ulimit -n)"
	case errors.Is(why, syscall.EIO):
		return "check the disk (dmesg, smartctl); the daemon reads the file again by itself"
	case errors.Is(why, errNotRegular):
		return "remove it, or put the file itself in its place"
	case errors.Is(why, syscall.ELOOP):
		return "it is a symbolic link; put the file itself in its place"
	default:
		return "the daemon reads it again by itself"
	}
}

// moveToQuarantine moves a damaged file to quarantine/ and records it.
func (l *unusableFiles) moveToQuarantine(name string, why error) *unrecovered {
	aside := dirQuarantine + "/" + path.Base(name)
	u := &unrecovered{name: aside, state: Quarantined, since: time.Now().UTC()}
	u.id, _, _ = splitName(path.Base(name))
	if info, err := l.dir.fs.Stat(l.dir.path(name)); err == nil {
		u.size = info.Size()
	}
	text, err := line(cause{Reason: reason.Unreadable, Error: why.Error(), At: u.since, From: name})
	if err == nil {
		err = l.dir.writeSmall(aside+extReason, text)
	}
	if err == nil {
		err = l.dir.transfer(name, aside)
	}
	u.text = quarantineText(aside, why.Error())
	if err != nil {
		u.name = name // it stays until the next start
		u.text = fmt.Sprintf("%s is damaged: %v; it could not be moved to %s/: %v", name, why, dirQuarantine, err)
	}
	l.mu.Lock()
	l.remove(name)
	l.files[u.name] = u
	l.mu.Unlock()
	return u
}

// recoverQuarantine lists the files that earlier starts moved to quarantine/. It takes no
// mutex: only Open calls it, before other goroutines have the spool.
func (l *unusableFiles) recoverQuarantine() error {
	err := l.dir.fs.ReadDir(l.dir.path(dirQuarantine), func(base string) error {
		name := dirQuarantine + "/" + base
		if strings.HasSuffix(base, extTemporary) {
			return l.dir.discard(name)
		}
		if strings.HasSuffix(base, extReason) {
			return nil
		}
		u := &unrecovered{name: name, state: Quarantined, since: time.Now().UTC()}
		u.id, _, _ = splitName(base)
		if info, err := l.dir.fs.Stat(l.dir.path(name)); err == nil {
			u.size = info.Size()
		}
		why := "its reason cannot be read"
		if c, err := l.dir.readCause(name + extReason); err == nil {
			why, u.since = c.Error, c.At
		}
		u.text = quarantineText(name, why)
		l.files[name] = u
		return nil
	})
	return wrapDirNil(dirQuarantine, err)
}

// errnoOf is the system's error without the names around it.
func errnoOf(err error) error {
	if errors.Is(err, errNotRegular) {
		return errNotRegular
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

func quarantineText(name, why string) string {
	return fmt.Sprintf("%s is damaged: %s; have the object sent again, then run brokerctl spool drop", name, why)
}
