package kit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/brokerd/brokerd/test/misconfig"
	"github.com/brokerd/brokerd/test/recorded"
)

// Parts select the work of a run. The zero value selects none.
type Parts struct {
	Delivery bool
	Verify   bool
	Mistakes []misconfig.Mistake
	Recorded []recorded.Row
}

// Everything is a whole run.
func Everything() Parts {
	return Parts{Delivery: true, Verify: true, Mistakes: misconfig.All(), Recorded: recorded.All()}
}

// Observed is what one side gave.
type Observed struct {
	Observations []Observation
	Skipped      map[string]string
}

// Observe runs the parts against accounts. Progress goes to log. When ctx ends it
// returns the observations until then, with ctx's error.
func (a *Accounts) Observe(ctx context.Context, parts Parts, log io.Writer) (Observed, error) {
	seen := Observed{Skipped: map[string]string{}}
	dir, err := os.MkdirTemp("", "kit") // short: a socket's path has a limit
	if err != nil {
		return seen, fmt.Errorf("making a directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	tell := func(o Observation) {
		seen.Observations = append(seen.Observations, o)
		if n := len(seen.Observations); n%25 == 0 {
			_, _ = fmt.Fprintf(log, "%s: %d answers\n", a.Name, n)
		}
	}
	skip := func(name, why string) { seen.Skipped[name] = why }
	steps := []func() error{
		func() error { return a.observeDelivery(ctx, dir, parts, tell) },
		func() error { return a.observeTable(ctx, parts.Recorded, tell, skip) },
		func() error { return a.mistakes(ctx, dir, parts.Mistakes, tell, skip) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return seen, fmt.Errorf("%s: %w", a.Name, err)
		}
	}
	return seen, nil
}

func (a *Accounts) observeDelivery(ctx context.Context, dir string, parts Parts, tell func(Observation)) error {
	if !parts.Delivery && !parts.Verify {
		return nil
	}
	w, err := a.arrange(ctx, dir, a.Prefix+"-main")
	if err != nil {
		return err
	}
	names := a.names(w)
	if parts.Delivery {
		if err := a.deliveries(ctx, w, names, tell); err != nil {
			return err
		}
	}
	if !parts.Verify {
		return nil
	}
	facts, err := a.verification(ctx, w, names)
	if err != nil {
		return err
	}
	tell(Observation{Part: "verify", Name: "an arrangement that works", Facts: facts})
	return nil
}

func (a *Accounts) observeTable(ctx context.Context, rows []recorded.Row, tell func(Observation), skip func(name, why string)) error {
	for _, row := range rows {
		if why := row.Local(); why != "" {
			skip("recorded: "+row.ID(), why)
			continue
		}
		outcome, err := a.Run(ctx, &row)
		if err != nil {
			return err
		}
		o := Observation{Part: "recorded", Name: row.ID(), Facts: map[string]string{}, Wrong: hidden(outcome.String(), outcome.Vars)}
		if outcome.Answer != nil {
			o.Facts = answerFacts(outcome.Answer, outcome.Vars)
			o.Facts["status"] = fmt.Sprint(outcome.Answer.Status)
		} else {
			o.Facts["not asked"] = hidden(outcome.String(), outcome.Vars)
		}
		tell(o)
	}
	return nil
}

// Compare runs the parts against two pairs of accounts and reports the differences.
// An interrupted run has a report too.
func Compare(ctx context.Context, subject, sandbox *Accounts, parts Parts, log io.Writer) (*Report, error) {
	r := &Report{Against: subject.Name, Begun: time.Now(), Wrong: map[string]string{}}
	real, err := subject.Observe(ctx, parts, log)
	var mine Observed
	if err == nil {
		mine, err = sandbox.Observe(ctx, parts, log)
	}
	r.Ended, r.Complete, r.Compared, r.Skipped = time.Now(), err == nil, len(real.Observations), real.Skipped
	if err == nil {
		r.Differences = Differences(real.Observations, mine.Observations)
	}
	for _, o := range real.Observations {
		if o.Wrong != "" {
			r.Wrong[o.Part+": "+o.Name] = o.Wrong
		}
	}
	return r, err
}

// Finish removes everything that the runs with a prefix made, also when ctx has ended.
func (a *Accounts) Finish(ctx context.Context, prefix string, log io.Writer) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Minute)
	defer cancel()
	err := errors.Join(a.sweepBuckets(ctx, prefix), a.sweepIdentities(ctx, prefix), a.sweepKeys(ctx, prefix))
	if err != nil {
		return fmt.Errorf("removing the resources of the run: %w\nRun the test with -args -cleanup to try again", err)
	}
	_, _ = fmt.Fprintf(log, "%s: everything that begins with %s is removed\n", a.Name, prefix)
	return nil
}
