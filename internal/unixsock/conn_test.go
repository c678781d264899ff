//go:build linux

package unixsock

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/internal/reason"
)

// connected returns both ends of a connection over a real socket.
func connected(t *testing.T) (daemon *Conn, peer *net.UnixConn) {
	t.Helper()
	dir, err := os.MkdirTemp("", "conn")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	addr := &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"}
	l, err := net.ListenUnix("unix", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if peer, err = net.DialUnix("unix", nil, addr); err != nil {
		t.Fatal(err)
	}
	accepted, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	daemon = &Conn{UnixConn: accepted}
	t.Cleanup(func() { _, _ = daemon.Close(), peer.Close() })
	return daemon, peer
}

// descriptors returns how many descriptors this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func message(body string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// withFile sends data and a descriptor in one message.
func withFile(t *testing.T, peer *net.UnixConn, data []byte) {
	t.Helper()
	f, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, _, err := peer.WriteMsgUnix(data, unix.UnixRights(int(f.Fd()), int(f.Fd())), nil); err != nil {
		t.Fatal(err)
	}
}

// A descriptor of a peer never becomes one of this process: not from a connection that
// hands files over, discarded or not, nor from one for gRPC, nor while the peer is watched.
func TestNoDescriptorIsReceived(t *testing.T) {
	for name, run := range map[string]func(t *testing.T, daemon *Conn, peer *net.UnixConn){
		"a message that is discarded": func(t *testing.T, daemon *Conn, peer *net.UnixConn) {
			withFile(t, peer, append([]byte(FileMagic), message("first")...))
			c, err := Sniff(t.Context(), daemon)
			if err != nil || c == nil {
				t.Fatal(c, err)
			}
			raw, err := c.Next(t.Context(), time.Now().Add(5*time.Second))
			if err != nil || string(raw) != "first" {
				t.Fatalf("%q, %v", raw, err)
			}
			if err := c.Discard(); err != nil {
				t.Fatal(err)
			}
			withFile(t, peer, message("second"))
			if raw, err = c.Next(t.Context(), time.Now().Add(5*time.Second)); err != nil || string(raw) != "second" {
				t.Fatalf("%q, %v", raw, err)
			}
		},
		"bytes for gRPC": func(t *testing.T, daemon *Conn, peer *net.UnixConn) {
			withFile(t, peer, []byte("PRI * HTTP/2.0"))
			c, err := Sniff(t.Context(), daemon)
			if err != nil || c != nil {
				t.Fatal(c, err)
			}
			buf := make([]byte, len("PRI * HTTP/2.0"))
			if _, err := io.ReadFull(daemon, buf); err != nil || string(buf) != "PRI * HTTP/2.0" {
				t.Fatalf("%q, %v", buf, err)
			}
		},
		"a word to a watched connection": func(t *testing.T, daemon *Conn, peer *net.UnixConn) {
			c := &FileConn{conn: daemon}
			left := make(chan struct{})
			w, err := c.Watch(func() { close(left) })
			if err != nil {
				t.Fatal(err)
			}
			withFile(t, peer, []byte("x"))
			<-left
			w.Stop()
		},
	} {
		t.Run(name, func(t *testing.T) {
			daemon, peer := connected(t)
			before := descriptors(t)
			run(t, daemon, peer)
			if after := descriptors(t); after != before {
				t.Errorf("%d descriptors are open, %d before", after, before)
			}
		})
	}
}

// FuzzMessages: bytes of a peer, in any pieces, become the messages that they frame, a
// refusal, or the end of the connection; and a connection that is not for files keeps them.
func FuzzMessages(f *testing.F) {
	f.Add([]byte(FileMagic+"\x00\x00\x00\x02ab\x00\x00\x00\x00"), uint8(1))
	f.Add([]byte(FileMagic+"\xff\xff\xff\xff"), uint8(3))
	f.Add([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), uint8(40))
	f.Add([]byte("brokerd-file-2\n"), uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, piece uint8) {
		if len(data) > 32<<10 {
			return
		}
		daemon, peer := connected(t)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for rest := data; len(rest) > 0; {
				n := min(int(piece)+1, len(rest))
				if _, err := peer.Write(rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
			_ = peer.CloseWrite()
		}()
		defer func() { _ = daemon.Close(); <-sent }()
		c, err := Sniff(t.Context(), daemon)
		if err != nil {
			return // it ended inside the first bytes
		}
		if c == nil {
			if got, err := io.ReadAll(daemon); err != nil || string(got) != string(data) {
				t.Errorf("a connection for gRPC yields %q, %v; want %q", got, err, data)
			}
			return
		}
		rest := data[len(FileMagic):]
		for {
			raw, err := c.Next(context.Background(), time.Now().Add(5*time.Second))
			var refused *reason.Error
			switch {
			case errors.As(err, &refused):
				if n := binary.BigEndian.Uint32(rest); n <= MaxMessage {
					t.Errorf("a message of %d bytes is refused", n)
				}
				return
			case errors.Is(err, io.EOF) && len(rest) > 0, errors.Is(err, os.ErrDeadlineExceeded):
				t.Errorf("%v with %d bytes left", err, len(rest))
				return
			case err != nil:
				return
			}
			want := rest[4 : 4+binary.BigEndian.Uint32(rest)]
			if string(raw) != string(want) {
				t.Errorf("got %q, want %q", raw, want)
			}
			rest = rest[4+len(want):]
			if err := c.Discard(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
