package chaos

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

var filesFlag = flag.Int("files", 0, "files that the torture of watched files writes; 0: as many as take less than a minute")

// watchFaults are what goes wrong at S3, one at a time.
var watchFaults = [][]string{
	{}, {}, // nothing
	{"s3:* code=ServiceUnavailable rate=0.5"},
	{"s3:* reset=before-response rate=0.4"},
	{"s3:* reset=after-response rate=0.4"},
	{"s3:* reset=after-body rate=0.4"},
	{"s3:* truncate=60 rate=0.5"},
	{"s3:PutObject code=AccessDenied status=403"},
	{"s3:PutObject code=ConditionalRequestConflict status=409 rate=0.5"},
	{"s3:* latency=30ms jitter=100ms rate=0.7"},
	{"sts:* code=ServiceUnavailable"},
}

// rotating is one run of writers that rotate files in every way, while the daemon is
// killed, stopped and paused, and S3 fails.
type rotating struct {
	st   *testbedtest.Bed
	dir  string
	logs string

	mu sync.Mutex
	// wanted are the contents of finished files; changed those of finished files that
	// changed later: they may be objects.
	wanted, changed map[string]bool
}

// Every finished file is one object in one version, byte for byte; none is removed before
// it is stored; nothing that changed is lost.
func TestWatchedFilesTorture(t *testing.T) {
	seed, count := *seedFlag, *filesFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	if count <= 0 {
		count = 500
		if raced {
			count = 300
		}
	}
	t.Logf("-chaos.seed %d -files %d", seed, count)
	r := newRotating(t)
	writing, stop := context.WithCancel(t.Context())
	defer stop()
	var around, writers sync.WaitGroup
	around.Go(func() { r.supervise(t, writing, rand.New(rand.NewPCG(seed, 1))) })
	around.Go(func() { r.faults(t, writing, rand.New(rand.NewPCG(seed, 2))) })
	for i, rotate := range r.methods() {
		n := count / len(r.methods())
		writers.Go(func() {
			w := &rotator{rotating: r, t: t, rng: rand.New(rand.NewPCG(seed, uint64(10+i))), dir: filepath.Join(r.dir, fmt.Sprintf("w%d", i))}
			w.must(os.MkdirAll(w.dir, 0o755))
			for k := range n {
				rotate(w, fmt.Sprintf("writer %d file %d\n%s", i, k, strings.Repeat("x", w.rng.IntN(20_000))))
				w.rest(10 * time.Millisecond)
			}
		})
	}
	writers.Wait()
	stop()
	around.Wait()
	r.st.Sandbox.SetFaults(nil)
	r.finish(t)
	r.judge(t)
}

func newRotating(t *testing.T) *rotating {
	t.Helper()
	st := testbedtest.New(t)
	if _, err := st.S3.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: aws.String(testbed.Bucket), VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	}); err != nil {
		t.Fatal(err)
	}
	r := &rotating{st: st, dir: t.TempDir(), logs: t.TempDir(), wanted: map[string]bool{}, changed: map[string]bool{}}
	f, err := os.OpenFile(st.ConfigPath, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	// The object's name is that of the directory, which no rotation changes: a lost
	// journal together with a rename then makes no second object.
	_, err = fmt.Fprintf(f, `watch:
  - name: app
    paths: ["%s/**/*.fin*"]
    exclude: ["**/*.tmp"]
    destination: %s
    after: delete
    object_name: "{dir}"
    scan: 200ms
    finished: {idle: 300ms, closed: true}
`, r.dir, testbed.Destination)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return r
}

// supervise starts the daemon, and kills, stops or pauses it after a short life.
func (r *rotating) supervise(t *testing.T, ctx context.Context, rng *rand.Rand) {
	for n := 0; ctx.Err() == nil; n++ {
		p, err := r.start(fmt.Sprintf("%04d.log", n))
		if err != nil {
			t.Error(err)
			return
		}
		rest(ctx, time.Duration(300+rng.IntN(2500))*time.Millisecond)
		switch rng.IntN(4) {
		case 0:
			_ = p.Process.Signal(syscall.SIGTERM)
		case 1: // notifications overflow or come late
			_ = p.Process.Signal(syscall.SIGSTOP)
			rest(ctx, 500*time.Millisecond)
			_ = p.Process.Signal(syscall.SIGCONT)
			rest(ctx, 500*time.Millisecond)
			_ = p.Process.Kill()
		default:
			_ = p.Process.Kill()
		}
		_ = p.Wait() // killed, mostly
		if rng.IntN(4) == 0 {
			if err := os.RemoveAll(r.st.Config.Spool.Dir + ".watch"); err != nil {
				t.Error(err)
			}
		}
	}
}

func (r *rotating) start(name string) (*exec.Cmd, error) {
	log, err := os.Create(filepath.Join(r.logs, name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the process has a descriptor of its own
	cmd := exec.Command(filepath.Join(binaries, "brokerd"), "serve", "--config", r.st.ConfigPath)
	cmd.Stderr = log
	cmd.Env = append(os.Environ(), "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull)
	return cmd, cmd.Start()
}

func (r *rotating) faults(t *testing.T, ctx context.Context, rng *rand.Rand) {
	for ctx.Err() == nil {
		var now []sandbox.Fault
		for _, text := range watchFaults[rng.IntN(len(watchFaults))] {
			f, err := sandbox.ParseFault(text)
			if err != nil {
				t.Error(err)
				return
			}
			now = append(now, f)
		}
		r.st.Sandbox.SetFaults(now)
		rest(ctx, time.Duration(500+rng.IntN(2000))*time.Millisecond)
	}
}

// rest waits, or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// finish lets a daemon deliver what is left.
func (r *rotating) finish(t *testing.T) {
	t.Helper()
	p, err := r.start("last.log")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = p.Process.Signal(syscall.SIGTERM)
		if err := p.Wait(); err != nil {
			t.Errorf("the last daemon ended with %v", err)
		}
	}()
	c, err := client.Dial(r.st.SocketPath)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	limit, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for limit.Err() == nil {
		list, err := c.Admin().ListWatches(limit, &brokerdv1.ListWatchesRequest{})
		if err == nil && list.GetWatches()[0].GetScanTime() != nil && len(list.GetWatches()[0].GetFiles()) == 0 && r.left() == "" {
			return
		}
		_, _ = c.Admin().RetryWatchedFiles(limit, &brokerdv1.RetryWatchedFilesRequest{}) // it may not be ready yet
		rest(limit, 200*time.Millisecond)
	}
	t.Errorf("%s is left", r.left())
}

// left returns a finished file that is still there.
func (r *rotating) left() (found string) {
	_ = filepath.WalkDir(r.dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(d.Name(), ".fin") {
			found = p
		}
		return nil
	})
	return found
}

func (r *rotating) judge(t *testing.T) {
	t.Helper()
	count := map[string]int{}
	versions := 0
	pages := s3.NewListObjectVersionsPaginator(r.st.S3, &s3.ListObjectVersionsInput{Bucket: aws.String(testbed.Bucket)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		versions += len(page.Versions)
		if len(page.DeleteMarkers) > 0 {
			t.Errorf("%d objects were deleted", len(page.DeleteMarkers))
		}
	}
	objects := r.st.Sandbox.Objects(testbed.Bucket)
	if versions != len(objects) {
		t.Errorf("%d objects have %d versions", len(objects), versions)
	}
	for _, o := range objects {
		_, body, err := r.st.Sandbox.Object(testbed.Bucket, o.Key)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(body)
		_ = body.Close()
		if err != nil {
			t.Fatal(err)
		}
		count[string(data)]++
		if !r.wanted[string(data)] && !r.changed[string(data)] {
			t.Errorf("%s holds %d bytes that no finished file had: %.40q", o.Key, len(data), data)
		}
	}
	lost, twice := 0, 0
	for text := range r.wanted {
		if count[text] == 0 {
			lost++
			t.Errorf("%.40q is lost", text)
		}
	}
	for text, n := range count {
		if n > 1 {
			twice++
			t.Errorf("%.40q is %d objects", text, n)
		}
	}
	t.Logf("%d finished files, %d of them changed later, %d objects; %d lost, %d doubled", len(r.wanted), len(r.changed),
		len(objects), lost, twice)
}
