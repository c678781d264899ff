package daemon

import (
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
)

// edit replaces text in the daemon's configuration file.
func edit(t *testing.T, path, old, text string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), old) {
		t.Fatalf("%q is not in\n%s", old, data)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(data), old, text, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// An upload that is open when its destination goes ends as it began; the next
// one finds no destination. systemd hears of it.
func TestAnOpenUploadOutlivesAReload(t *testing.T) {
	st := testbedtest.New(t)
	sd := notifiedBy(t)
	d := start(t, st.Config)
	sd.hears(t, "READY=1")
	in, out := io.Pipe()
	uploaded := make(chan error, 1)
	go func() {
		_, err := d.Upload(t.Context(), testbed.Destination, "open.log", in)
		uploaded <- err
	}()
	if _, err := out.Write(make([]byte, 9<<20)); err != nil { // more than a part: the delivery is under way
		t.Fatal(err)
	}
	edit(t, st.Config.Path, "  "+testbed.Destination+":\n", "  renamed:\n")
	edit(t, st.Config.Path, "["+testbed.Destination+"]", "[renamed]")
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	sd.hears(t, "RELOADING=1")
	sd.hears(t, "MONOTONIC_USEC=")
	sd.hears(t, "READY=1")
	if _, err := d.Upload(t.Context(), testbed.Destination, "late.log", strings.NewReader("x")); err == nil ||
		!strings.Contains(err.Error(), testbed.Destination) {
		t.Errorf("an upload to the destination that is gone: %v", err)
	}
	if _, err := d.Upload(t.Context(), "renamed", "new.log", strings.NewReader("x")); err != nil {
		t.Errorf("an upload to the new one: %v", err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-uploaded; err != nil {
		t.Errorf("the open upload: %v", err)
	}
	if n := len(st.Sandbox.Objects(testbed.Bucket)); n != 2 {
		t.Errorf("%d objects", n)
	}
	d.stop()
	if err := <-d.done; err != nil {
		t.Error(err)
	}
}
