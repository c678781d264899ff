package unixsock

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/brokerd/brokerd/internal/reason"
)

const (
	// MaxMessage is the largest message of a peer, in bytes. A valid header is far smaller.
	MaxMessage = 16 << 10
	// answerTimeout is how long a peer may leave an answer unread.
	answerTimeout = 10 * time.Second
	// retryAfter is the delay that a peer is told when this process has no descriptor free.
	retryAfter = 2 * time.Second
)

// FileConn exchanges messages on one connection. Each message is a length of four
// bytes, big-endian, and that many bytes; a message of the peer carries one descriptor.
//
// One goroutine uses a FileConn at a time, except for Write. Close it at the end.
type FileConn struct {
	conn   *Conn
	files  []*os.File // received and not taken
	excess excess

	writing sync.Mutex
}

// Next reads a message, until deadline or until ctx ends. io.EOF means that the peer
// closed the connection between two messages. A *reason.Error is for the peer; after
// any other error the peer cannot be told.
func (c *FileConn) Next(ctx context.Context, deadline time.Time) ([]byte, error) {
	if err := c.conn.SetReadDeadline(deadline); err != nil {
		return nil, err
	}
	unhook := context.AfterFunc(ctx, c.interruptRead)
	defer unhook()
	var head [4]byte
	if err := c.full(head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > MaxMessage {
		return nil, reason.New(reason.ProtocolViolation, "the message has %d bytes; the limit is %d", n, MaxMessage)
	}
	raw := make([]byte, n)
	if err := c.full(raw); err != nil {
		return nil, fmt.Errorf("reading a message: %w", noEOF(err))
	}
	return raw, nil
}

// interruptRead ends a read that waits.
func (c *FileConn) interruptRead() { _ = c.conn.SetReadDeadline(time.Unix(1, 0)) } // fails only on a closed connection

// read reads once, and keeps the descriptors that come with the bytes.
func (c *FileConn) read(dst []byte) (int, error) {
	n, files, x, err := readRights(c.conn.UnixConn, dst)
	c.files, c.excess = append(c.files, files...), max(c.excess, x)
	if len(c.files) > 1 {
		c.excess = max(c.excess, tooMany)
		c.drop()
	}
	return n, err
}

// full fills dst.
func (c *FileConn) full(dst []byte) error {
	for n := 0; n < len(dst); {
		got, err := c.read(dst[n:])
		if err != nil {
			if n > 0 {
				err = noEOF(err)
			}
			return err
		}
		n += got
	}
	return nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// File returns the descriptor that came with the last message. The caller closes it.
// Its errors are for the peer.
func (c *FileConn) File() (*os.File, error) {
	defer c.drop()
	x := c.excess
	c.excess = noExcess
	switch {
	case x == noneFree:
		return nil, noDescriptorFree()
	case x != noExcess:
		return nil, reason.New(reason.ProtocolViolation, "more than one descriptor came: send exactly one with each message")
	case len(c.files) == 0:
		return nil, reason.New(reason.ProtocolViolation, "no descriptor came: send exactly one with each message")
	}
	f := c.files[0]
	c.files = nil
	return f, nil
}

func noDescriptorFree() *reason.Error {
	return reason.New(
		reason.TooManyFiles,
		"the daemon, or its host, has no file descriptor free for the handed-over file; "+
			"the daemon's limit is %d (LimitNOFILE, ulimit -n): raise it, or send fewer files at a time",
		DescriptorLimit(),
	).After(retryAfter)
}

// drop closes the descriptors that were not taken.
func (c *FileConn) drop() {
	for _, f := range c.files {
		_ = f.Close() // only read from
	}
	c.files = nil
}

// Close closes the connection and the descriptors that were not taken.
func (c *FileConn) Close() error {
	c.drop()
	return c.conn.Close()
}

// Watch is a running observation of a peer; see FileConn.Watch.
type Watch struct {
	c       *FileConn
	stopped atomic.Bool
	done    chan struct{}
}

// Watch calls left, from another goroutine, when the peer closes its side or sends
// anything. Until Stop returns, the caller does not read from c.
func (c *FileConn) Watch(left func()) (*Watch, error) {
	if err := c.conn.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	w := &Watch{c: c, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		var one [1]byte
		_, err := c.read(one[:])
		if err == nil || !w.stopped.Load() || !errors.Is(err, os.ErrDeadlineExceeded) {
			left()
		}
	}()
	return w, nil
}

// Stop ends the observation. It may be called twice.
func (w *Watch) Stop() {
	w.stopped.Store(true)
	w.c.interruptRead()
	<-w.done
}

// Write sends a message. Several goroutines may call it.
func (c *FileConn) Write(raw []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.conn.SetWriteDeadline(time.Now().Add(answerTimeout)); err != nil {
		return fmt.Errorf("answering: %w", err)
	}
	if _, err := c.conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(raw))), raw...)); err != nil {
		return fmt.Errorf("answering: %w", err)
	}
	return nil
}
