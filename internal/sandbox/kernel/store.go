package kernel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// Store keeps the state in a directory. A nil store keeps nothing.
//
//	LOCK            held while a sandbox uses the directory
//	state.json      accounts, policies, sessions, keys, buckets' configuration
//	objects/ID.json one version of an object
//	uploads/ID.json an open multipart upload; its parts are ID.NUMBER.json
//	bodies/…        the bytes of objects and parts
//	events.jsonl    the audit trail
//
// Services note changes while they hold their locks. The changes are written, in
// their order, before the call that made them is answered. Files are replaced by
// renaming and not synced: the state survives a kill, not a loss of power.
type Store struct {
	dir  string
	lock *os.File

	noteMu sync.Mutex
	noted  []change
	failed error // a change that could not be rendered

	writeMu sync.Mutex // held while files are written, so that order is kept
	state   []byte     // the content of state.json
	Events  *os.File
}

// change is a file to be written, or removed when data is nil.
type change struct {
	path string
	data []byte
}

// The kinds of files in the data directory, and the name of the state's file.
const (
	ObjectKind = "objects"
	UploadKind = "uploads"
	BodyKind   = "bodies"
	StateFile  = "state.json"
)

// OpenStore takes the directory for this sandbox alone.
func OpenStore(dir string) (*Store, error) {
	for _, d := range []string{dir, filepath.Join(dir, ObjectKind), filepath.Join(dir, UploadKind), filepath.Join(dir, BodyKind)} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("making the data directory: %w", err)
		}
	}
	lock, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the data directory: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		err = fmt.Errorf("data directory %s is in use by another sandbox: %w", dir, err)
		return nil, errors.Join(err, lock.Close())
	}
	s := &Store{dir: dir, lock: lock}
	if s.Events, err = os.OpenFile(filepath.Join(dir, "events.jsonl"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the audit trail: %w", err), lock.Close())
	}
	return s, nil
}

// Close writes pending changes and releases the directory.
func (s *Store) Close() error {
	if s == nil {
		return nil
	}
	return errors.Join(s.Flush(), s.Events.Close(), s.lock.Close())
}

func (s *Store) path(kind, id string) string { return filepath.Join(s.dir, kind, id+".json") }

// Put notes the present value of an entity.
func (s *Store) Put(kind, id string, v any) {
	if s == nil {
		return
	}
	data, err := json.Marshal(v)
	s.noteMu.Lock()
	defer s.noteMu.Unlock()
	if err != nil {
		s.failed = errors.Join(s.failed, fmt.Errorf("rendering %s %s: %w", kind, id, err))
		return
	}
	s.noted = append(s.noted, change{s.path(kind, id), data})
}

// Drop notes that an entity is gone.
func (s *Store) Drop(kind, id string) {
	if s != nil {
		s.Discard(s.path(kind, id))
	}
}

// Discard notes that a file is not needed any more.
func (s *Store) Discard(path string) {
	s.noteMu.Lock()
	defer s.noteMu.Unlock()
	s.noted = append(s.noted, change{path: path})
}

// Flush writes the noted changes. When it returns, all changes that were noted before the
// call are written, by this call or another one.
func (s *Store) Flush() error {
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	s.noteMu.Lock()
	noted, err := s.noted, s.failed
	s.noted, s.failed = nil, nil
	s.noteMu.Unlock()
	for _, c := range noted {
		err = errors.Join(err, c.apply())
	}
	return err
}

func (c change) apply() error {
	if c.data == nil {
		if err := os.Remove(c.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("keeping the state: %w", err)
		}
		return nil
	}
	return replaceFile(c.path, c.data)
}

func replaceFile(path string, data []byte) error {
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return fmt.Errorf("keeping the state: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("keeping the state: %w", err)
	}
	return nil
}

// PutState writes state.json if it would change. The state is rendered and written
// by one caller at a time: a later state is never overwritten by an earlier one.
func (s *Store) PutState(render func() ([]byte, error)) error {
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	data, err := render()
	if err != nil {
		return err
	}
	if string(data) == string(s.state) {
		return nil
	}
	if err := replaceFile(filepath.Join(s.dir, StateFile), data); err != nil {
		return err
	}
	s.state = data
	return nil
}

// Each hands every entity of a kind to load, by id.
func (s *Store) Each(kind string, load func(id string, data []byte) error) error {
	entries, err := os.ReadDir(filepath.Join(s.dir, kind))
	if err != nil {
		return fmt.Errorf("reading the data directory: %w", err)
	}
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok {
			continue // a file that was being written when the sandbox ended
		}
		path := filepath.Join(s.dir, kind, e.Name())
		data, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading the data directory: %w", err)
		}
		if err := load(id, data); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// AppendEvents adds lines to the audit trail's file. The next flush returns its error.
func (s *Store) AppendEvents(lines []byte) {
	s.noteMu.Lock()
	defer s.noteMu.Unlock()
	if _, err := s.Events.Write(lines); err != nil {
		s.failed = errors.Join(s.failed, fmt.Errorf("keeping the audit trail: %w", err))
	}
}
