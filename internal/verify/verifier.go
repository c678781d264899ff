package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/verify/report"
)

const (
	checkTimeout = 30 * time.Second
	// abortTimeout is the probe's own: it must be cleaned up when the caller is gone.
	abortTimeout = 15 * time.Second
)

// Sessions is what verify needs of the broker.
type Sessions interface {
	// SourceIdentity is the ARN behind the source credentials;
	// broker.ErrNoSourceARN when they are nobody to AWS yet.
	SourceIdentity(ctx context.Context, destination string) (string, error)
	// Refresh assumes the role now, whatever is cached; a failure leaves the session in use.
	Refresh(ctx context.Context, destination string) (broker.Status, error)
	// Session is the session in use.
	Session(ctx context.Context, destination string) (*broker.Session, error)
	// ScopePolicy is the session policy that is sent along; empty when there is none.
	ScopePolicy(destination string) (string, error)
	// Try assumes the role once with one thing changed. Nothing of it is kept.
	AssumeOnce(ctx context.Context, destination string, o broker.AssumeOverrides) (*broker.Session, error)
}

// ErrUnknownDestination is returned for a destination that is not configured.
var ErrUnknownDestination = errors.New("no such destination in the configuration")

// Leftovers remembers the uploads of probes over a crash; uploader.OrphanLog does.
type Leftovers interface {
	// Remember writes an upload down, until ended is called with whether it is gone.
	Remember(destination, bucket, key, uploadID string) (ended func(gone bool))
}

// Options are what a Verifier is made of. All but Leftovers are required.
type Options struct {
	Config     *config.Config
	Sessions   Sessions
	HTTPClient *awshttp.BuildableClient
	// Leftovers keeps a probe that a crash cut off from staying in the bucket; nil: the
	// bucket's lifecycle rule does.
	Leftovers Leftovers
}

// Verifier runs the checks. Its methods may be called from several goroutines.
type Verifier struct{ opts Options }

// New makes a Verifier. It makes no call.
func New(o Options) (*Verifier, error) {
	if o.Config == nil || o.Sessions == nil || o.HTTPClient == nil {
		return nil, errors.New("verify: Config, Sessions and HTTPClient are required")
	}
	return &Verifier{opts: o}, nil
}

// Verify checks a destination by its name and hands each result to emit, in
// order, as it ends; emit may be nil. The error is emit's, the context's or
// ErrUnknownDestination; a failed check is a result, not an error.
func (v *Verifier) Verify(ctx context.Context, destination string, o report.RunOptions, emit func(report.Check) error) (report.Report, error) {
	dest, ok := v.opts.Config.Destinations[destination]
	if !ok {
		return report.Report{}, fmt.Errorf("destination %q: %w", destination, ErrUnknownDestination)
	}
	return v.Run(ctx, dest, o, emit)
}

// Run is Verify for a destination at hand. emit may be nil.
func (v *Verifier) Run(ctx context.Context, dest *config.Destination, o report.RunOptions, emit func(report.Check) error) (out report.Report, err error) {
	out = report.Report{Destination: dest.Name, Documents: o.Policies.Documents}
	r, err := v.newRun(dest, o)
	if err != nil {
		return out, err
	}
	// Whatever stops the run, the probe's upload does not stay.
	defer func() {
		id := r.uploads.open
		if cleanup := r.uploads.abort(ctx, r.clients.s3()); cleanup != nil && err != nil {
			err = errors.Join(err, fmt.Errorf("aborting the probe's multipart upload %s of %s: %w", id, r.key, cleanup))
		}
	}()
	failed := make(map[string]string) // code of a check that did not hold -> code of the cause
	for _, c := range checks(o) {
		if err := ctx.Err(); err != nil {
			return out, fmt.Errorf("verifying destination %q: %w", dest.Name, err)
		}
		for _, row := range v.rows(ctx, c, r, failed) {
			// An undecided call has no result to build on; other unknowns only prove less.
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
	out.Messages, err = r.messages(out)
	return out, err
}

// rows are the records of one check: several when it found several faults.
func (v *Verifier) rows(ctx context.Context, c check, r *run, failed map[string]string) []report.Check {
	for _, need := range c.needs {
		if cause, ok := failed[need]; ok {
			return []report.Check{r.record(c, finding{Result: report.Skip, Detail: "not run, because " + need + " did not hold (" + cause + ")"})}
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
