package filereader

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// childName is the name of the child in the list of processes, and how it is told.
const childName = "brokerd-file-reader"

// controlFD is the child's end of the control socket.
const controlFD = 3

// IsChild reports whether this process is the child; args are those of os.Args.
func IsChild(args []string) bool { return len(args) == 1 && args[0] == childName }

// Serve is the child. It returns the exit code when the daemon has closed the control
// socket, or has ended.
func Serve() int {
	// The daemon ends the child, after its last upload. A signal to the whole group does not.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE)
	for {
		t, fds, err := nextTask(controlFD)
		switch {
		case errors.Is(err, errClosed):
			return 0
		case err != nil:
			_, _ = fmt.Fprintln(os.Stderr, err) // the daemon logs the last lines
			return 1
		}
		go serve(t, fds)
	}
}

var errClosed = errors.New("the control socket is closed")

// descriptors are those of a task.
type descriptors struct{ job, pipe, conn int }

// nextTask waits for a task.
func nextTask(control int) (task, descriptors, error) {
	raw := make([]byte, taskBytes+1)
	oob := make([]byte, unix.CmsgSpace(3*4))
	for {
		n, oobn, _, _, err := unix.Recvmsg(control, raw, oob, unix.MSG_CMSG_CLOEXEC)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return task{}, descriptors{}, fmt.Errorf("waiting for a task: %w", err)
		case n == 0:
			return task{}, descriptors{}, errClosed
		}
		t, err := decodeTask(raw[:n])
		if err != nil {
			return task{}, descriptors{}, err
		}
		fds, _ := rights(oob[:oobn])
		if len(fds) == 3 {
			return t, descriptors{fds[0], fds[1], fds[2]}, nil
		}
		for _, fd := range fds { // this process has no descriptor free: the daemon sees the socket close
			_ = unix.Close(fd)
		}
	}
}

// job is one file in the child.
type job struct {
	task
	answers *os.File // the socket of the task
	pipe    *os.File
	fd      int       // the file
	first   fileState // when the task began
}

// serve receives a file, reads it, and answers. It closes the file before it closes the
// socket, so that the daemon knows when no system call on the file is left.
func serve(t task, fds descriptors) {
	j := &job{task: t, answers: pollable(fds.job, "answers"), pipe: pollable(fds.pipe, "bytes"), fd: -1}
	defer func() { _ = j.answers.Close() }()
	defer j.closeFile()
	defer func() { _ = j.pipe.Close() }()
	fd, err := receive(fds.conn, int(t.Message))
	_ = unix.Close(fds.conn)
	if err == nil {
		j.fd = fd
		err = j.open()
	}
	if j.answer(err) != nil || err != nil {
		return
	}
	err = j.copy()
	_ = j.pipe.Close()
	if j.answer(err) != nil || err != nil {
		return
	}
	j.checks()
}

// pollable lets the runtime wait for fd, so that a wait holds no thread.
func pollable(fd int, name string) *os.File {
	_ = unix.SetNonblock(fd, true) // else a wait holds a thread
	return os.NewFile(uintptr(fd), name)
}

func (j *job) closeFile() {
	if j.fd >= 0 {
		_ = unix.Close(j.fd) // only read from
	}
}

func (j *job) answer(err error) error {
	_, werr := j.answers.Write(answerOf(err).encode())
	return werr
}

// checks compares when it is asked, until the daemon has no further question.
func (j *job) checks() {
	raw := make([]byte, checkBytes+1)
	for {
		n, err := j.answers.Read(raw)
		if err != nil || n != checkBytes {
			return
		}
		if j.answer(j.unchanged(decodeCheck(raw))) != nil {
			return
		}
	}
}

// left reports whether the daemon has given the file up.
func (j *job) left() bool {
	raw, err := j.answers.SyscallConn()
	if err != nil {
		return true
	}
	var n int
	_ = raw.Control(func(fd uintptr) { n, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0) })
	return err == nil && n > 0
}
