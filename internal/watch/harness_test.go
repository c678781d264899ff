package watch

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/brokerd/brokerd/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bucket is a Sender that behaves like S3 with conditional writes.
type bucket struct {
	mu      sync.Mutex
	objects map[string]string // by key
	writes  map[string]int    // by key
	order   []string          // names
	sends   int
	open    int
	most    int // in flight at a time
	// fail decides about a delivery before its bytes are read; lost after they are stored.
	fail func(u Upload) error
	lost func(u Upload) error
	// during is called between the read and the end of a delivery.
	during func(u Upload)
}

func newBucket() *bucket { return &bucket{objects: map[string]string{}, writes: map[string]int{}} }

func (b *bucket) Key(u Upload) (string, error) { return u.Destination + "/" + u.Name + "-" + u.ID, nil }

func (b *bucket) Send(ctx context.Context, u Upload) (Sent, error) {
	b.mu.Lock()
	b.sends++
	b.open++
	b.most = max(b.most, b.open)
	fail, lost, during := b.fail, b.lost, b.during
	b.mu.Unlock()
	defer func() { b.mu.Lock(); b.open--; b.mu.Unlock() }()
	if fail != nil {
		if err := fail(u); err != nil {
			return Sent{}, err
		}
	}
	data, err := io.ReadAll(io.NewSectionReader(u.File, 0, u.Size))
	if err != nil {
		return Sent{}, err
	}
	if during != nil {
		during(u)
	}
	if err := u.Unchanged(); err != nil || int64(len(data)) != u.Size {
		return Sent{}, &Failure{Kind: Changed, Reason: "FILE_CHANGED", Message: "changed"}
	}
	if ctx.Err() != nil {
		return Sent{}, ctx.Err()
	}
	key, _ := b.Key(u)
	b.mu.Lock()
	_, existed := b.objects[key]
	if !existed {
		b.objects[key] = string(data)
		b.writes[key]++
		b.order = append(b.order, u.Name)
	}
	b.mu.Unlock()
	if lost != nil {
		if err := lost(u); err != nil {
			return Sent{}, err
		}
	}
	return Sent{CRC32C: crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)), Key: key, Existed: existed}, nil
}

// sent returns the number of deliveries that were tried.
func (b *bucket) sent() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sends
}

// contents returns the sorted contents of all objects.
func (b *bucket) contents() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, data := range b.objects {
		out = append(out, data)
	}
	slices.Sort(out)
	return out
}

// holds fails unless the objects have exactly these contents.
func (b *bucket) holds(t *testing.T, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := b.contents(); !slices.Equal(got, want) {
		t.Errorf("objects: got %q, want %q", got, want)
	}
}

// stage is a directory with a watch. It runs inside a bubble of synctest.
type stage struct {
	t      *testing.T
	dir    string
	bucket *bucket
	config *config.Config
	owner  Owner
	state  string // the journal's directory
	logs   *observer.ObservedLogs
	log    *zap.Logger
	hints  func(*zap.Logger) (Hints, error)

	m    *Manager
	stop context.CancelFunc
	kill context.CancelFunc
	done chan error
}

// parse returns a configuration with these watches. DIR is the directory of the stage.
func parse(t *testing.T, dir, watches string) *config.Config {
	t.Helper()
	c, err := config.Parse("f", []byte(`destinations:
  logs:
    role: arn:aws:iam::111122223333:role/r
    bucket: bucket
    owner: "444455556666"
    region: eu-west-1
    kms_key: arn:aws:kms:eu-west-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab
    key: "{name}-{id}"
watch:
`+strings.ReplaceAll(watches, "DIR", dir)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newStage(t *testing.T, watches string) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir(), state: filepath.Join(t.TempDir(), "watch"), bucket: newBucket(),
		owner: Owner{UID: uint32(os.Geteuid())}}
	s.config = parse(t, s.dir, watches)
	var core zapcore.Core
	core, s.logs = observer.New(zap.DebugLevel)
	s.log = zap.New(core)
	return s
}

const simple = `  - {name: app, paths: ["DIR/**/*.gz"], destination: logs, after: delete}
`

func (s *stage) start() {
	s.t.Helper()
	m, err := New(Options{
		Config: s.config, Owner: func(config.Peer) (Owner, error) { return s.owner, nil }, Sender: s.bucket, Logger: s.log, Journal: s.state,
		Hints: s.hints,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.m, s.done = m, make(chan error, 1)
	life, kill := context.WithCancel(context.Background())
	ctx, stop := context.WithCancel(life)
	s.stop, s.kill = stop, kill
	go func() { s.done <- m.Run(ctx, life) }()
}

// halt stops the watches in order.
func (s *stage) halt() {
	s.t.Helper()
	s.stop()
	if err := <-s.done; err != nil {
		s.t.Error(err)
	}
	s.m.Close()
	s.kill()
}

// crash ends all deliveries at once.
func (s *stage) crash() {
	s.kill()
	if err := <-s.done; err != nil {
		s.t.Error(err)
	}
	s.m.Close()
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

func (s *stage) write(name, text string) {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(s.path(name)), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.path(name), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) append(name, text string) {
	s.t.Helper()
	f, err := os.OpenFile(s.path(name), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) rename(from, to string) {
	s.t.Helper()
	if err := os.Rename(s.path(from), s.path(to)); err != nil {
		s.t.Fatal(err)
	}
}

// files returns all regular files below the directory.
func (s *stage) files() string {
	var out []string
	_ = filepath.WalkDir(s.dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(s.dir, p)
			out = append(out, rel)
		}
		return nil
	})
	return strings.Join(out, " ")
}

// pass lets time pass, and waits until nothing moves.
func (s *stage) pass(d time.Duration) {
	time.Sleep(d) // of the bubble
	synctest.Wait()
}

// state returns state and rule of a file.
func (s *stage) stateOf(name string) string {
	s.t.Helper()
	files, err := s.m.Files("", false)
	if err != nil {
		s.t.Fatal(err)
	}
	for f := range files {
		if f.Path == s.path(name) {
			return fmt.Sprintf("%s/%s", f.State, f.Rule)
		}
	}
	return "none"
}

func (s *stage) expect(name, want string) {
	s.t.Helper()
	if got := s.stateOf(name); got != want {
		s.t.Errorf("%s: got %s, want %s", name, got, want)
	}
}
