package hosts

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// pipe returns a pipe that holds 4 KiB: some ten lines of the log.
func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	if _, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 4096); err != nil {
		t.Fatal(err)
	}
	return r, w
}

func upload(t *testing.T, c *client.Client, n int) {
	t.Helper()
	for i := range n {
		res, err := c.Upload(t.Context(), testbed.Destination, fmt.Sprintf("f%d.log", i), strings.NewReader("x"))
		if err != nil || res.State != client.Stored {
			t.Fatalf("upload %d: got %+v, error %v", i, res, err)
		}
	}
}

// A log shipper that hangs, or a terminal paused by Ctrl-S.
func TestAReaderOfTheLogThatStandsStillStopsNothing(t *testing.T) {
	st := testbedtest.New(t)
	edit(t, st, "allow: [upload,", "allow: [credentials, upload,")
	edit(t, st, "destinations:", "limits: {credentials_per_second: 100000}\ndestinations:")
	r, w := pipe(t)
	p := start(t, st, w)
	c := p.dial(t)
	upload(t, c, 200) // at 4 KiB of pipe, a daemon that waits for its log stops after ten
	eventually(t, "status that names the stall", func() bool {
		return strings.Contains(p.brokerctl(t, 0, "status"), "its reader has taken nothing since")
	})

	// Deliveries go on without a record of their lines; credentials do not.
	var refused error
	for range 20_000 { // their audit lines fill the queue
		if _, err := c.Broker().GetCredentials(t.Context(), &brokerdv1.GetCredentialsRequest{Destination: testbed.Destination}); err != nil {
			if refused = c.FromError(err); !strings.Contains(refused.Error(), "TOO_MANY_REQUESTS") {
				break
			}
		}
	}
	if refused == nil || !strings.Contains(refused.Error(), "AUDIT_UNAVAILABLE") {
		t.Errorf("credentials whose audit line does not fit: got %v, want AUDIT_UNAVAILABLE", refused)
	}
	upload(t, c, 50)

	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil { // a reload logs as well
		t.Fatal(err)
	}
	// A call of an administrator needs its audit line, as credentials do. The queue may have
	// had room for a few more.
	eventually(t, "a reload that is refused without its audit line", func() bool {
		_, err := c.Admin().Reload(t.Context(), &brokerdv1.ReloadRequest{})
		return err != nil && strings.Contains(c.FromError(err).Error(), "AUDIT_UNAVAILABLE")
	})
	p.stop(t, 15*time.Second)
	_ = w.Close()
	text := collect(r)
	<-text.done
	for line := range strings.Lines(text.text.String()) {
		if strings.HasSuffix(line, "\n") && !bytes.HasPrefix([]byte(line), []byte("{")) {
			t.Errorf("a line that is no JSON: %q", line)
		}
	}
}

// The reader takes up its work again: the gap is in the log.
func TestDroppedLinesAreReportedWhenTheReaderReadsAgain(t *testing.T) {
	st := testbedtest.New(t)
	r, w := pipe(t)
	p := start(t, st, w)
	_ = w.Close()
	c := p.dial(t)
	status := func() *brokerdv1.GetStatusResponse {
		out, err := c.Admin().GetStatus(t.Context(), &brokerdv1.GetStatusRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	big := strings.Repeat("n", 200) // the object's name is in the line
	for i := 0; status().GetLogDroppedLines() == 0; i++ {
		if _, err := c.Upload(t.Context(), testbed.Destination, fmt.Sprint(big, i), strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	text := collect(r)
	deadline := time.Now().Add(20 * time.Second)
	for status().GetLogStalledTime() != nil && time.Now().Before(deadline) {
		upload(t, c, 1)
	}
	upload(t, c, 1)
	p.stop(t, 15*time.Second)
	<-text.done
	contains(t, text.text.String(), "log lines were dropped", `"msg":"stopped"`)
}

// journald is restarted, or the far end of `brokerd 2>&1 | shipper` dies.
func TestAReaderOfTheLogThatGoesAwayDoesNotKillTheDaemon(t *testing.T) {
	st := testbedtest.New(t)
	r, w := pipe(t)
	p := start(t, st, w)
	_ = w.Close()
	c := p.dial(t)
	upload(t, c, 1)
	_ = r.Close() // the next line gives EPIPE and SIGPIPE
	upload(t, c, 30)
	p.running(t)
	contains(t, p.brokerctl(t, 0, "status"), "dropped since the start")
	p.stop(t, 15*time.Second)
}
