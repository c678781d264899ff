package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// stateVersion is raised when older sandboxes cannot read the format.
const stateVersion = 2

// savedState is the content of state.json: one document a service.
//
// In version 1 all services shared one document. Each field had the name that it
// has in the documents of version 2, so that every service reads a document of
// version 1 as its own.
type savedState struct {
	Version                    int
	AccountA, AccountB, Region string

	Organization, IAM, STS, KMS, S3, CloudTrail json.RawMessage
}

// readState reads state.json; nil when there is none yet.
func readState(dir string) (*savedState, error) {
	path := filepath.Join(dir, kernel.StateFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the data directory: %w", err)
	}
	var s savedState
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	switch s.Version {
	case 1:
		s.Organization, s.IAM, s.STS, s.KMS, s.S3, s.CloudTrail = data, data, data, data, data, data
	case stateVersion:
	default:
		return nil, fmt.Errorf(
			"%s was written by another version of the sandbox (format %d, this one reads 1 and %d): use another directory",
			path,
			s.Version,
			stateVersion,
		)
	}
	return &s, nil
}

// adopt fills options that are not set from the state, and refuses options that
// contradict the state.
func (s *savedState) adopt(o *Options) error {
	for _, f := range []struct {
		name  string
		given *string
		kept  string
	}{{"account A", &o.AccountA, s.AccountA}, {"account B", &o.AccountB, s.AccountB}, {"the Region", &o.Region, s.Region}} {
		if *f.given != "" && *f.given != f.kept {
			return fmt.Errorf("data directory %s: %s is %s there, not %s: use another directory", o.DataDir, f.name, f.kept, *f.given)
		}
		*f.given = f.kept
	}
	return nil
}

// restore fills the services from a state, from the lowest layer to the highest.
func (s *services) restore(state *savedState) error {
	return firstError(
		func() error { return s.k.Restore(state.Organization) },
		func() error { return s.trails.Restore(state.CloudTrail) },
		func() error { return s.iam.Restore(state.IAM, s.opts.RootKeys) },
		func() error { return s.sts.Restore(state.STS) },
		func() error { return s.kms.Restore(state.KMS) },
		func() error { return s.s3.Restore(state.S3) },
	)
}

func firstError(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// save renders the state. It reads higher layers first: an entity of a lower layer that
// they refer to is older, and is in that layer's snapshot unless it was deleted.
func (s *services) save() ([]byte, error) {
	out := savedState{Version: stateVersion, AccountA: s.opts.AccountA, AccountB: s.opts.AccountB, Region: s.opts.Region}
	for _, part := range []struct {
		to       *json.RawMessage
		snapshot func() (json.RawMessage, error)
	}{
		{&out.S3, s.s3.Snapshot}, {&out.KMS, s.kms.Snapshot}, {&out.STS, s.sts.Snapshot}, {&out.IAM, s.iam.Snapshot},
		{&out.CloudTrail, s.trails.Snapshot}, {&out.Organization, s.k.Snapshot},
	} {
		data, err := part.snapshot()
		if err != nil {
			return nil, fmt.Errorf("rendering the state: %w", err)
		}
		*part.to = data
	}
	data, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		return nil, fmt.Errorf("rendering the state: %w", err)
	}
	return data, nil
}

// persist writes the changes of a call, before the call is answered.
func (s *services) persist(cl *kernel.Request) error {
	if s.k.Store == nil {
		return nil
	}
	if s.k.IsDirty() || !kernel.IsReadOnly(cl.Record.Operation) && !kernel.IsData(cl.Record.Service, cl.Record.Operation) {
		if err := s.writeState(); err != nil {
			return err
		}
	}
	return s.k.Store.Flush()
}

// writeState writes state.json if it changed.
func (s *services) writeState() error {
	if s.k.Store == nil {
		return nil
	}
	return s.k.Store.PutState(func() ([]byte, error) {
		// Cleared while the store's lock is held: a call that finds the mark cleared
		// waits in flush until this state is written.
		s.k.ClearDirty()
		data, err := s.save()
		if err != nil {
			s.k.MarkDirty()
		}
		return data, err
	})
}
