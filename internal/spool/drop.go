package spool

import (
	"context"
	"fmt"

	"github.com/oklog/ulid/v2"
)

// Drop removes an object that was accepted and not delivered. No other call loses
// an accepted object. Drop takes dead and parked objects, with force also queued
// and unreadable ones, and never one in delivery (ErrState). It first aborts the
// object's multipart upload; when that fails, the object stays unless force is set.
// The upload of an unreadable or quarantined object is left to the bucket's lifecycle
// rule.
func (s *Spool) Drop(ctx context.Context, id string, force bool) error {
	u, err := ulid.ParseStrict(id)
	if err != nil {
		return fmt.Errorf("spool: %q: %w", id, ErrUnknown)
	}
	s.index.mu.Lock()
	bad := s.unusable.of(u)
	known := s.index.records[u] != nil
	s.index.mu.Unlock()
	if bad != nil && !known {
		return s.dropUnrecovered(bad, force)
	}
	r, mine, err := s.claims.claimObject(u)
	if err != nil {
		return err
	}
	defer mine.release()
	s.index.mu.Lock()
	state := r.status(nil).State
	if state == Delivering || state == Queued && !force {
		s.index.mu.Unlock()
		return fmt.Errorf("spool: %s is %s: %w", id, state, ErrState)
	}
	waiting := state != Dead
	if waiting {
		s.scheduler.takeOut(r)
	}
	journaled := r.journaled
	event := Event{Kind: EventDropped, ID: id, Destination: r.queue.name, UID: r.uid, Size: r.size}
	s.index.mu.Unlock()

	err = s.drop(ctx, u, journaled, force)

	s.index.mu.Lock()
	if err != nil {
		if waiting {
			s.scheduler.putBack(r)
		}
		s.index.mu.Unlock()
		return err
	}
	s.index.forget(r)
	s.changes.settled(u)
	s.index.mu.Unlock()
	s.events.emit(event)
	return nil
}

// drop removes the files of an object from queue/ and dead/.
func (s *Spool) drop(ctx context.Context, id ulid.ULID, journaled, force bool) error {
	if journaled && s.opts.Abandon != nil {
		if err := s.abandon(ctx, id); err != nil && !force {
			return fmt.Errorf("spool: aborting the multipart upload of %s: %w", id, err)
		}
	}
	for _, name := range []string{
		nameOf(id, dirQueue, extObject), nameOf(id, dirDead, extObject), nameOf(id, dirDead, extReason),
	} {
		if err := s.dir.discard(name); err != nil {
			return err
		}
	}
	if journaled {
		s.dir.removeQuietly(nameOf(id, dirQueue, extJournal))
	}
	if err := s.dir.queue.commit(); err != nil {
		return ioError("sync directory", dirQueue, err)
	}
	if err := s.dir.dead.commit(); err != nil {
		return ioError("sync directory", dirDead, err)
	}
	return nil
}

func (s *Spool) abandon(ctx context.Context, id ulid.ULID) error {
	e, err := s.openAnywhere(id)
	if err != nil {
		return err
	}
	defer e.close()
	if upload, _ := e.UploadID(); upload == "" {
		return nil
	}
	return s.opts.Abandon(ctx, e)
}
