package client_test

import (
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/client"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// A caller without a daemon reads the cause in its own terms, and none of gRPC's.
func TestNoErrorShowsInternals(t *testing.T) {
	internals := regexp.MustCompile(`(?i)rpc error|desc =|transport|preface|name resolver|passthrough|dial unix|code =`)
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	leaving := filepath.Join(dir, "leaving") // it accepts connections, and closes them
	l, err = net.ListenUnix("unix", &net.UnixAddr{Name: leaving, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	for name, c := range map[string]struct{ socket, want string }{
		"no socket":           {filepath.Join(dir, "none"), "no such file or directory; brokerd is not running, or listens on another socket"},
		"a socket left alone": {stale, "connection refused; brokerd has ended without removing its socket"},
		"closed at once":      {leaving, "the connection ended before the answer"},
	} {
		conn, err := client.Dial(c.socket)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, raw := conn.Admin().GetStatus(t.Context(), &brokerdv1.GetStatusRequest{})
		_, upload := conn.Upload(t.Context(), "d", "n", strings.NewReader("x"), client.WithRetry(0))
		for _, err := range []error{conn.FromError(raw), upload} {
			if err == nil || !strings.Contains(err.Error(), c.want) || internals.MatchString(err.Error()) {
				t.Errorf("%s: got %v, want it to say %q", name, err, c.want)
			}
		}
	}
}
