package unixsock

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/reason"
)

const (
	// MaxMessage is the largest message of a peer, in bytes. A valid header is far smaller.
	MaxMessage = 16 << 10
	// answerTimeout is how long a peer may leave an answer unread.
	answerTimeout = 10 * time.Second
)

// FileConn exchanges messages on one connection. Each message is a length of four
// bytes, big-endian, and that many bytes; a message of the peer carries one descriptor.
//
// Next looks at a message and leaves it in the socket, together with its descriptor.
// Then either Discard removes both, or another process receives them; see Waiting.
//
// One goroutine uses a FileConn at a time, except for Write. Close it at the end.
type FileConn struct {
	conn *Conn
	// waiting is the number of bytes in the socket that were looked at.
	waiting int

	writing sync.Mutex
}

// Next returns a message, until deadline or until ctx ends. io.EOF means that the peer
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

// full fills dst with the next bytes of the socket, and leaves them there.
func (c *FileConn) full(dst []byte) error {
	for n := 0; n < len(dst); {
		got, err := peek(c.conn.UnixConn, dst[n:])
		if err == nil && got == 0 {
			err = io.EOF
		}
		if err != nil {
			if n > 0 {
				err = noEOF(err)
			}
			return err
		}
		n, c.waiting = n+got, c.waiting+got
	}
	return nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Discard removes the message that Next returned from the socket. The kernel drops its
// descriptors: they never become descriptors of this process.
func (c *FileConn) Discard() error {
	if err := c.conn.SetReadDeadline(time.Time{}); err != nil { // the bytes are there
		return fmt.Errorf("discarding a message: %w", err)
	}
	buf := make([]byte, c.waiting)
	if _, err := io.ReadFull(c.conn, buf); err != nil { // read(2) takes no descriptors
		return fmt.Errorf("discarding a message: %w", err)
	}
	c.waiting = 0
	return nil
}

// Waiting returns the connection and the length of the message that Next returned: the
// next bytes of its socket, from which another process receives them.
func (c *FileConn) Waiting() (conn *net.UnixConn, n int) { return c.conn.UnixConn, c.waiting }

// Taken tells that another process has received the message.
func (c *FileConn) Taken() { c.waiting = 0 }

// Close closes the connection, also for a process that has received from it.
func (c *FileConn) Close() error {
	_ = c.Discard()               // bytes that stay would make the peer's end an error (ECONNRESET)
	_ = shutdown(c.conn.UnixConn) // fails only where the peer has left
	return c.conn.Close()
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
