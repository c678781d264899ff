package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/verify/report"
)

const (
	checkTimeout = 30 * time.Second
	// abortTimeout bounds an abort, which outlives its caller.
	abortTimeout = 15 * time.Second
)

// Sessions are the methods of the broker that verify uses.
type Sessions interface {
	// SourceIdentity returns the ARN of the source credentials, or broker.ErrNoSourceARN
	// for a web identity.
	SourceIdentity(ctx context.Context, destination string) (string, error)
	// Refresh assumes the role now. After a failure, the cached session stays in use.
	Refresh(ctx context.Context, destination string) (broker.Status, error)
	// Session returns the session in use.
	Session(ctx context.Context, destination string) (*broker.Session, error)
	// ScopePolicy returns the session policy of the destination; empty: none.
	ScopePolicy(destination string) (string, error)
	// AssumeOnce assumes the role with other parameters. The session is not cached.
	AssumeOnce(ctx context.Context, destination string, o broker.AssumeOverrides) (*broker.Session, error)
}

// ErrUnknownDestination is returned for a destination that is not configured.
var ErrUnknownDestination = errors.New("no such destination in the configuration")

// Leftovers records the uploads of probes, so that a crash leaves none behind.
type Leftovers interface {
	// Remember records an upload until its Leftover ends.
	Remember(destination, bucket, key, uploadID string) Leftover
}

// Leftover is the record of one open upload.
type Leftover interface {
	// End removes the record when the upload is gone from S3, and leaves the upload to a
	// sweeper otherwise.
	End(gone bool)
}

// Options configure a Verifier. All fields but Leftovers are required.
type Options struct {
	Config     *config.Config
	Sessions   Sessions
	HTTPClient *awshttp.BuildableClient
	// Leftovers records open probes; nil: a crash leaves them to the lifecycle rule of the
	// bucket.
	Leftovers Leftovers
	// Files tests the rights on watched files; nil: not tested.
	Files Files
}

// Verifier runs the checks. Its methods are safe for concurrent use.
type Verifier struct{ opts Options }

// New returns a Verifier. It makes no call.
func New(o Options) (*Verifier, error) {
	if o.Config == nil || o.Sessions == nil || o.HTTPClient == nil {
		return nil, errors.New("verify: Config, Sessions and HTTPClient are required")
	}
	return &Verifier{opts: o}, nil
}

// Verify runs the checks of a destination, and calls emit with each result in order;
// emit may be nil. The error is emit's, the context's or ErrUnknownDestination. A failed
// check is a result, not an error.
func (v *Verifier) Verify(
	ctx context.Context,
	destination string,
	o report.RunOptions,
	emit func(report.Check) error,
) (report.Report, error) {
	dest, ok := v.opts.Config.Destinations[destination]
	if !ok {
		return report.Report{}, fmt.Errorf("destination %q: %w", destination, ErrUnknownDestination)
	}
	return v.Run(ctx, dest, o, emit)
}

// Run is like Verify, for a destination that need not be configured.
func (v *Verifier) Run(
	ctx context.Context,
	dest *config.Destination,
	o report.RunOptions,
	emit func(report.Check) error,
) (out report.Report, err error) {
	out = report.Report{Destination: dest.Name, Documents: o.Policies.Documents}
	r, err := v.newRun(dest, o)
	if err != nil {
		return out, err
	}
	defer func() {
		id := r.uploads.open
		if cleanup := r.uploads.abort(ctx, r.clients.s3()); cleanup != nil && err != nil {
			err = errors.Join(err, fmt.Errorf("aborting the probe's multipart upload %s of %s: %w", id, r.key, cleanup))
		}
	}()
	failed := make(map[string]string) // code of a check that did not hold -> code of the cause
	for _, c := range slices.Concat(checks(o), v.filesChecks(dest, o)) {
		if err := ctx.Err(); err != nil {
			return out, fmt.Errorf("verifying destination %q: %w", dest.Name, err)
		}
		for _, row := range v.rows(ctx, c, r, failed) {
			// Later checks need the result of an undecided call; other unknowns only prove less.
			if row.Result == report.Fail || row.Result == report.Skip || row.Code == causeThrottled || row.Code == causeKeyThrottled {
				if _, ok := failed[c.code]; !ok {
					failed[c.code] = row.Code
				}
			}
			out.Checks = append(out.Checks, row)
			if emit != nil {
				if err := emit(row); err != nil {
					return out, err
				}
			}
		}
	}
	out.Calls = r.calls.made()
	out.Path = r.path(out.Checks)
	out.Messages = r.messages(out)
	return out, nil
}

// rows returns the records of one check; several faults are several records.
func (v *Verifier) rows(ctx context.Context, c check, r *run, failed map[string]string) []report.Check {
	for _, need := range c.needs {
		if cause, ok := failed[need]; ok {
			return []report.Check{r.record(c, finding{Result: report.Skip, Detail: "not run, because " + need + " failed (" + cause + ")"})}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	started := time.Now()
	var out []report.Check
	for _, f := range c.ask(ctx, r) {
		row := r.record(c, f)
		row.Elapsed = time.Since(started)
		out = append(out, row)
		if f.Confirms == "" && (f.Result == report.Fail || f.Result == report.Warn) && c.category != report.CategoryPolicy {
			r.reported = append(r.reported, reported{f, c.code})
		}
	}
	return out
}
