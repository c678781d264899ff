package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/brokerd/brokerd/bench/load"
	"github.com/brokerd/brokerd/bench/proc"
)

// settling is how long a daemon has had nothing to do when its rest is looked at.
const settling = 2 * time.Second

// hold runs a contest: round after round, everybody in turn.
func (s *arena) hold(ctx context.Context, c contest, rounds int) (outcome, error) {
	r := outcome{Name: c.name, Samples: make(map[string][]sample), Skipped: make(map[string]string), field: c.field}
	e, err := s.startSink(ctx, c.network)
	if err != nil {
		return r, err
	}
	defer e.stop()
	if c.job.Body == load.File {
		if c.job.Path, err = s.payload(c.job); err != nil {
			return r, err
		}
	}
	turns := make(map[string]*contestant)
	defer func() {
		for _, t := range turns {
			t.leave()
		}
	}()
	for round := range rounds {
		fmt.Fprintf(os.Stderr, "%s: round %d of %d\n", c.name, round+1, rounds)
		for _, name := range c.field {
			if _, out := r.Skipped[name]; out {
				continue
			}
			if turns[name] == nil {
				turns[name] = &contestant{arena: s, endpoint: e, contest: c, name: name}
			}
			got, err := turns[name].turn(ctx)
			var away *absent
			var refused *refusal
			switch {
			case errors.As(err, &away):
				r.Skipped[name] = away.reason
			case errors.As(err, &refused):
				r.Skipped[name] = refused.Error()
			case err != nil:
				return r, fmt.Errorf("%s: %w", name, err)
			default:
				r.Samples[name] = append(r.Samples[name], got)
			}
		}
	}
	return r, nil
}

// contestant takes its turns in one contest.
type contestant struct {
	*arena
	endpoint *endpoint
	contest  contest
	name     string

	daemon *process // brokerd's own, kept from turn to turn unless the contest wants a fresh one
}

func (t *contestant) leave() {
	if t.daemon != nil {
		t.daemon.stop()
		t.daemon = nil
	}
}

func (t *contestant) turn(ctx context.Context) (sample, error) {
	switch t.name {
	case brokerd:
		return t.brokered(ctx, t.contest.daemon)
	case brokerdSpool:
		set := t.contest.daemon
		set.durability = "spool"
		return t.brokered(ctx, set)
	case sdk:
		return t.take(ctx, t.endpoint, nil, t.contest.job, t.byItself(t.endpoint, "sdk"))
	case manager:
		return t.take(ctx, t.endpoint, nil, t.contest.job, t.byItself(t.endpoint, "manager"))
	case transferManager:
		return t.take(ctx, t.endpoint, nil, t.contest.job, t.byItself(t.endpoint, "transfermanager"))
	}
	do, err := t.byProgram(t.endpoint, t.name)
	if err != nil {
		return sample{}, err
	}
	return t.take(ctx, t.endpoint, nil, t.contest.job, do)
}

// brokered goes through a brokerd with these settings. A daemon that has been
// there for a while has its session and has sent something before.
func (t *contestant) brokered(ctx context.Context, set settings) (sample, error) {
	if t.contest.fresh {
		t.leave()
	}
	if t.daemon == nil {
		socket := "direct"
		if set.durability != "" {
			socket = set.durability
		}
		d, err := t.startDaemon(ctx, socket, t.endpoint, set)
		if err != nil {
			return sample{}, err
		}
		t.daemon = d
		if t.contest.idle {
			return t.rest(ctx)
		}
		one := load.Job{Objects: 1, Size: 1, InFlight: 1, Body: load.Memory, Prefix: "first"}
		if _, err := t.take(ctx, t.endpoint, d, one, t.throughBroker(d)); err != nil {
			return sample{}, err
		}
	}
	return t.take(ctx, t.endpoint, t.daemon, t.contest.job, t.throughBroker(t.daemon))
}

// rest is what a daemon takes that has just started and has nothing to do.
func (t *contestant) rest(ctx context.Context) (sample, error) {
	select {
	case <-time.After(settling):
	case <-ctx.Done():
		return sample{}, ctx.Err()
	}
	memory, err := proc.MemoryOf(t.daemon.pid())
	return sample{Ready: t.daemon.ready.Seconds(), Idle: memory.Now, Peak: memory.Peak}, err
}
