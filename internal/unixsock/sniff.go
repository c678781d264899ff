package unixsock

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// FileMagic opens a connection on which files are handed over. No HTTP/2 connection
// begins with it.
const FileMagic = "brokerd-file-1\n"

// firstBytesTimeout is how long a new connection may be silent. Both kinds of client
// speak first, and at once.
const firstBytesTimeout = 10 * time.Second

// Sniff looks at the first bytes of a connection. It returns a FileConn when they are
// FileMagic, and else nil: conn then still yields all of its bytes. It gives up when ctx
// ends. After an error the caller closes conn.
func Sniff(ctx context.Context, conn *Conn) (*FileConn, error) {
	if err := startPeeking(conn.UnixConn); err != nil {
		return nil, nil // this kernel cannot: every connection is for gRPC
	}
	c := &FileConn{conn: conn}
	first, err := c.firstBytes(ctx)
	switch {
	case err != nil:
		return nil, err
	case first == FileMagic:
		return c, nil
	}
	return nil, nil
}

// firstBytes looks no further than FileMagic, and only while the bytes match it.
func (c *FileConn) firstBytes(ctx context.Context) (string, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(firstBytesTimeout)); err != nil {
		return "", fmt.Errorf("reading the first bytes: %w", err)
	}
	unhook := context.AfterFunc(ctx, c.interruptRead)
	defer unhook()
	buf := make([]byte, len(FileMagic))
	n := 0
	for n < len(buf) && strings.HasPrefix(FileMagic, string(buf[:n])) {
		got, err := peek(c.conn.UnixConn, buf[n:])
		if err == nil && got == 0 {
			err = io.EOF
		}
		if err != nil {
			return "", err // io.EOF stays as it is: gRPC does not log it
		}
		n, c.waiting = n+got, c.waiting+got
	}
	return string(buf[:n]), nil
}
