package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrInUse is returned when another process uses the directory.
var ErrInUse = errors.New("another process uses the journal")

// Journal is the directory of the logs.
type Journal struct {
	dir  string
	lock *os.File
}

// Open makes and locks the directory.
func Open(dir string) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w", dir, ErrInUse)
		}
		return nil, &os.PathError{Op: "lock", Path: f.Name(), Err: err}
	}
	return &Journal{dir: dir, lock: f}, nil
}

// Close releases the directory. Close the logs first.
func (j *Journal) Close() { _ = j.lock.Close() }

// Log opens the log of a watch.
func (j *Journal) Log(watch string) (*Log, error) {
	return openLog(filepath.Join(j.dir, watch+".log"))
}
