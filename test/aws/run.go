package kit

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Run is a whole run: it announces, compares, reports to dir, and removes its
// resources. The report is written also when the run is interrupted or fails.
func Run(ctx context.Context, subject, sandbox *Accounts, parts Parts, dir string, log io.Writer) (*Report, error) {
	_, _ = fmt.Fprint(log, subject.Announce(PlanOf(parts)))
	r, err := Compare(ctx, subject, sandbox, parts, log)
	err = errors.Join(err, subject.Finish(ctx, subject.Prefix, log))
	if writeErr := r.Write(dir); writeErr != nil {
		return r, errors.Join(err, writeErr)
	}
	_, _ = fmt.Fprintf(log, "%d differences: %s/differences.md and differences.json\n", len(r.Differences), dir)
	return r, err
}
