package filereader

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

const (
	// restartPause is the least time between two starts of the child.
	restartPause = time.Second
	// sendTimeout is how long the child may take no task.
	sendTimeout = 3 * time.Second
	// endTimeout is how long Close waits for the child.
	endTimeout = 3 * time.Second
)

// child is the process that reads.
type child struct {
	control *net.UnixConn
	cmd     *exec.Cmd
	stderr  tail
	exited  chan struct{}
}

// running returns the child, and starts it when there is none.
func (r *Reader) running() (*child, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.child != nil {
		select {
		case <-r.child.exited:
			_ = r.child.control.Close()
			r.child = nil
		default:
			return r.child, nil
		}
	}
	switch {
	case r.program == "", r.closed:
		return nil, unavailable("this daemon reads no files of others")
	case time.Now().Before(r.notBefore):
		return nil, unavailable("the process that reads handed-over files ended, and starts again within %s", restartPause)
	}
	r.notBefore = time.Now().Add(restartPause)
	c, err := start(r.program)
	if err != nil {
		r.log.Error("handed-over files come as streams: the process that reads them did not start", zap.Error(err))
		return nil, unavailable("the process that reads handed-over files did not start (%v)", err)
	}
	r.closers.Go(func() { r.watch(c) })
	r.child = c
	return c, nil
}

func start(program string) (*child, error) {
	control, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer func() { _ = theirs.Close() }()
	c := &child{control: control, exited: make(chan struct{})}
	c.cmd = &exec.Cmd{
		Path: program, Args: []string{childName}, Env: []string{}, Dir: "/", ExtraFiles: []*os.File{theirs}, Stderr: &c.stderr,
		WaitDelay: endTimeout,
	}
	if err := c.cmd.Start(); err != nil {
		_ = control.Close()
		return nil, err
	}
	go func() {
		defer close(c.exited)
		_ = c.cmd.Wait() // ProcessState has it
	}()
	return c, nil
}

// watch logs a child that ends before the daemon asks for it.
func (r *Reader) watch(c *child) {
	one := make([]byte, 1)
	_, _ = c.control.Read(one) // it sends nothing: this is its end, or that of the Reader
	r.mu.Lock()
	closed := r.closed
	r.mu.Unlock()
	if closed {
		return
	}
	select {
	case <-c.exited:
	case <-time.After(endTimeout):
	}
	r.log.Error("the process that reads handed-over files ended; the next file starts another", zap.String("stderr", c.stderr.String()))
}

// send gives the child a task with its descriptors.
func (c *child) send(t task, answers, pipe *os.File, conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	if err := c.control.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	var serr error
	err = raw.Control(func(peer uintptr) {
		_, _, serr = c.control.WriteMsgUnix(t.encode(), unix.UnixRights(int(answers.Fd()), int(pipe.Fd()), int(peer)), nil)
	})
	return errors.Join(err, serr)
}

// end waits for the child, whose control socket is closed, to end. A child that hangs in
// a system call is left behind: it is killed, and ends with that call.
func (c *child) end() {
	select {
	case <-c.exited:
	case <-time.After(endTimeout):
		_ = c.cmd.Process.Kill() // fails only where it has ended
	}
}

// tail keeps the last bytes that are written to it.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const tailBytes = 4 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(p)
	if over := t.buf.Len() - tailBytes; over > 0 {
		t.buf.Next(over)
	}
	return len(p), nil
}

// String returns the kept bytes.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}
