package chaos

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"google.golang.org/grpc"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

var (
	seedFlag    = flag.Uint64("chaos.seed", 0, "seed of the torture; 0: a new one")
	uploadsFlag = flag.Int("uploads", 0, "objects that the torture sends; 0: as many as take less than a minute")
)

var binaries string // where TestMain built the daemon

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "brokerd-chaos-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binaries = dir
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	if raced {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "../../cmd/brokerd", "../../cmd/brokerctl")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building brokerd: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// torture is one run.
type torture struct {
	st      *testbedtest.Bed
	dir     string // of the daemon's files
	proxy   *proxy
	clients frozenClients
	items   []*item
	all     *answers
	trail   *follower
	crash   *crashCheck
	brokerd *supervisor
	faults  *faultSchedule
	started time.Time
}

func TestTorture(t *testing.T) {
	seed, count := *seedFlag, *uploadsFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	if count <= 0 {
		count = 1500
		if raced {
			count = 300
		}
	}
	t.Logf("-chaos.seed %d -uploads %d", seed, count)
	st := testbedtest.New(t)
	if _, err := st.S3.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: aws.String(testbed.Bucket), VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	}); err != nil {
		t.Fatal(err)
	}
	r := &torture{
		st: st, dir: st.Dir, items: planItems(seed, count), all: newAnswers(), trail: follow(t, st.Sandbox), started: time.Now(),
		faults: &faultSchedule{st: st, rng: rand.New(rand.NewPCG(seed, 2)), hits: map[string]int{}},
	}
	spool := filepath.Join(r.dir, "spool")
	r.crash = &crashCheck{st: st, spool: spool, items: r.items}
	r.proxy = newProxy(t)
	r.faults.proxy = r.proxy
	r.clients.socket = st.SocketPath
	settings := limits{Max: "8GiB", Proxy: r.proxy.url(), Command: credentialCommand(t, st)}
	r.brokerd = &supervisor{
		st: st, config: writeConfig(t, st, settings), logs: t.TempDir(), rng: rand.New(rand.NewPCG(seed, 3)), hostile: true,
		under: map[string]int{},
	}

	r.sendUnderFaults(t, seed)
	r.finish(t)
	r.assertDelivered(t)
	r.report(t)
}

// long is the number of uploads from which on a run includes an outage of minutes.
const long = 10_000

// callers is the number of concurrent callers for each destination.
const callers = 12

// sendUnderFaults sends all items, under faults and kills, until they are acknowledged.
func (r *torture) sendUnderFaults(t *testing.T, seed uint64) {
	planned := max(25*time.Second, time.Duration(len(r.items))*12*time.Millisecond)
	rounds := max(1, int(planned/(80*time.Second)))
	away := time.Duration(0)
	if len(r.items) >= long {
		away = 2 * time.Minute
	}
	shares := 0
	for _, s := range faultWindows {
		shares += max(s.length, 1)
	}
	each := planned / time.Duration(rounds*shares)
	planned += away
	most := 4*planned + 4*time.Minute
	calling, giveUp := context.WithTimeout(t.Context(), most)
	defer giveUp()
	around, calm := context.WithCancel(t.Context())
	defer calm()

	files := t.TempDir()
	queues := map[string]chan *item{}
	for _, d := range destinations {
		queues[d] = make(chan *item, len(r.items))
	}
	var sending, surroundings sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(len(r.items)))
	for n := range callers * len(destinations) {
		// Each caller has its own connection, as separate programs have.
		c, err := client.Dial(r.st.SocketPath)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		one := &caller{client: c, rng: rand.New(rand.NewPCG(seed, 100+uint64(n))), all: r.all, dir: files}
		sending.Go(func() { one.run(calling, queues[destinations[n%len(destinations)]], func() { left.Add(-1) }) })
	}
	surroundings.Go(func() {
		r.faults.run(around, t, rounds, each, away)
	})
	surroundings.Go(func() { r.clients.run(around, t) })
	surroundings.Go(func() {
		defer giveUp() // without a daemon no upload can end
		r.brokerd.run(around, t, func() { r.crash.check(t) })
	})
	sending.Go(func() {
		defer func() {
			for _, q := range queues {
				close(q)
			}
		}()
		feed(calling, r.items, planned, queues)
		r.brokerd.ease.Store(true)
	})
	sending.Wait()
	calm()
	surroundings.Wait()
	if n := left.Load(); n > 0 {
		t.Errorf("%d of %d uploads were not acknowledged within %s", n, len(r.items), most)
	}
}

// feed gives the items to the callers, evenly over a time.
func feed(ctx context.Context, items []*item, over time.Duration, queues map[string]chan *item) {
	began := time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := 0; n < len(items); {
		due := int(float64(len(items)) * min(1, float64(time.Since(began))/float64(over)))
		for ; n < due; n++ {
			queues[items[n].destination] <- items[n]
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// finish starts brokerd once more, without faults. It must deliver the rest of the
// spool, abort its multipart uploads, and stop in order.
func (r *torture) finish(t *testing.T) {
	r.brokerd.hostile = false
	p, err := r.brokerd.start()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if err := r.drain(ctx, t); err != nil {
		t.Errorf("draining: %v", err)
	}
	r.awaitEmpty(ctx, t, filepath.Join(r.dir, "spool.streams"))
	if err := r.brokerd.end(p, syscall.SIGTERM); err != nil {
		t.Errorf("brokerd did not stop in order: %v\n%s", err, tail(p.life.log))
	}
	r.crash.check(t)
}

func (r *torture) drain(ctx context.Context, t *testing.T) error {
	c, err := client.Dial(r.st.SocketPath)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Admin().RetrySpool(ctx, &brokerdv1.RetrySpoolRequest{Destination: "*"}, grpc.WaitForReady(true)); err != nil {
		return c.FromError(err)
	}
	stream, err := c.Admin().Drain(ctx, &brokerdv1.DrainRequest{})
	if err != nil {
		return c.FromError(err)
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			return c.FromError(err)
		}
		if !m.GetDone() {
			continue
		}
		if m.GetQueuedObjects()+m.GetParkedObjects()+m.GetDeadObjects() > 0 {
			t.Errorf("drained, and the spool still holds %d objects that wait, %d of parked destinations, %d dead",
				m.GetQueuedObjects(), m.GetParkedObjects(), m.GetDeadObjects())
		}
		return nil
	}
}

// awaitEmpty waits until a directory is empty.
func (r *torture) awaitEmpty(ctx context.Context, t *testing.T, dir string) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		entries, err := os.ReadDir(dir)
		if len(entries) == 0 && (err == nil || os.IsNotExist(err)) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Errorf("%s: %v, %v", dir, entries, err)
			return
		}
	}
}

// report prints the figures.
func (r *torture) report(t *testing.T) {
	took := time.Since(r.started)
	var b strings.Builder
	var bytes, multipart int64
	for _, i := range r.items {
		bytes += i.size
		if i.size > partSize {
			multipart++
		}
	}
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%d uploads, %d of them above a part, %.1f MiB, in %s", len(r.items), multipart, float64(bytes)/(1<<20), took.Round(time.Second))
	line("brokerd was started %d times and killed %d times, %d of them during an orderly stop", len(r.brokerd.lives),
		len(r.brokerd.lives)-1, r.brokerd.stopped)
	line("lives by fault of the host: %v; clients frozen in an upload: %d; the proxy refused %d of %d connections", r.brokerd.under,
		r.clients.count.Load(), r.proxy.refused.Load(), r.proxy.refused.Load()+r.proxy.tunnels.Load())
	line("most objects in the spool at a kill: %d", r.crash.held)
	line("acknowledged: %d as spooled, %d as stored, %d of these by an earlier attempt", r.all.spooled, r.all.stored, r.all.existed)
	line("cancelled by the caller: %d; sent again after the acknowledgement: %d", r.all.cut, r.all.repeats)
	tries := 0
	for _, n := range r.all.by {
		tries += n
	}
	line("failed attempts: %d", tries)
	for _, name := range slices.Sorted(maps.Keys(r.all.by)) {
		line("  %6d %s", r.all.by[name], name)
	}
	line("%d fault windows: %s", len(r.faults.seen), strings.Join(r.faults.seen, ", "))
	line("faults that hit:")
	for _, name := range slices.Sorted(maps.Keys(r.faults.hits)) {
		line("  %6d %s", r.faults.hits[name], name)
	}
	line("calls of AWS:")
	for _, name := range slices.Sorted(maps.Keys(r.trail.calls)) {
		line("  %6d %s", r.trail.calls[name], name)
	}
	t.Log("\n" + b.String())
}

// limits are the settings in which the configurations of this package differ.
type limits struct {
	Max     string
	Proxy   string // of the first destination; empty: none
	Command string // that prints the source credentials; empty: the credentials file
}

// writeConfig writes a configuration with the testbed's destination three times,
// once for each durability.
func writeConfig(t *testing.T, st *testbedtest.Bed, l limits) string {
	t.Helper()
	source := fmt.Sprintf("credentials_file: %q", filepath.Join(st.Dir, "credentials"))
	if l.Command != "" {
		source = fmt.Sprintf("source: {type: process, command: %q}", l.Command)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `socket:
  path: %q
metrics:
  address: ""
shutdown:
  grace: 2s
limits:
  idle_timeout: 10s
spool:
  dir: %q
  max: %s
  min_free: 16MiB
  allow_volatile: true
aws:
  %s
  ca_bundle: %q
  endpoints: {sts: %[6]q, s3: %[6]q, kms: %[6]q}
destinations:
`, st.SocketPath, filepath.Join(st.Dir, "spool"), l.Max, source, st.CAPath, st.Sandbox.Endpoint())
	for n, name := range destinations {
		proxy := "none"
		if n == 0 && l.Proxy != "" {
			proxy = l.Proxy
		}
		fmt.Fprintf(&b, `  %s:
    durability: %[1]s
    role: %[2]s
    bucket: %[3]s
    owner: %[4]q
    region: %[5]s
    kms_key: %[6]s
    key: logs/%[1]s/{yyyy}/{mm}/{dd}/{name}-{id}
    path_style: true
    part_size: %[7]d
    proxy: %[8]s
`, name, st.Dest.Role, testbed.Bucket, st.Sandbox.AccountB(), st.Sandbox.Region(), st.KeyARN, partSize, proxy)
	}
	fmt.Fprintf(&b, `access:
  - peer: {uid: "%d"}
    destinations: ["*"]
    allow: [upload, admin, credentials]
`, os.Getuid())
	path := filepath.Join(st.Dir, "torture.yaml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// base64CRC is a checksum as S3 writes it.
func base64CRC(crc uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc))
}
