package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/brokerd/brokerd/internal/sandbox/trail"
)

// openWorld makes the accounts: new ones, or those of the data directory.
func openWorld(opts *Options, dir string) (*world, error) {
	if opts.DataDir == "" {
		filled, err := opts.withDefaults()
		if err != nil {
			return nil, fmt.Errorf("sandbox options: %w", err)
		}
		*opts = filled
		return newWorld(filled, dir)
	}
	kept, err := openStore(opts.DataDir)
	if err != nil {
		return nil, err
	}
	w, err := loadWorld(opts, kept)
	if err != nil {
		return nil, errors.Join(err, kept.close())
	}
	return w, nil
}

func loadWorld(opts *Options, kept *store) (*world, error) {
	state, err := readState(opts.DataDir)
	if err != nil {
		return nil, err
	}
	if state != nil {
		if err := state.adopt(opts); err != nil {
			return nil, err
		}
	}
	if *opts, err = opts.withDefaults(); err != nil {
		return nil, fmt.Errorf("sandbox options: %w", err)
	}
	w, err := newWorld(*opts, filepath.Join(opts.DataDir, bodyKind))
	if err != nil {
		return nil, err
	}
	w.store, w.blobs.kept, w.blobs.restored = kept, kept, map[string]*blob{}
	if state != nil {
		if err := w.restore(state, opts.RootKeys); err != nil {
			return nil, fmt.Errorf("data directory %s: %w", opts.DataDir, err)
		}
	}
	if err := w.loadObjects(); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := w.sweepBodies(); err != nil {
		return nil, err
	}
	data, err := w.save(*opts)
	if err != nil {
		return nil, err
	}
	return w, kept.putState(data)
}

// persist writes what a call changed, before it is answered.
func (s *Sandbox) persist(cl *call) error {
	w := s.world
	if w.store == nil {
		return nil
	}
	w.mu.RLock()
	control := w.dirty || !isReadOnly(cl.record.Operation) && !isData(cl.record.Service, cl.record.Operation)
	w.mu.RUnlock()
	if control {
		if err := s.persistControl(); err != nil {
			return err
		}
	}
	return w.store.flush()
}

// persistControl writes state.json if it changed.
func (s *Sandbox) persistControl() error {
	w := s.world
	if w.store == nil {
		return nil
	}
	w.mu.Lock()
	data, err := w.save(s.opts)
	w.dirty = false
	// Rendered and written in one order: a later state is never overwritten by an earlier.
	w.store.writeMu.Lock()
	w.mu.Unlock()
	defer w.store.writeMu.Unlock()
	if err != nil {
		return err
	}
	return w.store.putStateLocked(data)
}

// keepEvents appends to the audit trail's file. The trail is a record: what it
// loses for want of space is said by the next change that cannot be kept either.
func (s *Sandbox) keepEvents(events []trail.Event) {
	kept := s.world.store
	if kept == nil {
		return
	}
	var lines []byte
	for i := range events {
		line, err := json.Marshal(&events[i])
		if err != nil {
			continue
		}
		lines = append(append(lines, line...), '\n')
	}
	kept.appendEvents(lines)
}
