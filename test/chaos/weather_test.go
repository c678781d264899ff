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

// spell is a while in which AWS misbehaves in one way, or several.
type spell struct {
	name   string
	faults []string
	length int // in shares of the run; 0 is 1
	// loses says that answers to CreateMultipartUpload may be lost.
	loses      bool
	begin, end func(context.Context, *testbedtest.Bed) error
}

const stsDown = "STS is down"

// spells are all that the weather knows. What reaches the callers' destinations
// only names the operations of deliveries, so that begin and end get through.
var spells = []spell{
	{name: "calm"},
	{name: "S3 throttles", faults: []string{"s3:PutObject code=throttle rate=0.5", "s3:UploadPart code=throttle rate=0.4", "s3:CompleteMultipartUpload code=throttle rate=0.4"}},
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
	{name: "conditional writes collide", faults: []string{"s3:PutObject code=ConditionalRequestConflict status=409 rate=0.3", "s3:CompleteMultipartUpload code=ConditionalRequestConflict status=409 rate=0.5"}},
	{name: "multipart uploads go wrong", loses: true, faults: []string{
		"s3:CreateMultipartUpload reset=before-response rate=0.4", "s3:CompleteMultipartUpload reset=before-response rate=0.6",
		"s3:AbortMultipartUpload code=InternalError status=500", "s3:UploadPart reset=before-response rate=0.2"}},
	{name: "parts are refused and aborts fail", faults: []string{"s3:UploadPart code=ServiceUnavailable rate=0.8", "s3:AbortMultipartUpload code=ServiceUnavailable"}},
	{name: "STS is slow", faults: []string{"sts:* latency=300ms jitter=700ms"}},
	{name: stsDown, length: 4, faults: []string{"sts:* code=ServiceUnavailable"}},
	{name: "STS loses answers", faults: []string{"sts:* reset=before-response rate=0.5", "sts:* truncate=40 rate=0.3"}},
	{name: "everything at once", length: 2, loses: true, faults: []string{
		"sts:* code=InternalFailure status=500 rate=0.3", "s3:* code=throttle rate=0.2", "s3:* reset=before-response rate=0.2", "s3:* reset=after-body rate=0.1", "s3:* latency=20ms jitter=100ms rate=0.3"}},
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

// countless is more hits than a fault has in a run; the sandbox counts down from it.
const countless = 1 << 40

// weather goes through all spells, in an order of its seed, and then stays calm.
type weather struct {
	st  *testbedtest.Bed
	rng *rand.Rand

	mu    sync.Mutex
	hits  map[string]int // by fault
	spans []span         // in which answers to CreateMultipartUpload may be lost
	seen  []string
}

type span struct{ from, to time.Time }

// run goes through the spells so many times; each lasts about so long. In the
// first round STS is away for longer, as long as outages of a service last.
func (w *weather) run(ctx context.Context, t *testing.T, rounds int, each, away time.Duration) {
	for round := range rounds {
		for _, n := range w.rng.Perm(len(spells)) {
			s := spells[n]
			length := time.Duration(float64(each) * float64(max(s.length, 1)) * (0.5 + w.rng.Float64()))
			if s.name == stsDown && round == 0 {
				length += away
			}
			if err := w.spend(ctx, s, length); err != nil {
				t.Errorf("%s: %v", s.name, err)
			}
			if ctx.Err() != nil {
				return
			}
		}
	}
}

// spend has one spell last for a while.
func (w *weather) spend(ctx context.Context, s spell, length time.Duration) error {
	faults := make([]sandbox.Fault, len(s.faults))
	for n, text := range s.faults {
		f, err := sandbox.ParseFault(text)
		if err != nil {
			return err
		}
		f.Times = countless
		faults[n] = f
	}
	// What a spell does to the accounts is undone whatever ended it.
	tidy := context.WithoutCancel(ctx)
	if s.begin != nil {
		if err := s.begin(tidy, w.st); err != nil {
			return err
		}
	}
	began := time.Now()
	w.st.Sandbox.SetFaults(faults)
	timer := time.NewTimer(length)
	select {
	case <-timer.C:
	case <-ctx.Done():
		timer.Stop()
	}
	left := w.st.Sandbox.Faults()
	w.st.Sandbox.SetFaults(nil)
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

// lost says whether a fault may have lost an answer that was given at a time.
func (w *weather) lost(at time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.spans {
		// An answer that trickled may still have been on its way when the spell ended.
		if !at.Before(s.from.Add(-time.Second)) && !at.After(s.to.Add(time.Second)) {
			return true
		}
	}
	return false
}
