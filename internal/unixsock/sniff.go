package unixsock

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"
)

// FileMagic opens a connection on which files are handed over. No HTTP/2 connection
// begins with it.
const FileMagic = "brokerd-file-1\n"

// firstBytesTimeout is how long a new connection may be silent. Both kinds of client
// speak first, and at once.
const firstBytesTimeout = 10 * time.Second

// Sniff reads the first bytes of a connection. It returns a FileConn when they are
// FileMagic, else a connection that still yields them. It gives up when ctx ends.
// After an error the caller closes conn.
func Sniff(ctx context.Context, conn *Conn) (*FileConn, net.Conn, error) {
	c := &FileConn{conn: conn}
	first, err := c.firstBytes(ctx)
	if err == nil && first == FileMagic {
		return c, nil, nil
	}
	c.drop() // only a FileConn may carry descriptors
	if err != nil {
		return nil, nil, err
	}
	return nil, &replayed{Conn: conn, first: []byte(first)}, nil
}

// firstBytes reads no further than FileMagic, and only while the bytes match it.
func (c *FileConn) firstBytes(ctx context.Context) (string, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(firstBytesTimeout)); err != nil {
		return "", fmt.Errorf("reading the first bytes: %w", err)
	}
	unhook := context.AfterFunc(ctx, c.interruptRead)
	defer unhook()
	buf := make([]byte, len(FileMagic))
	n := 0
	for n < len(buf) && strings.HasPrefix(FileMagic, string(buf[:n])) {
		got, err := c.read(buf[n:])
		if err != nil {
			return "", err // io.EOF stays as it is: gRPC does not log it
		}
		n += got
	}
	return string(buf[:n]), nil
}

// replayed is a connection whose first bytes were read already.
type replayed struct {
	*Conn
	first []byte
}

// Read implements net.Conn.
func (r *replayed) Read(p []byte) (int, error) {
	if len(r.first) > 0 {
		n := copy(p, r.first)
		r.first = r.first[n:]
		return n, nil
	}
	return r.Conn.Read(p)
}
