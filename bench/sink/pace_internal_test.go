package sink

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// ready is a connection that always has bytes to read.
type ready struct{ net.Conn }

func (ready) Read(b []byte) (int, error) { return len(b), nil }

func TestConnectionIsReadAtItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := &pacedConn{Conn: ready{}, rate: 1 << 20}
		read := func(n int64) time.Duration {
			began := time.Now()
			if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.LimitReader(conn, n), make([]byte, 16<<10)); err != nil {
				t.Fatal(err)
			}
			return time.Since(began)
		}
		if took := read(4 << 20); took < 3900*time.Millisecond || took > 4*time.Second {
			t.Errorf("4 MiB at 1 MiB a second took %s", took)
		}
		time.Sleep(time.Minute)
		if took := read(4 << 20); took < 3900*time.Millisecond {
			t.Errorf("after a pause 4 MiB took %s: the pause was saved up", took)
		}
	})
}
