package chaos

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/daemon"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// faults of STS, injected one at a time. None of them ends a valid session.
var faults = []string{
	"sts:* code=throttle", "sts:* code=InternalFailure status=500",
	"sts:* reset=before-body", "sts:* reset=before-response", "sts:* reset=after-body",
	"sts:* truncate=40", "sts:* latency=150ms jitter=200ms",
	"sts:AssumeRole code=AccessDenied status=403 rate=0.5", "sts:* code=ServiceUnavailable rate=0.7",
}

// While STS fails in each of these ways, and an operator refreshes sessions all the
// time, no caller with a valid session sees an error.
func TestNoCallerSuffersWhileASessionIsValid(t *testing.T) {
	st := testbedtest.New(t)
	d, err := daemon.New(st.Config, "chaos", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	c, err := client.Dial(st.SocketPath)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Health().Check(t.Context(), &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Upload(t.Context(), testbed.Destination, "first.log", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	over := make(chan struct{})
	var stored, refused, refreshed atomic.Int64
	var group sync.WaitGroup
	for caller := range 4 {
		group.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-over:
					return
				default:
				}
				if _, err := c.Upload(t.Context(), testbed.Destination, fmt.Sprintf("%d/%d.log", caller, n), strings.NewReader("text")); err != nil {
					t.Errorf("an upload while the session was valid: %v", err)
					return
				}
				stored.Add(1)
			}
		})
	}
	group.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
			}
			if _, err := c.Admin().RefreshSession(t.Context(), &brokerdv1.RefreshSessionRequest{Destination: testbed.Destination}); err != nil {
				refused.Add(1)
			} else {
				refreshed.Add(1)
			}
		}
	})
	for range 12 {
		f, err := sandbox.ParseFault(faults[rng.IntN(len(faults))])
		if err != nil {
			t.Fatal(err)
		}
		st.Sandbox.SetFaults([]sandbox.Fault{f})
		window(t, 300*time.Millisecond)
		st.Sandbox.SetFaults(nil)
		window(t, time.Duration(rng.IntN(100))*time.Millisecond)
	}
	close(over)
	group.Wait()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if stored.Load() < 50 || refused.Load() == 0 || refreshed.Load() == 0 {
		t.Errorf("%d uploads, %d refreshes that failed and %d that did not: this proves nothing", stored.Load(), refused.Load(), refreshed.Load())
	}
	if n := len(st.Sandbox.Objects(testbed.Bucket)); int64(n) != stored.Load()+1 {
		t.Errorf("%d objects for %d uploads", n, stored.Load()+1)
	}
}

// window waits for d, or until the test ends.
func window(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}
