package filereader

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/internal/reason"
)

// Reader is the daemon's side: it starts the child, and asks it for files. Its methods
// may be called from several goroutines.
type Reader struct {
	program string
	log     *zap.Logger

	mu        sync.Mutex // guards the fields below
	child     *child     // nil: none runs
	notBefore time.Time  // when the next child may start
	closed    bool
	waiting   map[uint32]int // unanswered files by user
	all       int            // their sum
	closing   map[*net.UnixConn]struct{}
	warned    time.Time // when a hanging file was logged last

	closers sync.WaitGroup
}

// New returns a Reader. program is this program, whose main calls IsChild and Serve. The
// child starts with the first file. Close the Reader after its last file.
func New(program string, log *zap.Logger) *Reader {
	return &Reader{program: program, log: log, waiting: make(map[uint32]int), closing: make(map[*net.UnixConn]struct{})}
}

// Open lets the child receive and inspect a file. taken reports whether the peer's
// message is no longer in its socket. The caller closes the file. Every error is for the
// peer, or that of ctx.
func (r *Reader) Open(ctx context.Context, q Request) (f *File, taken bool, err error) {
	if q.Offset > math.MaxInt64 || q.Size > math.MaxInt64-q.Offset {
		return nil, false, reason.New(reason.ProtocolViolation, "offset %d and size %d are larger than any file", q.Offset, q.Size)
	}
	if err := r.hold(q.UID); err != nil {
		return nil, false, err
	}
	f, err = r.ask(q)
	if err != nil {
		r.release(q.UID)
		return nil, false, err
	}
	f.held = true
	f.unhook = context.AfterFunc(ctx, func() { f.Interrupt(ctx.Err()) })
	err = f.answer(openTimeout)
	taken = !errors.Is(err, errNoAnswer)
	if err == nil {
		f.held = false
		r.release(q.UID)
		return f, taken, nil
	}
	f.Close()
	switch {
	case ctx.Err() != nil:
		return nil, taken, ctx.Err()
	case !taken:
		return nil, false, unavailable("the process that reads handed-over files did not answer (%v)", err)
	}
	return nil, taken, err
}

// hold counts a file that is not answered yet.
func (r *Reader) hold(uid uint32) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.waiting[uid] >= maxUnanswered:
		return unavailable("%d files of this user wait for their file system", maxUnanswered)
	case r.all >= maxUnansweredAll:
		return unavailable("%d files wait for their file system", maxUnansweredAll)
	}
	r.count(uid, 1)
	return nil
}

func (r *Reader) release(uid uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count(uid, -1)
}

func (r *Reader) count(uid uint32, n int) {
	r.all += n
	if r.waiting[uid] += n; r.waiting[uid] == 0 {
		delete(r.waiting, uid)
	}
}

// Unanswered returns how many files wait for their file system.
func (r *Reader) Unanswered() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all
}

// ask gives the child a task.
func (r *Reader) ask(q Request) (*File, error) {
	c, err := r.running()
	if err != nil {
		return nil, err
	}
	answers, theirs, err := socketPair()
	if err != nil {
		return nil, lack("socketpair", err)
	}
	defer func() { _ = theirs.Close() }()
	pipe, theirPipe, err := pipeFor(q.Size)
	if err != nil {
		_ = answers.Close()
		return nil, lack("pipe", err)
	}
	defer func() { _ = theirPipe.Close() }()
	t := task{Message: uint32(q.Message), Offset: int64(q.Offset), Size: int64(q.Size)}
	if err := c.send(t, theirs, theirPipe, q.Conn); err != nil {
		_, _ = answers.Close(), pipe.Close()
		return nil, unavailable("the process that reads handed-over files takes no task (%v)", err)
	}
	return &File{r: r, uid: q.UID, answers: answers, pipe: pipe, size: t.Size, left: t.Size, idle: q.Idle, announce: q.Announce}, nil
}

// lack is the error of a descriptor that could not be had.
func lack(call string, err error) error {
	if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
		return noDescriptorFree()
	}
	return unavailable("%s failed (%v)", call, err)
}

// socketPair returns the daemon's end and the child's end of a new socket.
func socketPair() (*net.UnixConn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "socket"), os.NewFile(uintptr(fds[1]), "socket")
	conn, err := net.FileConn(ours)
	_ = ours.Close() // conn has a copy
	if err != nil {
		_ = theirs.Close()
		return nil, nil, err
	}
	return conn.(*net.UnixConn), theirs, nil
}

// maxPipe bounds the bytes between the child and the daemon; Linux allows it to every user.
const maxPipe = 1 << 20

// pipeFor returns a pipe for size bytes. The daemon's end does not hold a thread.
func pipeFor(size uint64) (ours, theirs *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, err
	}
	if size > 64<<10 {
		_, _ = unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, int(min(size, maxPipe))) // a smaller one works too
	}
	return pollable(fds[0], "bytes"), os.NewFile(uintptr(fds[1]), "bytes"), nil
}

// Close ends the child. A child that waits for a file system is left behind.
func (r *Reader) Close() {
	r.mu.Lock()
	c := r.child
	r.child, r.closed = nil, true
	if c != nil {
		_ = c.control.Close() // the child ends
	}
	for conn := range r.closing {
		_ = conn.Close()
	}
	r.mu.Unlock()
	r.closers.Wait()
	if c != nil {
		c.end()
	}
}

// linger waits, after a file was given up, until the child has closed it.
func (r *Reader) linger(f *File) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		_ = f.answers.Close()
		return
	}
	r.closing[f.answers] = struct{}{}
	r.closers.Go(func() {
		held := f.held
		if !hungUp(f.answers, closeGrace) {
			held = r.hangs(f, held)
			hungUp(f.answers, 0)
		}
		_ = f.answers.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.closing, f.answers)
		if held {
			r.count(f.uid, -1)
		}
	})
}

// warnEvery is how often hanging files are logged.
const warnEvery = time.Minute

// hangs counts a file whose file system does not answer, unless it is counted already.
func (r *Reader) hangs(f *File, counted bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !counted {
		r.count(f.uid, 1)
	}
	if time.Since(r.warned) >= warnEvery {
		r.warned = time.Now()
		r.log.Warn("a handed-over file hangs: its file system does not answer", zap.Uint32("uid", f.uid), zap.Int("hanging", r.all))
	}
	return true
}

// hungUp waits for the end of conn, at most for wait (0: forever), and reports whether
// it came. It skips what comes before.
func hungUp(conn *net.UnixConn, wait time.Duration) bool {
	var deadline time.Time
	if wait > 0 {
		deadline = time.Now().Add(wait)
	}
	buf := make([]byte, maxAnswer)
	for {
		if err := conn.SetReadDeadline(deadline); err != nil {
			return true
		}
		n, err := conn.Read(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if wait > 0 && !time.Now().Before(deadline) {
				return false
			} // else Interrupt came late, with a deadline of its own
		case err != nil || n == 0:
			return true
		}
	}
}

// errNoAnswer is returned when the child gave no answer.
var errNoAnswer = errors.New("no answer")

func noAnswer(err error) error { return fmt.Errorf("%w: %w", errNoAnswer, err) }
