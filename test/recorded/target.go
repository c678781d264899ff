package recorded

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// Account is one side: an id and the credentials of an administrator of it.
type Account struct {
	ID          string
	Credentials aws.CredentialsProvider
}

// Target is a pair of accounts that rows run against.
type Target struct {
	// Name is "AWS" or says which sandbox it is.
	Name   string
	A, B   Account
	Region string // where buckets and keys are made
	// Prefix begins the name of everything that a run makes. Lower case, at most 30
	// characters, unique in the world.
	Prefix string
	// Dial opens connections; nil dials the address itself.
	Dial Dialer
	// TLS is nil for the system's roots.
	TLS *tls.Config
	// Settle is how long a request is repeated while its answer differs from the
	// wanted one: changes of IAM take effect after seconds. 0 asks once.
	Settle time.Duration
	// Attempts is how often the SDK tries; 1 for none after the first.
	Attempts int

	mu   sync.Mutex
	keys map[string]string // ARNs of the keys that rows share, by their kind
}

// Outcome is what became of a row.
type Outcome struct {
	Row *Row
	// Answer is nil when no request was sent or Err is set.
	Answer *Answer
	// Differences from the wanted answer; none means that the row passes.
	Differences []string
	// Err says why the row could not be asked: a step of its state failed.
	Err error
	// Vars are the values of the run by their name, for hiding them in reports.
	Vars map[string]string
}

// Passed reports whether the answer is the recorded one.
func (o *Outcome) Passed() bool { return o.Err == nil && len(o.Differences) == 0 }

// String is the difference or the error; empty for a row that passes.
func (o *Outcome) String() string {
	if o.Err != nil {
		return o.Err.Error()
	}
	return strings.Join(o.Differences, "; ")
}

var errNotSent = errors.New("no request was sent")

// Run makes the state of a row, asks, and compares. It returns an error only when
// ctx has ended.
func (t *Target) Run(ctx context.Context, row *Row) (*Outcome, error) {
	r := newRun(t, row)
	defer r.wire.close()
	o := &Outcome{Row: row}
	o.Answer, o.Differences, o.Err = t.ask(ctx, r, row)
	r.dispose(context.WithoutCancel(ctx))
	o.Vars = r.known()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return o, nil
}

func (t *Target) ask(ctx context.Context, r *run, row *Row) (*Answer, []string, error) {
	for i, step := range row.Given {
		if err := t.settled(ctx, func() error { return step.do(ctx, r) }); err != nil {
			return nil, nil, fmt.Errorf("state, step %d (%s): %w", i+1, step.operation, err)
		}
	}
	var answer *Answer
	var differences []string
	err := t.settled(ctx, func() error {
		r.wire.forget()
		err := row.Ask.do(ctx, r)
		if answer = r.wire.answer(); answer == nil {
			return errors.Join(errNotSent, err)
		}
		differences = row.Want.differences(answer, func(s string) string { return r.expandKnown(s) })
		if len(differences) > 0 {
			return errDiffers
		}
		return nil
	})
	if errors.Is(err, errDiffers) {
		err = nil
	}
	return answer, differences, err
}

var errDiffers = errors.New("the answer differs")

// settled repeats f until it succeeds or Settle is over.
func (t *Target) settled(ctx context.Context, f func() error) error {
	begin := time.Now()
	for pause := time.Second; ; pause = min(2*pause, 8*time.Second) {
		err := f()
		if err == nil || time.Since(begin)+pause > t.Settle {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

func (t *Target) account(side string) (Account, error) {
	switch side {
	case "A":
		return t.A, nil
	case "B":
		return t.B, nil
	}
	return Account{}, fmt.Errorf("there is no account %q", side)
}

// Config is an SDK configuration of an account, for other calls than those of rows.
// Its client serves any number of requests at a time.
func (t *Target) Config(account Account, region string) aws.Config {
	transport := &http.Transport{
		DialContext: t.Dial, TLSClientConfig: t.TLS, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: time.Minute,
		MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute,
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	c := t.config(client, account.Credentials, region)
	c.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = max(1, t.Attempts) })
	}
	return c
}

// config is an SDK configuration without an endpoint: the SDK resolves the names.
func (t *Target) config(client aws.HTTPClient, credentials aws.CredentialsProvider, region string) aws.Config {
	return aws.Config{
		Region: region, HTTPClient: client, Credentials: credentials,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts = max(1, t.Attempts)
				// A server's error may be the recorded answer: only throttling is tried again.
				o.Retryables = []retry.IsErrorRetryable{retry.RetryableErrorCode{Codes: throttling}}
			})
		},
	}
}

var throttling = map[string]struct{}{
	"Throttling": {}, "ThrottlingException": {}, "SlowDown": {}, "RequestLimitExceeded": {}, "TooManyRequestsException": {},
}
