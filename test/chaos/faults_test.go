package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
)

// faultWindow is a period in which the sandbox injects one kind of fault, or several.
type faultWindow struct {
	name   string
	faults []string
	length int // relative to the other windows; 0 means 1
	// loses reports that answers to CreateMultipartUpload may be lost.
	loses      bool
	begin, end func(context.Context, *testbedtest.Bed) error
	// proxyRefuses makes the proxy of the first destination refuse connections.
	proxyRefuses bool
}

const stsDown = "STS is down"

// faultWindows are all windows of a schedule. Their faults name only operations of
// deliveries, so that the calls of begin and end succeed.
var faultWindows = []faultWindow{
	{name: "calm"},
	{name: "S3 throttles", faults: []string{
		"s3:PutObject code=throttle rate=0.5", "s3:UploadPart code=throttle rate=0.4",
		"s3:CompleteMultipartUpload code=throttle rate=0.4"}},
	{name: "S3 answers 500 and 503", faults: []string{"s3:* code=InternalError status=500 rate=0.3", "s3:* code=ServiceUnavailable rate=0.3"}},
	{name: "S3 is down", faults: []string{"s3:* code=ServiceUnavailable"}},
	{name: "connections break before the body", faults: []string{"s3:* reset=before-body rate=0.3"}},
	{name: "connections break after the body", faults: []string{"s3:* reset=after-body rate=0.3"}},
	{name: "answers are lost", loses: true, faults: []string{"s3:* reset=before-response rate=0.3"}},
	{name: "connections break after the answer", loses: true, faults: []string{"s3:* reset=after-response rate=0.3"}},
	{name: "answers are cut", loses: true, faults: []string{"s3:* truncate=60 rate=0.5"}},
	{name: "S3 is slow", faults: []string{"s3:* latency=50ms jitter=300ms rate=0.7"}},
	{name: "answers trickle", loses: true, faults: []string{"s3:* bytes_per_second=1000 rate=0.5"}},
	{name: "sessions expire", faults: []string{"s3:* expire_session=true rate=0.1"}, begin: expireSessions},
	{name: "tokens are called expired", faults: []string{"s3:* code=ExpiredToken status=400 rate=0.3"}},
	{name: "conditional writes collide", faults: []string{
		"s3:PutObject code=ConditionalRequestConflict status=409 rate=0.3",
		"s3:CompleteMultipartUpload code=ConditionalRequestConflict status=409 rate=0.5"}},
	{name: "multipart uploads go wrong", loses: true, faults: []string{
		"s3:CreateMultipartUpload reset=before-response rate=0.4", "s3:CompleteMultipartUpload reset=before-response rate=0.6",
		"s3:AbortMultipartUpload code=InternalError status=500", "s3:UploadPart reset=before-response rate=0.2"}},
	{name: "parts are refused and aborts fail", faults: []string{
		"s3:UploadPart code=ServiceUnavailable rate=0.8", "s3:AbortMultipartUpload code=ServiceUnavailable"}},
	{name: "completions are slow", faults: []string{"s3:CompleteMultipartUpload latency=1s jitter=3s"}},
	{name: "the proxy refuses", proxyRefuses: true},
	{name: "the credential command hangs", begin: hangCommand, end: releaseCommand},
	{name: "STS is slow", faults: []string{"sts:* latency=300ms jitter=700ms"}},
	{name: stsDown, length: 4, faults: []string{"sts:* code=ServiceUnavailable"}},
	{name: "STS loses answers", faults: []string{"sts:* reset=before-response rate=0.5", "sts:* truncate=40 rate=0.3"}},
	{name: "everything at once", length: 2, loses: true, faults: []string{
		"sts:* code=InternalFailure status=500 rate=0.3", "s3:* code=throttle rate=0.2", "s3:* reset=before-response rate=0.2",
		"s3:* reset=after-body rate=0.1", "s3:* latency=20ms jitter=100ms rate=0.3"}},
	{name: "the KMS key is disabled", begin: disableKey, end: enableKey},
	{name: "the bucket policy is revoked", begin: revokePolicy, end: restorePolicy},
}

func expireSessions(_ context.Context, st *testbedtest.Bed) error {
	st.Sandbox.ExpireSessions("")
	return nil
}

func disableKey(_ context.Context, st *testbedtest.Bed) error {
	return st.Sandbox.DisableKey(st.KeyARN)
}

func enableKey(ctx context.Context, st *testbedtest.Bed) error {
	_, err := st.KMS.EnableKey(ctx, &kms.EnableKeyInput{KeyId: aws.String(st.KeyARN)})
	return err
}

func revokePolicy(ctx context.Context, st *testbedtest.Bed) error {
	_, err := st.S3.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: aws.String(testbed.Bucket)})
	return err
}

func restorePolicy(ctx context.Context, st *testbedtest.Bed) error {
	return st.PutBucketPolicy(ctx, string(st.Docs.Bucket))
}

// countless is more hits than any fault has in a run. The sandbox counts down from it.
const countless = 1 << 40

// faultSchedule applies all windows in an order that follows from its seed, and then
// injects no more faults.
type faultSchedule struct {
	st    *testbedtest.Bed
	rng   *rand.Rand
	proxy *proxy

	mu    sync.Mutex
	hits  map[string]int // by fault
	spans []span         // in which answers to CreateMultipartUpload may be lost
	seen  []string
}

type span struct{ from, to time.Time }

// run applies all windows, rounds times; each lasts about the time each. In the first
// round the outage of STS lasts longer by away.
func (w *faultSchedule) run(ctx context.Context, t *testing.T, rounds int, each, away time.Duration) {
	for round := range rounds {
		for _, n := range w.rng.Perm(len(faultWindows)) {
			s := faultWindows[n]
			length := time.Duration(float64(each) * float64(max(s.length, 1)) * (0.5 + w.rng.Float64()))
			if s.name == stsDown && round == 0 {
				length += away
			}
			if err := w.apply(ctx, s, length); err != nil {
				t.Errorf("%s: %v", s.name, err)
			}
			if ctx.Err() != nil {
				return
			}
		}
	}
}

// apply injects the faults of one window for the given time.
func (w *faultSchedule) apply(ctx context.Context, s faultWindow, length time.Duration) error {
	faults := make([]sandbox.Fault, len(s.faults))
	for n, text := range s.faults {
		f, err := sandbox.ParseFault(text)
		if err != nil {
			return err
		}
		f.Times = countless
		faults[n] = f
	}
	// The changes of begin are undone even if ctx ends.
	tidy := context.WithoutCancel(ctx)
	if s.begin != nil {
		if err := s.begin(tidy, w.st); err != nil {
			return err
		}
	}
	began := time.Now()
	w.proxy.refuse.Store(s.proxyRefuses)
	w.st.Sandbox.SetFaults(faults)
	timer := time.NewTimer(length)
	select {
	case <-timer.C:
	case <-ctx.Done():
		timer.Stop()
	}
	left := w.st.Sandbox.Faults()
	w.st.Sandbox.SetFaults(nil)
	w.proxy.refuse.Store(false)
	w.mu.Lock()
	for n, f := range left {
		w.hits[s.faults[n]] += countless - f.Times
	}
	if s.loses {
		w.spans = append(w.spans, span{began, time.Now()})
	}
	w.seen = append(w.seen, fmt.Sprintf("%s for %s", s.name, length.Round(10*time.Millisecond)))
	w.mu.Unlock()
	if s.end != nil {
		return s.end(tidy, w.st)
	}
	return nil
}

// lost reports whether a fault may have lost an answer that was given at that time.
func (w *faultSchedule) lost(at time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.spans {
		// A slow answer may still have been in transit when the window ended.
		if !at.Before(s.from.Add(-time.Second)) && !at.After(s.to.Add(time.Second)) {
			return true
		}
	}
	return false
}
