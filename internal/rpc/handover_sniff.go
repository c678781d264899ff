package rpc

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/brokerd/brokerd/internal/access"
)

// sniffWait is how long a new connection may be silent. Both kinds of client
// speak first, and at once.
const sniffWait = 10 * time.Second

// dispatch looks at the first bytes of a connection. A file hand-over is served
// here, to its end, and the error is credentials.ErrConnDispatched; any other
// connection is returned as if nobody had looked.
func (h *handover) dispatch(conn *net.UnixConn, p access.Peer) (net.Conn, error) {
	w := &wire{conn: conn}
	first, err := h.sniff(w)
	if err == nil && first == handoverMagic {
		h.serve(w, p)
		return nil, credentials.ErrConnDispatched
	}
	w.drop() // nobody else knows what to do with descriptors
	if err != nil {
		return nil, err
	}
	return &replayed{UnixConn: conn, first: []byte(first)}, nil
}

// sniff reads no further than the magic, and only as long as it may still be it.
func (h *handover) sniff(w *wire) (first string, err error) {
	if err := w.conn.SetReadDeadline(time.Now().Add(sniffWait)); err != nil {
		return "", fmt.Errorf("reading the first bytes: %w", err)
	}
	unhook := context.AfterFunc(h.s.watching, func() { _ = w.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer unhook()
	buf := make([]byte, len(handoverMagic))
	n := 0
	for n < len(buf) && strings.HasPrefix(handoverMagic, string(buf[:n])) {
		got, err := w.read(buf[n:])
		if err != nil {
			return "", err // io.EOF as it is: gRPC does not log it
		}
		n += got
	}
	return string(buf[:n]), nil
}

// replayed is a connection whose first bytes were read already.
type replayed struct {
	*net.UnixConn
	first []byte
}

// Read implements net.Conn.
func (r *replayed) Read(p []byte) (int, error) {
	if len(r.first) > 0 {
		n := copy(p, r.first)
		r.first = r.first[n:]
		return n, nil
	}
	return r.UnixConn.Read(p)
}
