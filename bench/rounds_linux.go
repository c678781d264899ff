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

// settling is the idle time before the idle memory of a daemon is measured.
const settling = 2 * time.Second

// measure runs a case: in each round every participant runs it once.
func (s *harness) measure(ctx context.Context, c benchCase, rounds int) (outcome, error) {
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
	runners := make(map[string]*runner)
	defer func() {
		for _, t := range runners {
			t.stopDaemon()
		}
	}()
	for round := range rounds {
		fmt.Fprintf(os.Stderr, "%s: round %d of %d\n", c.name, round+1, rounds)
		for _, name := range c.field {
			if _, out := r.Skipped[name]; out {
				continue
			}
			if runners[name] == nil {
				runners[name] = &runner{harness: s, endpoint: e, benchCase: c, name: name}
			}
			got, err := runners[name].run(ctx)
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

// runner runs one case with one participant.
type runner struct {
	*harness
	endpoint  *endpoint
	benchCase benchCase
	name      string

	daemon *process // brokerd, which keeps running between rounds unless the case sets fresh
}

func (t *runner) stopDaemon() {
	if t.daemon != nil {
		t.daemon.stop()
		t.daemon = nil
	}
}

func (t *runner) run(ctx context.Context) (sample, error) {
	switch t.name {
	case brokerd:
		return t.brokered(ctx, t.benchCase.daemon)
	case brokerdSpool:
		set := t.benchCase.daemon
		set.durability = "spool"
		return t.brokered(ctx, set)
	case sdk:
		return t.runOnce(ctx, t.endpoint, nil, t.benchCase.job, t.byItself(t.endpoint, "sdk"))
	case manager:
		return t.runOnce(ctx, t.endpoint, nil, t.benchCase.job, t.byItself(t.endpoint, "manager"))
	case transferManager:
		return t.runOnce(ctx, t.endpoint, nil, t.benchCase.job, t.byItself(t.endpoint, "transfermanager"))
	}
	do, err := t.byProgram(t.endpoint, t.name)
	if err != nil {
		return sample{}, err
	}
	return t.runOnce(ctx, t.endpoint, nil, t.benchCase.job, do)
}

// brokered sends through a brokerd with these settings. Before the first round it sends
// one object, so that the daemon has a session and open connections.
func (t *runner) brokered(ctx context.Context, set settings) (sample, error) {
	if t.benchCase.fresh {
		t.stopDaemon()
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
		if t.benchCase.idle {
			return t.rest(ctx)
		}
		one := load.Job{Objects: 1, Size: 1, InFlight: 1, Body: load.Memory, Prefix: "first"}
		if _, err := t.runOnce(ctx, t.endpoint, d, one, t.throughBroker(d)); err != nil {
			return sample{}, err
		}
	}
	return t.runOnce(ctx, t.endpoint, t.daemon, t.benchCase.job, t.throughBroker(t.daemon))
}

// rest measures a daemon that has just started and is idle.
func (t *runner) rest(ctx context.Context) (sample, error) {
	select {
	case <-time.After(settling):
	case <-ctx.Done():
		return sample{}, ctx.Err()
	}
	memory, err := proc.MemoryOf(t.daemon.pid())
	return sample{Ready: t.daemon.ready.Seconds(), Idle: memory.Now, Peak: memory.Peak}, err
}
