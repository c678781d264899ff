package e2e

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/testbed"
)

// seekable is a gate that can be read again: the second time nothing holds it up.
type seekable struct {
	*strings.Reader
	begun, open chan struct{}
	held        bool
}

func (s *seekable) Read(p []byte) (int, error) {
	if !s.held && s.Len() <= int(s.Size())/2 {
		s.held = true
		close(s.begun)
		<-s.open
	}
	return s.Reader.Read(p)
}

var _ io.ReadSeeker = (*seekable)(nil)

func TestADaemonThatIsKilledDuringAnUploadCostsTheCallerNothing(t *testing.T) {
	r := start(t)
	body := &seekable{Reader: strings.NewReader(strings.Repeat("0123456789abcdef", 1<<16)), begun: make(chan struct{}),
		open: make(chan struct{})}
	type answer struct {
		res *client.Result
		err error
	}
	done := make(chan answer, 1)
	tries := 1
	go func() {
		res, err := r.client.Upload(t.Context(), testbed.Destination, "kept.bin", body,
			client.WithRetryNotice(func(error, time.Duration) { tries++ }))
		done <- answer{res, err}
	}()
	<-body.begun
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = r.cmd.Wait() // killed
	close(body.open)

	again := exec.Command(filepath.Join(binaries, "brokerd"), "serve", "--config", r.ConfigPath)
	again.Env = append(os.Environ(), "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull)
	if err := again.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = again.Process.Kill()
		_ = again.Wait()
	})
	got := <-done
	if got.err != nil || got.res.State != client.Stored || got.res.Size != body.Size() {
		t.Fatalf("%+v, %v", got.res, got.err)
	}
	if tries < 2 {
		t.Error("the daemon was not killed during the upload")
	}
	if n := len(r.Sandbox.Objects(testbed.Bucket)); n != 1 {
		t.Errorf("%d objects, want one", n)
	}
}
