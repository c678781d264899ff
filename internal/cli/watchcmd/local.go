package watchcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/cli/console"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/intake"
	"github.com/brokerd/brokerd/internal/quota"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/uploader"
	"github.com/brokerd/brokerd/internal/watch"
	"github.com/brokerd/brokerd/internal/watch/delivery"
	"github.com/brokerd/brokerd/internal/watch/journal"
)

// localMemory is the memory budget of a run without a daemon, where the configuration
// names none.
const localMemory = 48 << 20

// local delivers watched files in this process.
type local struct {
	broker  *broker.Broker
	budget  *uploader.Budget
	upload  *uploader.Uploader
	intake  *intake.Intake
	watches *watch.Manager
}

// load reads the configuration, and keeps the watch with the name, or all for "".
func load(file, name string) (*config.Config, error) {
	c, err := config.LoadWithEnvironment(file)
	if err != nil {
		return nil, &console.ExitError{Code: console.ExitFailed, Err: err}
	}
	var watches []config.Watch
	destinations := make(map[string]*config.Destination)
	for _, w := range c.Watch {
		if name != "" && w.Name != name {
			continue
		}
		w.AfterState = config.StateStored // this process has no spool
		watches = append(watches, w)
		destinations[w.Destination] = c.Destinations[w.Destination]
	}
	if len(watches) == 0 {
		return nil, console.UsageError(fmt.Errorf("%s has no watch %q", file, name))
	}
	c.Watch, c.Destinations = watches, destinations
	return c, nil
}

// newLocal makes the parts. Nothing is sent before run.
func newLocal(c *config.Config, log *zap.Logger, journalDir string) (_ *local, err error) {
	client, err := awsclient.New(c.AWS)
	if err != nil {
		return nil, fmt.Errorf("making the HTTP client: %w", err)
	}
	l := &local{}
	if l.broker, err = broker.New(broker.Options{Config: c, HTTPClient: client, Logger: log}); err != nil {
		return nil, fmt.Errorf("making the session broker: %w", err)
	}
	memory := int64(c.Memory.Max)
	if memory == 0 {
		memory = localMemory
	}
	if l.budget, err = uploader.NewBudget(memory); err != nil {
		return nil, err
	}
	if l.upload, err = uploader.New(uploader.Options{Config: c, Sessions: l.broker, Budget: l.budget, Logger: log}); err != nil {
		return nil, err
	}
	if l.intake, err = intake.New(intake.Options{
		Policy: policy{c}, Deliver: l.upload, Admission: l.budget, Stats: uncounted{}, Meter: uncounted{}, Logger: zap.NewNop(),
	}); err != nil {
		return nil, err
	}
	l.watches, err = watch.New(watch.Options{
		Config: c, Owner: delivery.Owner, Sender: &delivery.Sender{Intake: l.intake, Upload: l.upload}, Logger: log, Journal: journalDir,
	})
	return l, err
}

func (l *local) close() {
	l.watches.Close()
	l.intake.Stop()
	l.intake.Close()
	l.upload.Close()
	_ = l.budget.Close() // every upload has ended
}

// run delivers until every finished file was tried, and calls fn for each file that is left.
func (l *local) run(ctx context.Context, fn func(watch.FileStatus) error) error {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	sessions := make(chan error, 1)
	go func() { sessions <- l.broker.Run(life) }()
	running, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- l.watches.Run(running, ctx) }()
	err := l.watches.Settle(ctx)
	if err == nil {
		err = l.each("", false, fn)
	}
	stop()
	err = errors.Join(err, <-done)
	end()
	return errors.Join(err, <-sessions)
}

func (l *local) each(name string, plan bool, fn func(watch.FileStatus) error) error {
	files, err := l.watches.Files(name, plan)
	if err != nil {
		return err
	}
	for f := range files {
		if err := fn(f); err != nil {
			return err
		}
	}
	return nil
}

// planLocally scans once, and passes every file to fn.
func planLocally(ctx context.Context, a *console.App, file, name string, fn func(File) error) error {
	c, err := load(file, name)
	if err != nil {
		return err
	}
	l, err := newLocal(c, logTo(a.Err, zap.WarnLevel), "")
	if err != nil {
		return err
	}
	defer l.close()
	if err := l.watches.Look(ctx); err != nil {
		return err
	}
	return l.each("", true, func(f watch.FileStatus) error { return fn(fileOf(f)) })
}

// refuseDaemon returns an error when a daemon delivers the same files.
func refuseDaemon(c *config.Config) error {
	j, err := journal.Open(delivery.Journal(c))
	if errors.Is(err, journal.ErrInUse) {
		return &console.ExitError{
			Code: console.ExitFailed,
			Err:  fmt.Errorf("a daemon delivers these files already: %w; see `brokerctl watch ls`", err),
		}
	}
	if err == nil {
		j.Close()
	}
	return nil // without a journal the files are delivered all the same
}

// logTo writes one line of text for each event.
func logTo(w io.Writer, level zapcore.Level) *zap.Logger {
	e := zap.NewProductionEncoderConfig()
	e.EncodeTime = zapcore.RFC3339TimeEncoder
	e.EncodeLevel = zapcore.LowercaseLevelEncoder
	return zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(e), zapcore.Lock(zapcore.AddSync(w)), level))
}

// policy is the configuration alone: ReceiveOwn asks no access rule.
type policy struct{ c *config.Config }

// Config implements intake.Policy.
func (p policy) Config() *config.Config { return p.c }

// Allow implements intake.Policy. Only this process uploads.
func (policy) Allow(p access.Peer, _ config.Permission, _ string) error {
	return reason.New(reason.PeerNotAllowed, "%s: this process takes no uploads of others", p)
}

// Party implements intake.Policy.
func (policy) Party(p access.Peer) quota.Party { return quota.Party{UID: p.UID} }

// Describe implements intake.Policy.
func (policy) Describe(p access.Peer) string { return p.String() }

// uncounted implements intake.Stats and intake.Meter.
type uncounted struct{}

// Stored implements intake.Stats.
func (uncounted) Stored(string, int64, time.Time) {}

// Failed implements intake.Stats.
func (uncounted) Failed(string, reason.Reason, string) {}

// UploadSpooled implements intake.Meter.
func (uncounted) UploadSpooled(string, int64) {}

// UploadEnded implements intake.Meter.
func (uncounted) UploadEnded(string, string, int64, time.Duration) {}
