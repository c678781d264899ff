package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/user"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/filereader"
	"github.com/brokerd/brokerd/internal/health"
	"github.com/brokerd/brokerd/internal/monitor"
	"github.com/brokerd/brokerd/internal/quota"
	"github.com/brokerd/brokerd/internal/rpc"
	"github.com/brokerd/brokerd/internal/spool"
	"github.com/brokerd/brokerd/internal/telemetry"
	"github.com/brokerd/brokerd/internal/unixsock"
	"github.com/brokerd/brokerd/internal/uploader"
	"github.com/brokerd/brokerd/internal/vend"
	"github.com/brokerd/brokerd/internal/verify"
	"github.com/brokerd/brokerd/internal/watch"
	watchdelivery "github.com/brokerd/brokerd/internal/watch/delivery"
)

const (
	// gcPercent is large because the heap is small; the memory limit bounds it.
	gcPercent = 300
	// primeTimeout bounds how long READY waits for the first sessions.
	primeTimeout = 10 * time.Second
	// logFlush bounds how long a stop waits for the reader of the log.
	logFlush = 2 * time.Second
	// healthEvery bounds how old the published health may be.
	healthEvery = time.Second
)

// Daemon is brokerd with all of its parts. Run starts it.
type Daemon struct {
	cfg     atomic.Pointer[config.Config] // swapped by Reload
	log     *telemetry.Log
	metrics *telemetry.Metrics
	broker  *broker.Broker
	budget  *uploader.Budget
	upload  *uploader.Uploader
	orphans *uploader.OrphanLog
	spool   *spool.Spool // nil when no destination spools
	memory  memory
	files   *filereader.Reader
	server  *rpc.Server
	creds   *vend.Service
	vending []*vend.Endpoint
	monitor *monitor.Monitor
	watches *watch.Manager
	watched chan struct{} // closed when no watched file is in flight any more
	notify  notifier

	lines *quota.Lines

	verifier  *verifier
	reloading sync.Mutex // one reload at a time
}

// config returns the current configuration.
func (d *Daemon) config() *config.Config { return d.cfg.Load() }

// Check builds every part that needs neither a call to AWS nor a listener. When it
// returns nil, Run can start.
func Check(cfg *config.Config) error {
	if _, err := awsclient.New(cfg.AWS); err != nil {
		return err
	}
	compiler := access.SystemCompiler()
	if _, err := compiler.Compile(cfg); err != nil {
		return err
	}
	if _, err := compiler.TokenPeers(cfg); err != nil {
		return err
	}
	if _, err := socketGroup(cfg.Socket.Group); err != nil {
		return err
	}
	if cfg.Spools() {
		if err := spool.CheckParents(cfg.Spool.Dir); err != nil {
			return err
		}
	}
	for i := range cfg.Watch {
		if _, err := watchdelivery.Owner(cfg.Watch[i].Owner); err != nil {
			return fmt.Errorf("watch %s: owner: %w", cfg.Watch[i].Name, err)
		}
	}
	return nil
}

// CheckFiles tests, with the rights of this process, whether watched files can be read,
// removed and moved.
func CheckFiles(ctx context.Context, cfg *config.Config) ([]watch.Problem, error) {
	return watch.CheckAccess(ctx, cfg, watchdelivery.Owner)
}

// Option changes a daemon.
type Option func(*Daemon)

// WithFileReader names this program, whose main calls filereader.IsChild and Serve. Without it,
// files that peers hand over are refused, and come as streams.
func WithFileReader(program string) Option {
	return func(d *Daemon) { d.files = filereader.New(program, d.log.Logger) }
}

// New makes a daemon. Its log goes to w.
func New(cfg *config.Config, version string, w io.Writer, options ...Option) (_ *Daemon, err error) {
	output, err := telemetry.NewLog(w, cfg.Log.Level)
	if err != nil {
		return nil, err
	}
	log := output.Logger
	d := &Daemon{log: output, metrics: telemetry.NewMetrics(version), notify: notifier{log}, lines: quota.NewLines(log)}
	d.cfg.Store(cfg)
	for _, o := range options {
		o(d)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.closeSpool())
			d.closeWatches()
			d.closeLog()
		}
	}()
	client, err := awsclient.New(cfg.AWS)
	if err != nil {
		return nil, fmt.Errorf("making the HTTP client: %w", err)
	}
	if d.broker, err = broker.New(broker.Options{Config: cfg, HTTPClient: client, Logger: log, Observer: d.metrics}); err != nil {
		return nil, fmt.Errorf("making the session broker: %w", err)
	}
	d.memory = shareMemory(int64(cfg.Memory.Max), cgroupLimit("/sys/fs/cgroup", "/proc/self/cgroup"))
	if d.budget, err = uploader.NewBudget(d.memory.budget); err != nil {
		return nil, fmt.Errorf("making the memory budget: %w", err)
	}
	limitDescriptors(log, d.budget)
	d.budget.Quota().SetTotal(quota.Scrapes, telemetry.MaxScrapes)
	d.orphans = orphanLog(cfg, log)
	if d.upload, err = uploader.New(uploader.Options{
		Config: cfg, Sessions: d.broker, Budget: d.budget, Logger: log, Version: version, Orphans: d.orphans,
	}); err != nil {
		return nil, fmt.Errorf("making the uploader: %w", err)
	}
	d.verifier, err = newVerifier(verify.Options{
		Config: cfg, Sessions: d.broker, HTTPClient: client, Leftovers: probeUploads{d.orphans}, Files: watchdelivery.Problems,
	})
	if err != nil {
		return nil, err
	}
	rules := access.SystemCompiler()
	stats := health.NewStats(slices.Collect(maps.Keys(cfg.Destinations)))
	if d.monitor, err = d.newMonitor(cfg, stats); err != nil {
		return nil, err
	}
	var kept rpc.Spool
	if cfg.Spools() {
		link := &delivery{upload: d.upload, stats: stats, metrics: d.metrics, log: log}
		if d.spool, err = link.openSpool(cfg); err != nil {
			return nil, err
		}
		kept = d.spool
	}
	if d.creds, err = vend.New(vend.Options{
		Config: cfg, Access: rules, Sessions: d.broker, Logger: log, Lines: d.lines, Audit: d.log, Observer: d.metrics,
	}); err != nil {
		return nil, err
	}
	d.vending = endpoints(cfg, d.creds, log, d.lines)
	files := &watchdelivery.Sender{Upload: d.upload}
	if d.watches, err = newWatches(cfg, files, log); err != nil {
		return nil, fmt.Errorf("making the watches: %w", err)
	}
	d.watched = make(chan struct{})
	var unary []grpc.UnaryServerInterceptor
	var stream []grpc.StreamServerInterceptor
	if measured(cfg) { // metrics that are not scraped still cost
		unary, stream = append(unary, d.metrics.RPC.UnaryServerInterceptor()), append(stream, d.metrics.RPC.StreamServerInterceptor())
	}
	var handed rpc.Files
	if d.files != nil {
		handed = d.files
	}
	d.server, err = rpc.NewServer(rpc.Options{
		Files: handed, Quota: d.budget.Quota(), Lines: d.lines,
		Config: cfg, Access: rules, Deliver: d.upload, Spool: kept, Admission: d.budget, Sessions: d.broker, Credentials: d.creds,
		Watches: d.watches, Parts: d.parts, LogState: d.logState, Reload: d.Reload, Verify: d.verifier, Verified: d.verified, Meter: d.metrics,
		Stats: stats, Logger: log, Audit: d.log, Version: version, Unary: unary, Stream: stream,
	})
	if err != nil {
		return nil, fmt.Errorf("making the server: %w", err)
	}
	files.Intake = d.server.Intake()
	if measured(cfg) {
		d.metrics.RPC.InitializeMetrics(d.server.GRPC())
	}
	d.metrics.Watch(d.broker.Statuses, d.budget.Used, d.budget.Total())
	d.metrics.WatchQuota(d.budget.Quota().Usage, d.budget.PartMemory)
	d.metrics.WatchVerification(d.monitor.States)
	d.metrics.WatchLog(d.log.Stats)
	d.metrics.WatchFiles(d.watches.Status)
	if d.spool != nil {
		d.metrics.WatchSpool(d.spool.Usage)
		d.metrics.WatchUnrecovered(d.spool.Unrecovered)
	}
	return d, nil
}

// Run serves until ctx ends, then stops within the grace time. It returns nil
// after an orderly stop.
func (d *Daemon) Run(ctx context.Context) (err error) {
	debug.SetMemoryLimit(d.memory.heap)
	debug.SetGCPercent(gcPercent)
	defer d.closeLog()
	defer func() { err = errors.Join(err, d.closeSpool()) }()
	defer d.closeWatches()
	defer d.closeFiles()
	defer d.server.GRPC().Stop() // its workers, when it comes to nothing before it serves
	defer d.upload.Close()
	socket, err := d.listen()
	if err != nil {
		return err
	}
	defer func() { _ = socket.Close() }()
	metrics, err := d.listenMetrics(ctx)
	if err != nil {
		return err
	}
	defer func() {
		for _, l := range metrics {
			_ = l.Close() // of the server already, unless it did not begin
		}
	}()
	hangups, ignore := catchHangups()
	defer ignore()
	cfg := d.config()
	for _, w := range slices.Concat(cfg.Warnings(), cfg.FileWarnings(), awsclient.ProfileWarnings(ctx, cfg)) {
		d.log.Warn("configuration: " + w)
	}
	for _, s := range cfg.FromEnvironment() {
		d.log.Info("from the environment: " + s)
	}
	d.log.Info(
		"starting",
		zap.String("config", cfg.Path),
		zap.Stringer("socket", socket.Addr()),
		zap.String("metrics", cfg.Metrics.Address+cfg.Metrics.Socket),
		zap.Strings("destinations", slices.Sorted(maps.Keys(cfg.Destinations))),
		zap.Int64(
			"memory_limit",
			d.memory.limit,
		),
		zap.Int64("memory_budget", d.budget.Total()),
		zap.Int64("heap_limit", d.memory.heap),
		zap.Int("max_uploads", d.budget.MaxUploads()),
		zap.Duration("grace", cfg.Shutdown.Grace.Std()),
	)

	// Calls may go on for the grace time after ctx has ended; life is their context.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	group, life := errgroup.WithContext(life)
	group.Go(func() error { return d.broker.Run(life) })
	group.Go(func() error { return d.server.Serve(socket) })
	if s, ok := socket.(*unixsock.Socket); ok {
		group.Go(func() error { return s.Watch(life) })
	}
	group.Go(func() error { d.upload.RunSweeper(life); return nil })
	if d.spool != nil {
		group.Go(func() error { return d.spool.Run(life) })
	}
	for _, l := range metrics {
		group.Go(func() error { return d.metrics.Serve(life, l, d.log.Logger) })
	}
	for _, e := range d.vending {
		group.Go(func() error { return e.Run(life) })
	}
	// The daemon's own verification, and new watched files, end before the calls of others do.
	own, cancelOwn := context.WithCancel(life)
	defer cancelOwn()
	group.Go(func() error { return d.monitor.Run(own) })
	group.Go(func() error { return d.runWatches(own, life) })
	group.Go(func() error { return d.watch(life) })
	group.Go(func() error { return d.lines.Run(life) })
	group.Go(func() error { return d.hangups(life, hangups) })
	group.Go(func() error {
		select {
		case <-ctx.Done():
		case <-life.Done(): // a part failed
		}
		cancelOwn()
		d.stop()
		end()
		return nil
	})
	err = group.Wait()
	return errors.Join(err, d.budget.Close())
}

// stop ends all calls within the grace time. Sessions live until the last call has ended.
func (d *Daemon) stop() {
	d.notify.stopping()
	d.log.Info("stopping: open uploads may finish", zap.Duration("grace", d.config().Shutdown.Grace.Std()))
	ctx, cancel := context.WithTimeout(context.Background(), d.config().Shutdown.Grace.Std())
	defer cancel()
	// Deliveries that outlived their callers end with the grace time as well.
	unhook := context.AfterFunc(ctx, d.upload.Close)
	defer unhook()
	if !d.server.Stop(ctx) {
		d.log.Warn("the grace time ended with calls open; their uploads were aborted and left no object")
	}
	d.awaitWatches(ctx)
	d.drainSpool(ctx)
	d.upload.Close()
	d.log.Info("stopped")
}

// logState returns the state of the log for the API.
func (d *Daemon) logState() (dropped uint64, stalledSince time.Time) {
	s := d.log.Stats()
	return s.Dropped, s.StalledSince
}

// closeLog writes the last lines. A reader that stands still does not keep the
// process from ending.
func (d *Daemon) closeLog() {
	ctx, cancel := context.WithTimeout(context.Background(), logFlush)
	defer cancel()
	_ = d.log.Close(ctx) // the lines that are left are lost with the process
}

func (d *Daemon) closeWatches() {
	if d.watches != nil {
		d.watches.Close()
	}
}

// closeFiles ends the process that reads handed-over files.
func (d *Daemon) closeFiles() {
	if d.files != nil {
		d.files.Close()
	}
}

func (d *Daemon) closeSpool() error {
	if d.spool == nil {
		return nil
	}
	return d.spool.Close()
}

// listen returns the socket that systemd hands over, or a new one.
func (d *Daemon) listen() (net.Listener, error) {
	handed, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("taking the socket from systemd: %w", err)
	}
	switch len(handed) {
	case 0:
		gid, err := socketGroup(d.config().Socket.Group)
		if err != nil {
			return nil, err
		}
		return unixsock.Listen(d.config().Socket.Path, os.FileMode(d.config().Socket.Mode), gid, d.log.Logger)
	case 1:
		if _, ok := handed[0].(*net.UnixListener); !ok {
			return nil, fmt.Errorf("systemd handed over a %s socket; brokerd.socket must listen on a Unix stream socket", handed[0].Addr().Network())
		}
		return handed[0], nil
	default:
		return nil, fmt.Errorf("systemd handed over %d sockets; brokerd.socket must name exactly one", len(handed))
	}
}

// socketGroup returns the number of a group; -1 without one.
func socketGroup(name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	if n, err := strconv.Atoi(name); err == nil {
		return n, nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, fmt.Errorf("socket.group: %w", err)
	}
	return strconv.Atoi(g.Gid)
}
