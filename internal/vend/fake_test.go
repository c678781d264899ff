package vend

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	goodToken = "0123456789abcdef0123456789abcdef"
	userApp   = 7001
)

// fakeSessions gives everybody a session, unless err is set.
type fakeSessions struct {
	mu    sync.Mutex
	err   error
	asked []string
	block bool
	has   sync.Map // the users who have a session
}

func (f *fakeSessions) Vend(ctx context.Context, destination string, p broker.Peer) (*broker.Session, error) {
	f.mu.Lock()
	f.asked = append(f.asked, destination)
	err, block := f.err, f.block
	f.mu.Unlock()
	if _, has := f.has.LoadOrStore(p.UID, true); !has && p.First != nil {
		if err := p.First(); err != nil {
			f.has.Delete(p.UID)
			return nil, err
		}
	}
	if block {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return &broker.Session{
		AccessKeyID: "ASIAEXAMPLE12345", SecretAccessKey: secret.New("hush-secret"), SessionToken: secret.New("hush-token"),
		Expires: time.Date(2030, 1, 2, 3, 4, 5, 600, time.UTC), Generation: uint64(p.UID),
	}, nil
}

func (f *fakeSessions) calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked)
}

type counted struct {
	mu sync.Mutex
	of map[string]int
}

func (c *counted) CredentialsAsked(destination, via, outcome string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of[destination+" "+via+" "+outcome]++
}

type serviceUnderTest struct {
	*Service
	config   *config.Config
	sessions *fakeSessions
	counted  *counted
	logs     *observer.ObservedLogs
	log      *zap.Logger
}

// serviceFor has the destinations logs and audit; user app may have the credentials
// of both, and a token that is good for logs.
func serviceFor(t *testing.T, changes ...func(*config.Config)) *serviceUnderTest {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	d := &serviceUnderTest{sessions: &fakeSessions{}, counted: &counted{of: map[string]int{}}, logs: logs, log: zap.New(core)}
	d.config = &config.Config{
		Limits: config.Limits{Credentials: 1000},
		Destinations: map[string]*config.Destination{
			"logs":  {Name: "logs", Role: "arn:aws:iam::111122223333:role/up"},
			"audit": {Name: "audit", Role: "arn:aws:iam::111122223333:role/up"},
		},
		Access: []config.Rule{
			{Peer: config.Peer{UID: "7001"}, Destinations: []string{"*"}, Allow: []config.Permission{config.PermCredentials}},
			{Peer: config.Peer{GID: "0"}, Destinations: []string{"*"}, Allow: []config.Permission{config.PermCredentials}},
		},
		Vend: config.Vend{
			Tokens: []config.Token{{File: tokenFile(t, goodToken, 0o640), Peer: config.Peer{UID: "7001"}, Destinations: []string{"logs"}}},
		},
	}
	for _, c := range changes {
		c(d.config)
	}
	var err error
	if d.Service, err = New(Options{
		Config: d.config, Access: access.Compiler{Host: access.Host{DaemonUID: 4242}}, Sessions: d.sessions, Logger: d.log, Observer: d.counted,
	}); err != nil {
		t.Fatal(err)
	}
	return d
}

func tokenFile(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	writeToken(t, path, text, mode)
	return path
}

func writeToken(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// said is the log as text, with every field.
func said(logs *observer.ObservedLogs) string {
	var b strings.Builder
	enc := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	for _, e := range logs.All() {
		buf, err := enc.EncodeEntry(e.Entry, e.Context)
		if err != nil {
			return err.Error()
		}
		b.WriteString(buf.String())
	}
	return b.String()
}
