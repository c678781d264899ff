package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/filereader"
	"github.com/brokerd/brokerd/internal/health"
	"github.com/brokerd/brokerd/internal/secret"
	"github.com/brokerd/brokerd/internal/unixsock"
	"github.com/brokerd/brokerd/internal/uploader"
	"github.com/brokerd/brokerd/internal/vend"
	"github.com/brokerd/brokerd/internal/verify/verifypb"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

func TestMain(m *testing.M) {
	if filereader.IsChild(os.Args) {
		os.Exit(filereader.Serve())
	}
	goleak.VerifyTestMain(m)
}

// sink is a Deliverer that keeps what ended well.
type sink struct {
	mu      sync.Mutex
	objects map[string][]byte
	refused error
	entered chan struct{} // told when a delivery begins, if not nil
}

func (s *sink) Open(_ context.Context, destination string, obj uploader.Object, body uploader.Body) (*uploader.Delivery, error) {
	obj.Key = destination + "/" + obj.Name + "-" + obj.ID
	return &uploader.Delivery{Destination: destination, Object: obj, Body: body}, nil
}

func (s *sink) Put(_ context.Context, d *uploader.Delivery) (uploader.Stored, error) {
	if s.entered != nil {
		s.entered <- struct{}{}
	}
	if s.refused != nil {
		return uploader.Stored{}, s.refused
	}
	data, err := io.ReadAll(d.Body)
	if err != nil {
		return uploader.Stored{}, fmt.Errorf("reading the body: %w", err)
	}
	if err := d.Body.Verify(int64(len(data)), crcOf(data)); err != nil {
		return uploader.Stored{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[d.Destination+"/"+d.Object.Name] = data
	return uploader.Stored{Bucket: "b", Key: "logs/" + d.Object.ID, Size: int64(len(data)), Parts: 1, Attempts: 1, Time: time.Now()}, nil
}

type fakeSessions struct {
	states map[string]broker.State
	vended []string
}

func (f *fakeSessions) Statuses() []broker.Status {
	var out []broker.Status
	for _, d := range []string{"audit", "logs"} {
		out = append(out, broker.Status{Destination: d, State: f.states[d]})
	}
	return out
}

func (f *fakeSessions) Refresh(_ context.Context, d string) (broker.Status, error) {
	if f.states[d] == "" {
		return broker.Status{}, fmt.Errorf("destination %q: %w", d, broker.ErrUnknownDestination)
	}
	return broker.Status{Destination: d, State: broker.StateFresh, Generation: 2}, nil
}

func (f *fakeSessions) Vend(_ context.Context, d string, p broker.Peer) (*broker.Session, error) {
	f.vended = append(f.vended, fmt.Sprintf("%s for %d", d, p.UID))
	return &broker.Session{AccessKeyID: "ASIAEXAMPLE1", SecretAccessKey: secret.New("hush-secret"),
		SessionToken: secret.New("hush-token"), Expires: time.Now().Add(time.Hour)}, nil
}

type fakeVerifier struct{ results []brokerdv1.CheckResult }

func (f *fakeVerifier) Verify(_ context.Context, req *brokerdv1.VerifyAccessRequest,
	emit func(*brokerdv1.VerifyAccessResponse) error) (v health.Verdict, err error) {
	for i, r := range f.results {
		m := &brokerdv1.VerifyAccessResponse{Destination: req.GetDestination(), Code: fmt.Sprintf("BRK-X-%03d", i), Result: r}
		if err := emit(m); err != nil {
			return v, err
		}
		v.Add(verifypb.ToCheck(m))
	}
	return v, nil
}

type meter struct {
	mu      sync.Mutex
	reasons map[string]int
}

func (m *meter) UploadEnded(_, reason string, _ int64, _ time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reasons[reason]++
}

func (m *meter) UploadSpooled(string, int64) { m.UploadEnded("", "SPOOLED", 0, 0) }

// daemonUnderTest is a server on a real socket, whose peer is this test's user.
type daemonUnderTest struct {
	*client.Client
	server   *Server
	sink     *sink
	sessions *fakeSessions
	verifier *fakeVerifier
	meter    *meter
	logs     *observer.ObservedLogs
	budget   *uploader.Budget
	path     string
}

type change func(*config.Config, *Options)

func serverFor(t *testing.T, changes ...change) *daemonUnderTest {
	t.Helper()
	dir, err := os.MkdirTemp("", "rpc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	uid := fmt.Sprint(os.Getuid())
	cfg := &config.Config{
		Path:   "/etc/brokerd/brokerd.yaml",
		Limits: config.Limits{IdleTimeout: config.Duration(5 * time.Second), MaxObject: 1 << 20},
		Destinations: map[string]*config.Destination{
			"logs":  {Name: "logs", Bucket: "b", Durability: "direct"},
			"audit": {Name: "audit", Bucket: "b", Durability: "direct"},
		},
		Access: []config.Rule{
			{Peer: config.Peer{UID: uid}, Destinations: []string{"logs"}, Allow: []config.Permission{config.PermUpload, config.PermVerify}},
		},
	}
	budget, err := uploader.NewBudget(4 << 20)
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.DebugLevel)
	d := &daemonUnderTest{
		sink:     &sink{objects: map[string][]byte{}},
		sessions: &fakeSessions{states: map[string]broker.State{"logs": broker.StateFresh, "audit": broker.StateFresh}},
		verifier: &fakeVerifier{}, meter: &meter{reasons: map[string]int{}}, logs: logs, budget: budget, path: path,
	}
	o := Options{Config: cfg, Deliver: d.sink, Admission: budget, Sessions: d.sessions, Verify: d.verifier,
		Meter: d.meter, Stats: health.NewStats([]string{"logs", "audit"}), Logger: zap.New(core), Version: "test",
		Reload: func() (config.Changes, error) { return config.Changes{}, errors.New("not in this test") }}
	files := filereader.New("/proc/self/exe", o.Logger)
	o.Files = files
	for _, c := range changes {
		c(cfg, &o)
	}
	o.Access = access.Compiler{Host: access.Host{DaemonUID: 4242}, Resolver: access.SystemResolver()}
	cfg.Limits.Credentials = 3
	if o.Credentials, err = vend.New(vend.Options{Config: cfg, Access: o.Access, Sessions: d.sessions, Logger: o.Logger}); err != nil {
		t.Fatal(err)
	}
	if d.server, err = NewServer(o); err != nil {
		t.Fatal(err)
	}
	l, err := unixsock.Listen(path, 0o600, -1, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- d.server.Serve(l) }()
	if d.Client, err = client.Dial(path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		d.server.Stop(ctx)
		files.Close()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		_ = l.Close()
		if used, n := budget.Used(); used != 0 || n != 0 {
			t.Errorf("%d bytes of %d uploads were not given back", used, n)
		}
	})
	return d
}

// wantFault asserts the reason of an error as a client sees it.
func wantFault(t *testing.T, err error, reason string) *client.Error {
	t.Helper()
	var e *client.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want reason %s", err, reason)
	}
	if e.Reason != reason {
		t.Fatalf("got reason %s (%s), want %s", e.Reason, e.Message, reason)
	}
	return e
}
