package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/watch/safefile"
)

// Problem is a missing right, or a directory that does not fit.
type Problem struct {
	Watch, Path string
	Message     string // with the repair
	// Final reports whether no right can help: move_to is on another file system.
	Final bool
}

// String returns one line.
func (p Problem) String() string { return fmt.Sprintf("watch %s: %s: %s", p.Watch, p.Path, p.Message) }

// Problems returns the problems of the watches of one destination, as lines.
func Problems(ctx context.Context, c *config.Config, destination string, owner func(config.Peer) (Owner, error)) ([]string, error) {
	only := *c
	only.Watch = nil
	for _, w := range c.Watch {
		if w.Destination == destination {
			only.Watch = append(only.Watch, w)
		}
	}
	problems, err := CheckAccess(ctx, &only, owner)
	var out []string
	for _, p := range problems {
		out = append(out, p.String())
	}
	return out, err
}

// CheckAccess tests with the rights of this process whether the watches of c can list
// their directories, read their files, and remove or move them. It changes no file; it
// reads no content.
func CheckAccess(ctx context.Context, c *config.Config, owner func(config.Peer) (Owner, error)) ([]Problem, error) {
	var out []Problem
	for i := range c.Watch {
		w := &c.Watch[i]
		who, err := owner(w.Owner)
		if err != nil {
			return nil, fmt.Errorf("watch %s: owner: %w", w.Name, err)
		}
		s := newSetting(w, who)
		seen, err := s.scan(ctx)
		if err != nil {
			return nil, err
		}
		a := &accessCheck{setting: s, parents: make(map[string]bool), read: make(map[string]bool)}
		for _, dir := range seen.missing {
			a.add(dir, "the directory does not exist; create it, or correct paths", false)
		}
		for _, p := range seen.problems {
			a.add(p, "give the daemon's user the right to list it (r and x), by a group or an ACL", false)
		}
		for _, f := range seen.files {
			a.file(f)
		}
		for _, b := range s.beginnings {
			a.target("move_to", s.MoveTo, b.dir)
			a.target("failed_to", s.FailedTo, b.dir)
		}
		out = append(out, a.out...)
	}
	return out, nil
}

// accessCheck collects the problems of one watch.
type accessCheck struct {
	*setting
	out     []Problem
	parents map[string]bool // directories that were checked for writing
	read    map[string]bool // directories in which a file could not be read
}

func (a *accessCheck) add(p, message string, final bool) {
	a.out = append(a.out, Problem{Watch: a.Name, Path: p, Message: message, Final: final})
}

// file checks one file. A directory gets one problem for all of its files.
func (a *accessCheck) file(f found) {
	dir := path.Dir(f.from.path(f.rel))
	if f.rule == "" && !a.read[dir] {
		if err := readable(f.from.dir, f.rel, a.FollowLinks); err != nil {
			a.read[dir] = true
			a.add(f.from.path(f.rel), fmt.Sprintf("%v; give the daemon's user the right to read it, by a group or an ACL", cause(err)), false)
		}
	}
	if a.After == config.AfterKeep || a.parents[dir] {
		return
	}
	a.parents[dir] = true
	a.writable(dir)
}

// readable opens a file of the watch and closes it.
func readable(base, rel string, links bool) error {
	root, err := safefile.OpenRoot(base, links)
	if err != nil {
		return err
	}
	defer root.Close()
	f, _, err := root.Open(rel)
	var refusal *safefile.Refusal
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &refusal) {
		return nil // it changed since the scan; the watch decides
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// writable checks that files of the directory can be removed.
func (a *accessCheck) writable(dir string) {
	if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		hint := "give the daemon's user the right to write to the directory"
		if errors.Is(err, unix.EROFS) {
			hint = "under systemd, name the directory in ReadWritePaths="
		}
		a.add(dir, fmt.Sprintf("files cannot be removed or moved: %v; %s, or write after: keep", err, hint), false)
		return
	}
	info, err := os.Stat(dir)
	if err == nil && info.Mode()&os.ModeSticky != 0 && os.Geteuid() != 0 && a.uid != uint32(os.Geteuid()) {
		a.add(dir, "the directory is sticky, so that only the owner of a file can remove it; "+
			"run the daemon as that user, or write after: keep", false)
	}
}

// target checks a directory that files are moved to.
func (a *accessCheck) target(key, dir, base string) {
	if dir == "" {
		return
	}
	existing := dir
	var st, from unix.Stat_t
	for unix.Stat(existing, &st) != nil && existing != "/" {
		existing = path.Dir(existing)
	}
	if unix.Stat(base, &from) != nil {
		return // it is reported already
	}
	if st.Dev != from.Dev {
		a.add(dir, fmt.Sprintf("%s is on another file system than %s; a file can only be moved within one", key, base), true)
		return
	}
	if err := unix.Faccessat(unix.AT_FDCWD, existing, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		a.add(existing, fmt.Sprintf("%s cannot be used: %v; give the daemon's user the right to write to it", key, err), false)
	}
	if f, err := safefile.OpenDirectory(existing, false); err != nil {
		a.add(existing, fmt.Sprintf("%s cannot be used: %v; name the directory without the link", key, cause(err)), true)
	} else {
		_ = f.Close() // nothing was written
	}
}
