package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	// processTimeout is the limit of one run of a credential command. It leaves time for
	// the call to STS within one flight.
	processTimeout = 10 * time.Second
	// processGrace is how long the pipes of a killed command may stay open: a process
	// that left its group may hold them.
	processGrace = time.Second
	// maxProcessOutput is the largest output of a credential command, in bytes.
	maxProcessOutput = 64 << 10
)

// processSource runs a command that prints credentials, as credential_process does. The
// SDK's provider kills only the shell at its timeout, and then waits for the shell's
// children: a command that hangs would block its destination until they end.
//
// Errors hold no output of the command, because it contains the keys.
type processSource struct {
	name    string // the setting that names the command, for errors
	command string
	timeout time.Duration
}

// Retrieve implements aws.CredentialsProvider.
func (p processSource) Retrieve(ctx context.Context) (aws.Credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", p.command)
	out := &boundedBuffer{limit: maxProcessOutput}
	cmd.Stdout = out
	// Kill the whole process group: the shell's children too.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = processGrace
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return aws.Credentials{}, fmt.Errorf(
			"%s did not end within %s and was killed, with all processes that it started; run it by hand as the daemon's user",
			p.name,
			p.timeout,
		)
	case ctx.Err() != nil:
		return aws.Credentials{}, fmt.Errorf("%s was killed: %w", p.name, ctx.Err())
	case errors.As(err, &exit):
		return aws.Credentials{}, fmt.Errorf("%s failed: %s; run it by hand as the daemon's user", p.name, exit.ProcessState)
	case err != nil && !errors.Is(err, exec.ErrWaitDelay): // a helper that it left running may hold the pipe
		return aws.Credentials{}, fmt.Errorf("running %s: %w", p.name, err)
	}
	return p.parse(out.bytes())
}

// parse reads the output. It drops the error of the JSON parser, which can quote a key.
func (p processSource) parse(output []byte) (aws.Credentials, error) {
	var printed struct {
		Version                                               int
		AccessKeyID, SecretAccessKey, SessionToken, AccountID string
		Expiration                                            *time.Time
	}
	if err := json.Unmarshal(output, &printed); err != nil || printed.Version != 1 {
		return aws.Credentials{}, fmt.Errorf(
			"%s did not print credentials as JSON with \"Version\": 1; run it by hand as the daemon's user",
			p.name,
		)
	}
	if printed.AccessKeyID == "" || printed.SecretAccessKey == "" {
		return aws.Credentials{}, fmt.Errorf("%s printed no AccessKeyId or no SecretAccessKey; run it by hand as the daemon's user", p.name)
	}
	c := aws.Credentials{
		AccessKeyID:     printed.AccessKeyID,
		SecretAccessKey: printed.SecretAccessKey,
		SessionToken:    printed.SessionToken,
		Source:          "process",
	}
	if printed.Expiration != nil {
		if c.CanExpire, c.Expires = true, *printed.Expiration; time.Now().After(c.Expires) {
			return aws.Credentials{}, fmt.Errorf("%s printed credentials that expired at %s", p.name, c.Expires.UTC().Format(time.RFC3339))
		}
	}
	return c, nil
}

// boundedBuffer keeps the first limit bytes, and drops the rest.
type boundedBuffer struct {
	limit int
	mu    sync.Mutex
	kept  []byte
}

// Write implements io.Writer.
func (b *boundedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = append(b.kept, p[:min(len(p), b.limit-len(b.kept))]...)
	return len(p), nil
}

func (b *boundedBuffer) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.kept)
}
