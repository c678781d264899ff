package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"golang.org/x/sys/unix"
)

var errStdinClosed = errors.New("standard input is closed: redirect it from a file, or from /dev/null for an empty object")

// closedByCaller reports whether standard input was closed when the process began. The Go
// runtime then opens /dev/null for reading and writing in its place; a shell's </dev/null
// opens it for reading only.
func closedByCaller(in io.Reader) bool {
	f, ok := in.(*os.File)
	if !ok || f.Fd() != 0 {
		return false
	}
	var st, null unix.Stat_t
	if unix.Fstat(0, &st) != nil || unix.Stat(os.DevNull, &null) != nil || st.Rdev != null.Rdev || st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return false
	}
	flags, err := unix.FcntlInt(0, unix.F_GETFL, 0)
	return err == nil && flags&unix.O_ACCMODE == unix.O_RDWR
}

// hashed is a reader whose end is an error unless its bytes have the wanted SHA-256.
type hashed struct {
	r    io.Reader
	sum  hash.Hash
	want []byte
}

func newHashed(r io.Reader, want []byte) *hashed { return &hashed{r, sha256.New(), want} }

// Read implements io.Reader.
func (h *hashed) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	h.sum.Write(p[:n])
	if errors.Is(err, io.EOF) {
		if got := h.sum.Sum(nil); string(got) != string(h.want) {
			return n, fmt.Errorf("the data has the SHA-256 %x, and --sha256 asks for %x; nothing was stored", got, h.want)
		}
	}
	return n, err
}

// hashedFile is a hashed file that can be read again from its start.
type hashedFile struct {
	*hashed
	f *os.File
}

// Seek implements io.Seeker, for the current position and the start.
func (h *hashedFile) Seek(offset int64, whence int) (int64, error) {
	if offset == 0 && whence == io.SeekStart {
		h.sum.Reset()
	}
	return h.f.Seek(offset, whence)
}

func parseSHA256(text string) ([]byte, error) {
	sum, err := hex.DecodeString(text)
	if err != nil || len(sum) != sha256.Size {
		return nil, fmt.Errorf("--sha256 %q: want 64 hexadecimal digits", text)
	}
	return sum, nil
}

// commandOutput is the standard output of a command. Its end is an error unless the
// command, and every part of its pipelines, exited with status 0.
type commandOutput struct {
	cmd    *exec.Cmd
	pipe   io.Reader
	ended  bool
	result error
}

// startCommand runs a shell command. The end of ctx ends it and the processes that it
// started.
func startCommand(ctx context.Context, a *console.App, command string) (*commandOutput, error) {
	shell, err := exec.LookPath("bash")
	if err != nil {
		shell = "/bin/sh" // an error of set -o pipefail ends a shell that does not know it
	}
	cmd := exec.CommandContext(ctx, shell, "-c", "set -o pipefail || exit 125\n"+command)
	cmd.Stdin, cmd.Stderr = a.In, a.Err
	cmd.WaitDelay = interruptGrace / 2
	if !console.IsTerminal(a.In) { // in a terminal, Ctrl-C must reach the command, and it may read
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("--run: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("--run: %w", err)
	}
	return &commandOutput{cmd: cmd, pipe: pipe}, nil
}

// Read implements io.Reader.
func (c *commandOutput) Read(p []byte) (int, error) {
	if c.ended {
		if c.result != nil {
			return 0, c.result
		}
		return 0, io.EOF
	}
	n, err := c.pipe.Read(p)
	if err == nil || n > 0 {
		return n, nil
	}
	if werr := c.wait(); werr != nil {
		return 0, werr
	}
	return 0, err
}

// wait waits for the command's exit. Only the goroutine that reads calls it, and close
// after that.
func (c *commandOutput) wait() error {
	if c.ended {
		return c.result
	}
	c.ended = true
	err := c.cmd.Wait()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		c.result = fmt.Errorf("the command of --run exited with status %d; nothing was stored", exit.ExitCode())
	case err != nil:
		c.result = fmt.Errorf("the command of --run failed: %w; nothing was stored", err)
	}
	return c.result
}

// stop ends a command that is still running, and what it started.
func (c *commandOutput) stop() {
	if c.cmd.SysProcAttr == nil {
		_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		return
	}
	_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGTERM)
	time.AfterFunc(interruptGrace/2, func() { _ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) })
}
