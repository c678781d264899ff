package cli

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"sync"
	"syscall"

	"github.com/brokerd/brokerd/internal/cli/console"

	"go.uber.org/zap"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/secret"
	"github.com/brokerd/brokerd/internal/vend"
)

// passedOn are the signals that brokerctl forwards to the command.
var passedOn = []os.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2}

// fromKeys are the signals that a terminal sends to the whole process group. The command
// already gets them: forwarded, they would arrive twice, and many programs abort at the
// second one.
var fromKeys = []os.Signal{syscall.SIGINT, syscall.SIGQUIT}

// execWithEndpoint runs a command with a credentials endpoint of its own, on a port that
// the kernel picks, with a random token. The endpoint fetches the credentials from the
// daemon, which learns this user from the kernel and logs each answer.
func execWithEndpoint(
	ctx context.Context,
	a *console.App,
	c *client.Client,
	destination, path string,
	args, env []string,
	verify func(env []string) error,
) error {
	token := rand.Text() + rand.Text()
	l, err := vend.ListenLoopback(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	h := &vend.Handler{
		Hosts: vend.HostsOf(l.Addr()), Log: zap.NewNop(),
		Identify: func(r *http.Request) (vend.Caller, error) {
			if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte(token)) != 1 {
				return vend.Caller{}, &vend.Refusal{Reason: reason.TokenRefused, Message: "the token is not the token of this brokerctl exec"}
			}
			return vend.Caller{Only: []string{destination}, Via: "token"}, nil
		},
		Source: func(ctx context.Context, caller vend.Caller, asked string) (vend.Credentials, error) {
			if asked != caller.Only[0] {
				return vend.Credentials{}, &vend.Refusal{Reason: reason.PeerNotAllowed, Message: "this brokerctl exec serves another destination"}
			}
			return fromDaemon(ctx, c, asked)
		},
	}
	srv := vend.NewServer(h, zap.NewNop())
	var serving sync.WaitGroup
	serving.Go(func() { _ = srv.Serve(l) }) // until Close
	defer serving.Wait()
	defer func() { _ = srv.Close() }()
	env = append(env,
		"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://"+l.Addr().(*net.TCPAddr).String()+vend.Path+destination,
		"AWS_CONTAINER_AUTHORIZATION_TOKEN="+token)
	if err := verify(env); err != nil {
		return err
	}
	return runBeside(a, path, args, env)
}

func fromDaemon(ctx context.Context, c *client.Client, destination string) (vend.Credentials, error) {
	r, err := issue(ctx, c, destination)
	if err != nil {
		refusal := &vend.Refusal{Reason: reason.SessionUnavailable, Message: err.Error()}
		var failed *client.Error
		if errors.As(err, &failed) {
			refusal.Reason, refusal.Message, refusal.RetryAfter = reason.Reason(failed.Reason), failed.Message, failed.RetryAfter
			if !failed.Temporary() {
				refusal.Status = http.StatusForbidden
			}
		}
		return vend.Credentials{}, refusal
	}
	return vend.Credentials{
		AccessKeyID: r.GetAccessKeyId(), SecretAccessKey: secret.New(r.GetSecretAccessKey()), SessionToken: secret.New(r.GetSessionToken()),
		Expiration: r.GetExpiration().AsTime(),
	}, nil
}

// runBeside runs the command, and returns its exit status, or 128 plus the signal that
// ended it.
func runBeside(a *console.App, path string, args, env []string) error {
	// The parent-death signal is tied to the thread, so keep it until the command ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	command := &exec.Cmd{Path: path, Args: args, Env: env, Stdin: a.In, Stdout: a.Out, Stderr: a.Err, SysProcAttr: endWithParent()}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, append(slices.Clone(passedOn), fromKeys...)...)
	defer signal.Stop(signals)
	if err := command.Start(); err != nil {
		return fmt.Errorf("running %s: %w", path, err)
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		for {
			select {
			case s := <-signals:
				if slices.Contains(fromKeys, s) && console.IsTerminal(a.In) {
					continue
				}
				_ = command.Process.Signal(s) // it may have ended
			case <-ended:
				return
			}
		}
	}()
	err := command.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		if err != nil {
			return fmt.Errorf("running %s: %w", path, err)
		}
		return nil
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return &console.ExitError{Code: 128 + int(status.Signal())}
	}
	return &console.ExitError{Code: exit.ExitCode()}
}
