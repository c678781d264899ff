package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"
)

const (
	modulePath = "github.com/brokerd/brokerd"
	stopGrace  = 5 * time.Second
)

// findBrokerd looks for the daemon's program: as told, next to this program, in
// this module's source tree (then it is built into dir), in $PATH. say announces a build.
func findBrokerd(ctx context.Context, told, dir string, say func(string)) (string, error) {
	if told != "" {
		path, err := exec.LookPath(told)
		if err != nil {
			return "", console.UsageError(fmt.Errorf("--brokerd: %w", err))
		}
		return filepath.Abs(path)
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), "brokerd")
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return beside, nil
		}
	}
	if root := sourceTree(ctx); root != "" {
		say("building brokerd from " + root + " (once; Go keeps the compiled packages)")
		out := filepath.Join(dir, "brokerd")
		build := exec.CommandContext(ctx, "go", "build", "-o", out, "./cmd/brokerd")
		build.Dir = root
		if text, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("building brokerd: %w\n%s", err, text)
		}
		return out, nil
	}
	path, err := exec.LookPath("brokerd")
	if err != nil {
		return "", errors.New("there is no brokerd next to brokerctl nor in $PATH: give --brokerd PATH")
	}
	return filepath.Abs(path)
}

// sourceTree returns the root of this module if the working directory is inside it.
func sourceTree(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Path}} {{.Dir}}").Output()
	if err != nil {
		return ""
	}
	path, dir, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if path != modulePath {
		return ""
	}
	return dir
}

// daemon is brokerd as a child process.
type daemon struct {
	cmd    *exec.Cmd
	log    *os.File
	exited chan struct{}
}

// startDaemon starts brokerd with an environment that sets no AWS endpoint and no
// identity: both come from its configuration.
func startDaemon(program, config, dir string) (*daemon, error) {
	log, err := os.OpenFile(filepath.Join(dir, "brokerd.log"), os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening brokerd's log: %w", err)
	}
	cmd := exec.Command(program, "serve", "--config", config)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = dir, log, log, daemonEnv(os.Environ())
	cmd.SysProcAttr = console.ChildAttributes()
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting brokerd: %w", err), log.Close())
	}
	d := &daemon{cmd: cmd, log: log, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // the log has the reason
		close(d.exited)
	}()
	return d, nil
}

// daemonEnv removes variables that change the daemon's AWS identity, its readiness
// notification or its sockets.
func daemonEnv(env []string) []string {
	out := []string{"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=" + os.DevNull}
	for _, kv := range env {
		if strings.HasPrefix(kv, "AWS_") || strings.HasPrefix(kv, "NOTIFY_SOCKET=") || strings.HasPrefix(kv, "WATCHDOG_") ||
			strings.HasPrefix(kv, "LISTEN_") {
			continue
		}
		out = append(out, kv)
	}
	return out
}

func (d *daemon) pid() int { return d.cmd.Process.Pid }

// onExit calls f when the child ends, so that no caller waits for a dead child.
func (d *daemon) onExit(f func()) {
	go func() {
		<-d.exited
		f()
	}()
}

// stop sends SIGTERM to the child, and SIGKILL if it does not end in time.
func (d *daemon) stop() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM) // an error means that it has ended
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-d.exited:
	case <-timer.C:
		_ = d.cmd.Process.Kill()
		<-d.exited
	}
	_ = d.log.Close()
}

// tail returns the last lines of the child's log.
func (d *daemon) tail() string {
	data, err := os.ReadFile(d.log.Name())
	if err != nil {
		return ""
	}
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-8):], []byte("\n")))
}
