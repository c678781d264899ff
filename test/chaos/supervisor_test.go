package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// supervisor starts brokerd, kills it, and starts it again.
type supervisor struct {
	st     *testbedtest.Bed
	config string // path
	logs   string // directory; one file for each process
	rng    *rand.Rand
	lives  []life

	hostile bool           // lives run under faults of the host
	under   map[string]int // lives by fault of the host
	stopped int            // lives that were asked to stop before they were killed
	ease    atomic.Bool    // from now on every life is longer than the one before, so that the largest objects get through
}

// life is the record of one process of brokerd.
type life struct {
	log     string // path
	ended   time.Time
	secrets []string // of the sessions it held
	host    hostFault
}

// process is a running brokerd.
type process struct {
	cmd     *exec.Cmd
	exited  chan error
	orderly bool // it was asked to stop, and did
	asked   sync.WaitGroup
	unask   context.CancelFunc
	life    life
	secrets []string
}

// start starts brokerd, and does not wait until it is ready.
func (k *supervisor) start() (*process, error) {
	p := &process{exited: make(chan error, 1), life: life{log: filepath.Join(k.logs, fmt.Sprintf("%04d.log", len(k.lives)))}}
	log, err := os.Create(p.life.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the process has a descriptor of its own
	p.cmd = exec.Command(filepath.Join(binaries, "brokerd"), "serve", "--config", k.config)
	if k.hostile {
		p.life.host = hostFault(k.rng.IntN(int(hostFaults)))
		k.under[p.life.host.String()]++
	}
	stderr, err := p.life.host.logFile(log, k.rng)
	if err != nil {
		return nil, err
	}
	if stderr != log {
		defer func() { _ = stderr.Close() }()
	}
	if p.life.host == fewFiles {
		limitFiles(p.cmd)
	}
	p.cmd.Stderr, p.cmd.Stdout = stderr, stderr
	p.cmd.Env = append(os.Environ(), "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.exited <- p.cmd.Wait() }()
	ctx, cancel := context.WithCancel(context.Background())
	p.unask = cancel
	if p.life.host == frozen {
		p.freeze(ctx, k.rng)
	}
	p.asked.Go(func() { p.secrets = askSecrets(ctx, k.st.SocketPath) })
	return p, nil
}

// askSecrets fetches the secrets of the sessions of a process, so that the test can
// search the log for them. It returns when it has them, or when ctx ends.
func askSecrets(ctx context.Context, socket string) []string {
	c, err := client.Dial(socket)
	if err != nil {
		return nil
	}
	defer func() { _ = c.Close() }()
	var secrets []string
	for _, d := range destinations {
		got, err := c.Broker().GetCredentials(ctx, &brokerdv1.GetCredentialsRequest{Destination: d}, grpc.WaitForReady(true))
		if err == nil {
			secrets = append(secrets, got.GetSecretAccessKey(), got.GetSessionToken())
		}
	}
	return secrets
}

// end sends the signal, waits until the process has ended, and records its life.
func (k *supervisor) end(p *process, signal syscall.Signal) error {
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	var err error
	select {
	case err = <-p.exited:
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		err = errors.Join(errors.New("it did not stop within 30 s"), <-p.exited)
	}
	p.unask()
	p.asked.Wait()
	p.life.secrets, p.life.ended = p.secrets, time.Now()
	k.lives = append(k.lives, p.life)
	if p.orderly {
		return nil
	}
	s, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ok && signal == syscall.SIGKILL && s.Signaled() && s.Signal() == syscall.SIGKILL {
		return nil
	}
	return err
}

// run starts and kills brokerd until ctx ends. It calls atRest after each kill. No
// process is left when run returns.
func (k *supervisor) run(ctx context.Context, t *testing.T, atRest func()) {
	for longer := time.Duration(0); ctx.Err() == nil; {
		if k.ease.Load() {
			longer += time.Second
		}
		p, err := k.start()
		if err != nil {
			t.Errorf("starting brokerd: %v", err)
			return
		}
		timer := time.NewTimer(longer + 500*time.Millisecond + time.Duration(k.rng.Int64N(int64(2500*time.Millisecond))))
		select {
		case <-timer.C:
		case <-ctx.Done():
		case err := <-p.exited:
			p.exited <- err // end reports it
		}
		timer.Stop()
		// One kill in eight comes during an orderly stop.
		if ctx.Err() == nil && k.rng.IntN(8) == 0 {
			k.stopped++
			stopping := time.NewTimer(time.Duration(k.rng.Int64N(int64(600 * time.Millisecond))))
			_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended; end reports it
			select {
			case <-stopping.C:
			case err := <-p.exited:
				p.exited <- err
				p.orderly = err == nil
			}
			stopping.Stop()
		}
		if err := k.end(p, syscall.SIGKILL); err != nil {
			t.Errorf("brokerd ended by itself: %v\n%s", err, tail(p.life.log))
			return
		}
		atRest()
	}
}

// killedBetween reports whether brokerd was killed in a span of time.
func (k *supervisor) killedBetween(from, to time.Time) bool {
	return slices.ContainsFunc(k.lives, func(l life) bool { return !l.ended.Before(from) && !l.ended.After(to) })
}

// tail returns the last 8 KiB of a log.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-8<<10):])
}
