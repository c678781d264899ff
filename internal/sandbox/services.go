package sandbox

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/brokerd/brokerd/internal/sandbox/cloudtrail"
	"github.com/brokerd/brokerd/internal/sandbox/iam"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
	"github.com/brokerd/brokerd/internal/sandbox/kms"
	"github.com/brokerd/brokerd/internal/sandbox/s3"
	"github.com/brokerd/brokerd/internal/sandbox/sts"
)

// services are the AWS services of both accounts. They answer requests, and their state
// outlives the process when the options have a data directory.
type services struct {
	opts   Options
	k      *kernel.Kernel
	iam    *iam.Service
	sts    *sts.Service
	kms    *kms.Service
	s3     *s3.Service
	trails *cloudtrail.Service
}

// open makes the services: empty ones with bodies in dir, or those of the data directory.
func (s *services) open(opts Options, dir string) error {
	if opts.DataDir == "" {
		filled, err := opts.withDefaults()
		if err != nil {
			return fmt.Errorf("sandbox options: %w", err)
		}
		s.opts = filled
		return s.makeEmpty(nil, dir)
	}
	kept, err := kernel.OpenStore(opts.DataDir)
	if err != nil {
		return err
	}
	if err := s.load(opts, kept); err != nil {
		return errors.Join(err, kept.Close())
	}
	return nil
}

// load makes the services with the state of a data directory.
func (s *services) load(opts Options, kept *kernel.Store) error {
	state, err := readState(opts.DataDir)
	if err != nil {
		return err
	}
	if state != nil {
		if err := state.adopt(&opts); err != nil {
			return err
		}
	}
	if s.opts, err = opts.withDefaults(); err != nil {
		return fmt.Errorf("sandbox options: %w", err)
	}
	if err := s.makeEmpty(kept, filepath.Join(opts.DataDir, kernel.BodyKind)); err != nil {
		return err
	}
	if state != nil {
		if err := s.restore(state); err != nil {
			return fmt.Errorf("data directory %s: %w", opts.DataDir, err)
		}
	}
	if err := s.s3.LoadObjects(); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := s.trails.ReadEvents(); err != nil {
		return err
	}
	return s.writeState()
}

// makeEmpty makes empty services, from the lowest layer to the highest.
func (s *services) makeEmpty(kept *kernel.Store, bodies string) error {
	o := s.opts
	s.k = kernel.New(kernel.Options{Accounts: []string{o.AccountA, o.AccountB}, Region: o.Region, Seed: o.Seed, Store: kept})
	s.k.SetFaults(o.Faults)
	s.trails = cloudtrail.New(s.k)
	var err error
	if s.iam, err = iam.New(s.k, o.RootKeys); err != nil {
		return err
	}
	if s.sts, err = sts.New(s.k, s.iam); err != nil {
		return err
	}
	s.kms = kms.New(s.k, s.iam)
	s.s3 = s3.New(s.k, s.iam, s.kms, s3.Options{BodyDir: bodies, SkipChecksums: o.SkipChecksums})
	s.k.SetHooks(s.disturb, s.trails.Note)
	return nil
}

// disturb applies the parts of a fault that change accounts or keys.
func (s *services) disturb(cl *kernel.Request, f kernel.Fault) error {
	if f.ExpireSession {
		s.iam.ExpireSession(kernel.PresentedKey(cl.HTTP))
	}
	if f.DisableKey != "" {
		if err := s.kms.Disable(f.DisableKey); err != nil {
			return err
		}
	}
	if f.DeleteRole != "" {
		if err := s.iam.RemoveRole(f.DeleteRole); err != nil {
			return err
		}
	}
	return nil
}
