package watch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/watch/journal"
)

// Owner is the user whose files a watch reads.
type Owner struct {
	UID uint32
	GID *uint32 // nil: any group
}

// Options are the parts of a Manager. All are required except Journal and Hints.
type Options struct {
	Config *config.Config
	// Owner resolves the owner of a watch; that of an empty peer is the daemon's user.
	Owner  func(config.Peer) (Owner, error)
	Sender Sender
	Logger *zap.Logger
	// Journal is the directory of the journal; empty: in memory.
	Journal string
	// Hints returns the notifications for one watch; nil: scans only.
	Hints func(*zap.Logger) (Hints, error)
}

// Manager runs the watches of a configuration. Its methods may be called from several
// goroutines.
type Manager struct {
	o Options

	mu      sync.Mutex
	running []*running // in the order of the configuration
	logs    map[string]*journal.Log
	journal *journal.Journal
	ctx     context.Context // of Run; nil before
	life    context.Context
	ended   sync.WaitGroup
}

// running is one watch that runs, or will.
type running struct {
	watch *watcher
	stop  context.CancelFunc // nil: not started
	done  chan struct{}
}

// New returns a Manager. Run starts its watches.
func New(o Options) (*Manager, error) {
	if o.Config == nil || o.Owner == nil || o.Sender == nil || o.Logger == nil {
		return nil, errors.New("watch: Config, Owner, Sender and Logger are required")
	}
	m := &Manager{o: o, logs: make(map[string]*journal.Log)}
	first, err := m.Prepare(o.Config)
	if err != nil {
		return nil, err
	}
	first.Commit()
	return m, nil
}

// change is a prepared reload.
type change struct {
	m        *Manager
	settings []*setting
}

// Prepare resolves the owners of the watches of c.
func (m *Manager) Prepare(c *config.Config) (config.Change, error) {
	ch := &change{m: m}
	for i := range c.Watch {
		w := &c.Watch[i]
		owner, err := m.o.Owner(w.Owner)
		if err != nil {
			return nil, fmt.Errorf("watch %s: owner: %w", w.Name, err)
		}
		ch.settings = append(ch.settings, newSetting(w, owner))
	}
	return ch, nil
}

// Discard implements config.Change.
func (*change) Discard() {}

// Commit stops the watches that are gone or have changed, and starts the new ones. A
// changed watch begins when the files in flight of the old one have ended.
func (ch *change) Commit() {
	m := ch.m
	m.mu.Lock()
	defer m.mu.Unlock()
	old := make(map[string]*running)
	for _, r := range m.running {
		old[r.watch.Name] = r
	}
	m.running = nil
	for _, s := range ch.settings {
		was := old[s.Name]
		if was != nil && was.watch.Same(s.Watch) && was.watch.sameOwner(s) {
			delete(old, s.Name)
			m.running = append(m.running, was)
			continue
		}
		next := &running{watch: m.watcher(s), done: make(chan struct{})}
		if m.ctx != nil {
			next.watch.log.Info(map[bool]string{true: "the watch begins", false: "the watch begins with its changed configuration"}[was == nil])
		}
		m.running = append(m.running, next)
		if m.ctx != nil {
			m.start(next, was)
		}
	}
	for name, r := range old {
		if r.stop == nil {
			continue
		}
		r.stop()
		if !slices.ContainsFunc(m.running, func(n *running) bool { return n.watch.Name == name }) {
			r.watch.log.Info("the watch ends: it is no longer in the configuration")
		}
	}
}

func (s *setting) sameOwner(o *setting) bool {
	return s.uid == o.uid && (s.gid == nil) == (o.gid == nil) && (s.gid == nil || *s.gid == *o.gid)
}

// watcher returns a new watcher; m.mu is held.
func (m *Manager) watcher(s *setting) *watcher {
	log := m.log(s.Name)
	now := time.Now()
	started, err := log.FirstStart(now)
	w := newWatcher(s, &m.o, log, started)
	if err != nil {
		w.onceJournal(err)
	}
	if started.Equal(now) && s.Since == config.SinceStart {
		w.log.Info("the first start of the watch: files that were written before are left alone; see since", zap.Time("start", started))
	}
	return w
}

// log returns the journal of a watch; m.mu is held. Without a directory it is in memory.
func (m *Manager) log(watch string) *journal.Log {
	if l := m.logs[watch]; l != nil {
		return l
	}
	l := journal.NewVolatile()
	if m.o.Journal != "" {
		var err error
		if m.journal == nil {
			m.journal, err = journal.Open(m.o.Journal)
		}
		var onDisk *journal.Log
		if err == nil {
			onDisk, err = m.journal.Log(watch)
		}
		if err != nil {
			m.o.Logger.Warn("the journal of the watch is in memory; after a restart, files that are kept are read again",
				zap.String("watch", watch), zap.Error(err))
		} else {
			l = onDisk
		}
	}
	m.logs[watch] = l
	return l
}

// start runs a watch after was has ended; m.mu is held.
func (m *Manager) start(r, was *running) {
	ctx, stop := context.WithCancel(m.ctx)
	r.stop = stop
	if m.o.Hints != nil {
		hints, err := m.o.Hints(r.watch.log)
		if err != nil {
			r.watch.once("hints", "there are no notifications of the file system; the scans find every file", zap.Error(err))
		} else {
			r.watch.hints = hints
		}
	}
	life := m.life
	m.ended.Go(func() {
		defer close(r.done)
		defer stop()
		if was != nil && was.stop != nil {
			was.stop()
			<-was.done
		}
		r.watch.run(ctx, life)
	})
}

// Run runs all watches until ctx ends. Then no file begins, and those in flight finish, or
// are cut when life ends.
func (m *Manager) Run(ctx, life context.Context) error {
	m.mu.Lock()
	m.ctx, m.life = ctx, life
	for _, r := range m.running {
		m.start(r, nil)
	}
	m.mu.Unlock()
	<-ctx.Done()
	// A reload after this moment starts watches that end at once.
	m.ended.Wait()
	return nil
}

// Close closes the journals. Call it after Run has ended, or instead of Run.
func (m *Manager) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(m.logs)) {
		errs = append(errs, m.logs[name].Close())
	}
	if m.journal != nil {
		m.journal.Close()
		m.journal = nil
	}
	if err := errors.Join(errs...); err != nil {
		m.o.Logger.Warn("closing the journal of the watches failed", zap.Error(err))
	}
}

// find returns the watches with the name; all of them for "".
func (m *Manager) find(name string) ([]*watcher, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*watcher
	for _, r := range m.running {
		if name == "" || r.watch.Name == name {
			out = append(out, r.watch)
		}
	}
	if len(out) == 0 && name != "" {
		return nil, reason.New(reason.WatchUnknown, "there is no watch %q in the configuration", name)
	}
	return out, nil
}
