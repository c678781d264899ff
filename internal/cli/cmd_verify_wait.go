package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/verify/render"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// The pauses between two rounds of --wait.
const (
	firstPause   = time.Second
	longestPause = 10 * time.Second
)

// waiting verifies the destinations that do not pass again, until they pass or the
// time is over. It prints the last round of each destination. --canary stores its
// object at the end, when all else passes.
func (v *verifyRun) waiting(ctx context.Context) error {
	deadline := time.Now().Add(v.flags.wait)
	live := newLive(v.App, v.Err, v.names)
	defer live.stop()
	run, err := v.all(ctx, v.names, false, live)
	told := ""
	for pause := firstPause; err == nil && ctx.Err() == nil; pause = min(2*pause, longestPause) {
		names, at, why := v.unsettled(run)
		left := time.Until(deadline)
		if len(names) == 0 || left <= 0 {
			break
		}
		if why != told && live.w == nil {
			_, _ = fmt.Fprintf(v.Err, "not yet: %s; verifying again for %v\n", why, left.Round(time.Second))
			told = why
		}
		live.again(names, "not yet: "+why)
		select {
		case <-ctx.Done():
		case <-time.After(min(pause, left)):
		}
		if ctx.Err() != nil {
			break
		}
		var next render.Run
		if next, err = v.all(ctx, names, false, live); err == nil {
			for i, r := range next.Results {
				run.Results[at[i]] = r
			}
		}
		run.Took = time.Since(run.Started)
	}
	if result, _ := run.Verdict(); v.flags.canary && err == nil && ctx.Err() == nil && result == report.Pass {
		run, err = v.all(ctx, v.names, true, live)
	}
	live.stop()
	if err == nil && ctx.Err() == nil {
		err = v.show(run)
	}
	return v.outcome(ctx, run, err)
}

// unsettled returns the destinations that another round may help, their places in
// the run, and the reasons.
func (v *verifyRun) unsettled(run render.Run) (names []string, at []int, why string) {
	var reasons []string
	for i, r := range run.Results {
		var ce *client.Error
		if r.Err != nil && (!errors.As(r.Err, &ce) || !ce.Temporary()) {
			continue // an unknown destination, or no right to verify it: do not ask again
		}
		if r.Verdict() == report.Pass {
			continue
		}
		names, at = append(names, r.Destination), append(at, i)
		reasons = append(reasons, r.Destination+" "+reasonOf(r))
	}
	return names, at, strings.Join(reasons, ", ")
}

// reasonOf returns the code of the first problem, or the error.
func reasonOf(r render.Result) string {
	if problems := render.Problems(r.Report); len(problems) > 0 && problems[0].Result != report.Warn {
		return problems[0].Code
	}
	if r.Err != nil {
		return r.Err.Error()
	}
	return string(r.Verdict())
}
