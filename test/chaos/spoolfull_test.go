package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
)

// spoolMax is the spool's size limit in these tests.
const spoolMax = 4 << 20

// harness starts and stops brokerd for a test.
type harness struct {
	*torture
	client *client.Client
	caller *caller
}

func newHarness(t *testing.T, count int) *harness {
	t.Helper()
	st := testbedtest.New(t)
	r := &torture{st: st, dir: st.Dir, all: newAnswers()}
	rng := rand.New(rand.NewPCG(1, 4))
	for n := range count {
		i := &item{number: n, destination: "spool", size: 16<<10 + rng.Int64N(64<<10), cut: -1}
		i.seed[0], i.seed[1] = byte(n), byte(n>>8)
		r.items = append(r.items, i)
	}
	r.crash = &crashCheck{st: st, spool: filepath.Join(r.dir, "spool"), items: r.items}
	r.brokerd = &supervisor{st: st, config: writeConfig(t, st, limits{Max: fmt.Sprint(spoolMax)}), logs: t.TempDir(), rng: rng}
	c, err := client.Dial(st.SocketPath)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &harness{torture: r, client: c, caller: &caller{client: c, rng: rng, all: r.all}}
}

// ready starts brokerd and waits until it answers.
func (a *harness) ready(t *testing.T) *process {
	t.Helper()
	p, err := a.brokerd.start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	if _, err := a.client.Health().Check(t.Context(), &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true)); err != nil {
		t.Fatalf("%v\n%s", err, tail(p.life.log))
	}
	return p
}

// once sends an item without retries.
func (a *harness) once(ctx context.Context, i *item) error {
	res, err := a.client.Upload(ctx, i.destination, i.name(), newBody(i), client.WithIdempotencyKey(i.idempotencyKey()), client.WithRetry(0))
	if err == nil {
		a.caller.acknowledged(i, res, false)
	}
	return err
}

// A full spool refuses with SPOOL_FULL and a retry delay. It never holds more than
// its limit, also after a kill. It delivers the objects that it accepted, and accepts
// the refused ones once there is room.
func TestFullSpoolRefusesAndLosesNothing(t *testing.T) {
	a := newHarness(t, 200)
	down, err := sandbox.ParseFault("s3:* code=ServiceUnavailable")
	if err != nil {
		t.Fatal(err)
	}
	a.st.Sandbox.SetFaults([]sandbox.Fault{down})
	p := a.ready(t)

	refused := a.fill(t)
	if taken := len(a.items) - len(refused); taken < 20 || len(refused) < 20 {
		t.Errorf("%d were taken and %d refused: this proves nothing", taken, len(refused))
	}
	if err := a.brokerd.end(p, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	a.crash.check(t)
	if n := a.spooledBytes(t); n > spoolMax {
		t.Errorf("the spool holds %d bytes of objects, its limit is %d", n, spoolMax)
	}

	p = a.ready(t)
	again := a.fill(t)
	if len(again) < 20 {
		t.Errorf("after a restart only %d of %d are refused", len(again), len(refused))
	}
	if n := a.spooledBytes(t); n > spoolMax {
		t.Errorf("after a restart the spool holds %d bytes of objects, its limit is %d", n, spoolMax)
	}

	// S3 recovers while the callers send.
	var sending sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, i := range again {
		one := &caller{client: a.client, rng: rand.New(rand.NewPCG(2, uint64(i.number))), all: a.all}
		sending.Go(func() {
			if !one.deliver(ctx, i) {
				t.Errorf("%s was never taken", i.name())
			}
		})
	}
	a.st.Sandbox.SetFaults(nil)
	sending.Wait()
	if err := a.drain(ctx, t); err != nil {
		t.Errorf("draining: %v", err)
	}
	if err := a.brokerd.end(p, syscall.SIGTERM); err != nil {
		t.Errorf("brokerd did not stop in order: %v\n%s", err, tail(p.life.log))
	}
	for _, s := range a.all.strange {
		t.Errorf("told to a caller: %s", s)
	}
	a.assertObjects(t)
	a.assertSpoolEmpty(t)
}

// fill sends the items that are not acknowledged yet, several at a time, and returns
// those that are refused.
func (a *harness) fill(t *testing.T) []*item {
	t.Helper()
	var mu sync.Mutex
	var refused []*item
	var sending sync.WaitGroup
	room := make(chan struct{}, 16)
	for _, i := range a.items {
		if i.acked != "" {
			continue
		}
		room <- struct{}{}
		sending.Go(func() {
			defer func() { <-room }()
			err := a.once(t.Context(), i)
			if err == nil {
				return
			}
			var e *client.Error
			if !errors.As(err, &e) || e.Code != codes.ResourceExhausted || e.Reason != "SPOOL_FULL" || e.RetryAfter <= 0 || client.MayBeStored(err) {
				t.Errorf("%s: want RESOURCE_EXHAUSTED, SPOOL_FULL and when to come again; got %v, %+v", i.name(), err, e)
			}
			mu.Lock()
			defer mu.Unlock()
			refused = append(refused, i)
		})
	}
	sending.Wait()
	return refused
}

// spooledBytes returns the sum of the sizes of the acknowledged objects. The few bytes
// of the file format around each do not count against the limit.
func (a *harness) spooledBytes(t *testing.T) int64 {
	t.Helper()
	sum := int64(0)
	for _, i := range a.items {
		path := filepath.Join(a.dir, "spool", "queue", i.acked+".obj")
		if i.acked == "" {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s was acknowledged, and S3 is down: %v", i.name(), err)
			continue
		}
		sum += i.size
	}
	return sum
}

// A spool on a read-only directory refuses with SPOOL_FAILED, and accepts again as soon
// as it can write.
func TestReadOnlySpoolIsReported(t *testing.T) {
	a := newHarness(t, 4)
	queue := filepath.Join(a.dir, "spool", "queue")
	p := a.ready(t)
	if err := a.once(t.Context(), a.items[0]); err != nil {
		t.Fatal(err)
	}
	// The first object is gone before: a delivered object that cannot be removed is another test.
	for range time.Tick(10 * time.Millisecond) {
		if left, err := filepath.Glob(filepath.Join(queue, "*.obj")); err != nil || len(left) == 0 {
			break
		}
	}
	undo := readOnly(t, queue)
	err := a.once(t.Context(), a.items[1])
	var e *client.Error
	if !errors.As(err, &e) || e.Code != codes.Unavailable || e.Reason != "SPOOL_FAILED" || e.RetryAfter <= 0 {
		t.Errorf("want UNAVAILABLE, SPOOL_FAILED and when to come again; got %v, %+v", err, e)
	}
	undo()
	if err := a.once(t.Context(), a.items[1]); err != nil {
		t.Errorf("once it can be written to again: %v", err)
	}
	if err := a.drain(t.Context(), t); err != nil {
		t.Errorf("draining: %v", err)
	}
	if err := a.brokerd.end(p, syscall.SIGTERM); err != nil {
		t.Errorf("brokerd did not stop in order: %v\n%s", err, tail(p.life.log))
	}
	a.assertSpoolEmpty(t)
	if n := len(a.st.Sandbox.Objects(testbed.Bucket)); n != 2 {
		t.Errorf("%d objects for two uploads", n)
	}
}

// chmodded makes dir read-only by its permissions.
func chmodded(t *testing.T, dir string) (undo func()) {
	t.Helper()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	undo = func() { _ = os.Chmod(dir, 0o700) }
	t.Cleanup(undo)
	return undo
}
