package cli

import (
	"context"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"golang.org/x/sync/errgroup"

	"github.com/brokerd/brokerd/internal/verify/render"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// verifyAtOnce bounds the destinations that are verified at once.
const verifyAtOnce = 8

// verifyRun is one call of verify.
type verifyRun struct {
	*console.App
	backend *verifyBackend
	names   []string
	options func(destination string) report.RunOptions
	flags   verifyFlags
}

// listener gets checks as they end: for each destination in order, for several
// destinations at once.
type listener interface {
	check(destination int, c report.Check) error
	end(destination int, r render.Result) error
}

// all verifies the named destinations, several at once. A destination that could not
// be verified is a result with an error. The returned error is the listener's.
func (v *verifyRun) all(ctx context.Context, names []string, canary bool, l listener) (render.Run, error) {
	run := render.Run{Version: version(), Started: time.Now(), Through: v.backend.title, Results: make([]render.Result, len(names))}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(verifyAtOnce)
	for i, name := range names {
		group.Go(func() error {
			o := v.options(name)
			o.Canary = canary
			began := time.Now()
			var told error
			report, err := v.backend.verify(ctx, name, o, func(c report.Check) error {
				told = l.check(i, c)
				return told
			})
			if told != nil {
				return told
			}
			report.Destination = name
			run.Results[i] = render.Result{Report: report, Took: time.Since(began), Err: err}
			return l.end(i, run.Results[i])
		})
	}
	err := group.Wait()
	run.Took = time.Since(run.Started)
	return run, err
}

// once verifies, and prints checks as they end where the format allows it.
func (v *verifyRun) once(ctx context.Context) error {
	live := newLive(v.App, v.Err, v.names)
	defer live.stop()
	if v.flags.out == verifyText && v.flags.file == "" {
		text := v.text(v.Out)
		run, err := v.all(ctx, v.names, v.flags.canary, live.around(newInOrder(v.names, text)))
		live.stop()
		if err == nil {
			err = text.Done(run)
		}
		return v.outcome(ctx, run, err)
	}
	run, err := v.all(ctx, v.names, v.flags.canary, live)
	live.stop()
	if err == nil {
		err = v.show(run)
	}
	return v.outcome(ctx, run, err)
}

func (v *verifyRun) outcome(ctx context.Context, run render.Run, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // interrupted
	case err != nil:
		return cannotRun(err)
	}
	return exitOf(run)
}

// inOrder prints several destinations one after the other. Checks that come early
// wait.
type inOrder struct {
	names []string
	text  *render.Text

	mu      sync.Mutex
	turn    int
	begun   bool
	waiting [][]report.Check
	ended   []*render.Result
}

func newInOrder(names []string, text *render.Text) *inOrder {
	return &inOrder{names: names, text: text, waiting: make([][]report.Check, len(names)), ended: make([]*render.Result, len(names))}
}

func (o *inOrder) check(i int, c report.Check) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting[i] = append(o.waiting[i], c)
	return o.flush()
}

func (o *inOrder) end(i int, r render.Result) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended[i] = &r
	return o.flush()
}

// flush prints the checks whose turn it is.
func (o *inOrder) flush() error {
	for ; o.turn < len(o.names); o.turn, o.begun = o.turn+1, false {
		if !o.begun {
			if len(o.waiting[o.turn]) == 0 && o.ended[o.turn] == nil {
				return nil
			}
			o.begun = true
			if err := o.text.Begin(o.names[o.turn]); err != nil {
				return err
			}
		}
		for _, c := range o.waiting[o.turn] {
			if err := o.text.Check(c); err != nil {
				return err
			}
		}
		o.waiting[o.turn] = nil
		if o.ended[o.turn] == nil {
			return nil
		}
		if err := o.text.End(*o.ended[o.turn]); err != nil {
			return err
		}
	}
	return nil
}
