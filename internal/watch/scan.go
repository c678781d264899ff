package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/brokerd/brokerd/internal/watch/safefile"
)

// MaxFiles is the largest number of files that a watch remembers. Further files are found
// when others are gone.
const MaxFiles = 250_000

const (
	// readBatch is how many names of a directory are read at a time.
	readBatch = 4096
	// maxHintDirs is the largest number of directories with a notification.
	maxHintDirs = 4096
	// maxProblems bounds the problems that a scan reports.
	maxProblems = 10
)

// found is a selected name of one scan.
type found struct {
	from *beginning
	rel  string
	disk string // set for a staged file
	info safefile.Info
	rule string // why it is refused; "" otherwise
	why  string
}

// look is the result of one scan.
type look struct {
	files    []found
	dirs     []string // that were read, for notifications
	problems []string // directories that could not be read
	missing  []string // beginnings that do not exist
	remote   string   // the name of a remote file system
	full     bool     // there are more than MaxFiles files
}

// scanner reads the directories of a setting.
type scanner struct {
	*setting
	out     look
	visited map[inode]bool // directories, for loops through links
}

// scan reads all directories of the setting. It fails only with ctx.
func (s *setting) scan(ctx context.Context) (look, error) {
	sc := &scanner{setting: s, visited: make(map[inode]bool)}
	for _, b := range s.beginnings {
		if err := sc.beginning(ctx, b); err != nil {
			return sc.out, err
		}
	}
	return sc.out, ctx.Err()
}

func (sc *scanner) problem(dir string, err error) {
	if len(sc.out.problems) < maxProblems {
		sc.out.problems = append(sc.out.problems, fmt.Sprintf("%s: %v", dir, cause(err)))
	}
}

// cause shortens an error of a path that is named already.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func (sc *scanner) beginning(ctx context.Context, b *beginning) error {
	root, err := safefile.OpenRoot(b.dir, sc.FollowLinks)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		sc.out.missing = append(sc.out.missing, b.dir)
		return nil
	case err != nil:
		sc.problem(b.dir, err)
		return nil
	}
	defer root.Close()
	if kind, err := root.FileSystem(); err != nil {
		sc.problem(b.dir, err)
		return nil
	} else if kind.Pseudo {
		sc.problem(b.dir, fmt.Errorf("its file system is %s, whose files are not read", kind.Name))
		return nil
	} else if kind.Remote {
		sc.out.remote = kind.Name
	}
	return sc.directory(ctx, root, b, "")
}

// directory reads one directory and those below it.
func (sc *scanner) directory(ctx context.Context, root *safefile.Root, b *beginning, rel string) error {
	dir, err := root.Dir(rel)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) { // it may be gone already
			sc.problem(path.Join(b.dir, rel), err)
		}
		return nil
	}
	defer dir.Close() //nolint:errcheck // nothing was written
	if sc.FollowLinks {
		info, err := safefile.Stat(dir)
		if err != nil || info.Device != root.Device() || sc.visited[inode{info.Device, info.Inode}] {
			return nil
		}
		sc.visited[inode{info.Device, info.Inode}] = true
	}
	if len(sc.out.dirs) < maxHintDirs {
		sc.out.dirs = append(sc.out.dirs, path.Join(b.dir, rel))
	}
	var below []string
	for {
		entries, err := dir.ReadDir(readBatch)
		for _, e := range entries {
			if sub, ok := sc.entry(root, b, dir, rel, e); ok {
				below = append(below, sub)
			}
		}
		if err != nil || ctx.Err() != nil {
			if err != nil && !errors.Is(err, io.EOF) {
				sc.problem(dir.Name(), err)
			}
			break
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// Closed before the next level is opened: a deep tree takes one descriptor.
	_ = dir.Close()
	for _, sub := range below {
		if err := sc.directory(ctx, root, b, sub); err != nil {
			return err
		}
	}
	return nil
}

// entry looks at one name. It returns the directory to enter.
func (sc *scanner) entry(root *safefile.Root, b *beginning, dir *os.File, parent string, e fs.DirEntry) (enter string, ok bool) {
	name := e.Name()
	base, staged := safefile.Unstaged(name)
	if !staged {
		base = name
	}
	rel := path.Join(parent, base)
	absolute := path.Join(b.dir, rel)
	kind := e.Type()
	linked := kind&fs.ModeSymlink != 0
	if kind.IsDir() || linked && sc.FollowLinks && sc.leadsToDirectory(dir, name) {
		return rel, sc.enters(b, rel) && !sc.excludes(absolute)
	}
	if !sc.selects(b, rel) || sc.excludes(absolute) || sc.isMarker(base) {
		return "", false
	}
	if len(sc.out.files) >= MaxFiles {
		sc.out.full = true
		return "", false
	}
	info, err := safefile.StatAt(dir, name, sc.FollowLinks)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			sc.problem(absolute, err)
		}
		return "", false
	}
	f := found{from: b, rel: rel, info: info}
	if staged {
		f.disk = path.Join(parent, name)
	}
	f.rule, f.why = sc.forbidden(info, root.Device())
	sc.out.files = append(sc.out.files, f)
	return "", false
}

// isMarker reports whether a name is that of a marker: a glob such as "*" selects it too.
func (sc *scanner) isMarker(base string) bool {
	return sc.Finished.Marker != "" && strings.HasSuffix(base, sc.Finished.MarkerOf(""))
}

func (*scanner) leadsToDirectory(dir *os.File, name string) bool {
	info, err := safefile.StatAt(dir, name, true)
	return err == nil && info.Directory
}
