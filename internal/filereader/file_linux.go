package filereader

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/brokerd/brokerd/internal/reason"
)

// File is the body of an upload that the child reads. One goroutine uses it, except for
// Interrupt.
type File struct {
	r        *Reader
	uid      uint32
	answers  *net.UnixConn
	pipe     *os.File
	size     int64
	left     int64 // bytes that are not read yet
	idle     time.Duration
	announce func(id string) error
	unhook   func() bool

	held         bool // counted as unanswered
	complete     bool // the child said how its reading ended
	interruptErr atomic.Pointer[error]
}

// Read implements io.Reader.
func (f *File) Read(dst []byte) (int, error) {
	if f.left == 0 && f.interrupted() == nil {
		return 0, io.EOF
	}
	if err := f.pipe.SetReadDeadline(time.Now().Add(f.idle)); err != nil {
		return 0, err
	}
	// Interrupt stores its error before it sets its deadline.
	if err := f.interrupted(); err != nil {
		return 0, err
	}
	n, err := f.pipe.Read(dst)
	f.left -= int64(n)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		return n, f.whyShort()
	case f.interrupted() != nil:
		return n, f.interrupted()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, reason.New(reason.FileUnreadable, "the file's file system gave no bytes for %s; nothing was stored", f.idle)
	}
	return n, err
}

// whyShort returns the reason of an end before the last byte.
func (f *File) whyShort() error {
	if err := f.readOut(); err != nil {
		return err
	}
	return reason.New(reason.FileUnreadable, "the file reader gave %d bytes less than the file has; nothing was stored", f.left)
}

// readOut waits for the child to say how its reading ended.
func (f *File) readOut() error {
	if f.complete {
		return nil
	}
	f.complete = true
	return f.told(f.answer(f.idle))
}

// told turns the lack of an answer into an error for the peer.
func (f *File) told(err error) error {
	switch {
	case f.interrupted() != nil:
		return f.interrupted()
	case errors.Is(err, errNoAnswer):
		return reason.New(reason.FileUnreadable, "the process that reads the file did not answer (%v); nothing was stored", err)
	}
	return err
}

// answer waits for an answer of the child.
func (f *File) answer(wait time.Duration) error {
	if err := f.answers.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return noAnswer(err)
	}
	if err := f.interrupted(); err != nil {
		return noAnswer(err)
	}
	buf := make([]byte, maxAnswer)
	n, err := f.answers.Read(buf)
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		return noAnswer(err)
	}
	return decodeAnswer(buf[:n])
}

// Interrupt implements uploader.Body.
func (f *File) Interrupt(err error) {
	if f.interruptErr.CompareAndSwap(nil, &err) {
		_ = f.pipe.SetReadDeadline(time.Unix(1, 0)) // both fail only on a closed file
		_ = f.answers.SetReadDeadline(time.Unix(1, 0))
	}
}

func (f *File) interrupted() error {
	if err := f.interruptErr.Load(); err != nil {
		return *err
	}
	return nil
}

// Accepted implements intake.Incoming.
func (f *File) Accepted(id string) error { return f.announce(id) }

// slowestCheck is the least speed, in bytes a second, at which a changed file is read again.
const slowestCheck = 4 << 20

// Verify implements intake.Incoming. The child reads the file itself, so that there is no
// checksum of the sender: it compares the bytes that arrived here with the file.
func (f *File) Verify(length int64, crc uint32) error {
	if length != f.size {
		return shrunk(length, f.size)
	}
	if err := f.readOut(); err != nil {
		return err
	}
	if err := f.answers.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return f.told(noAnswer(err))
	}
	if _, err := f.answers.Write(check{crc}.encode()); err != nil {
		return f.told(noAnswer(err))
	}
	return f.told(f.answer(f.idle + time.Duration(f.size/slowestCheck)*time.Second))
}

// Close gives the file up. It does not wait for the file system.
func (f *File) Close() {
	f.unhook()
	_ = f.pipe.Close()         // only read from
	_ = f.answers.CloseWrite() // fails only where the child has ended
	f.r.linger(f)
}
