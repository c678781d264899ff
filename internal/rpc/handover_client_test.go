//go:build linux

package rpc

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/brokerd/brokerd/client"
)

func TestTheClientHandsItsFilesOver(t *testing.T) {
	d := serverFor(t)
	data := bytes.Repeat([]byte("0123456789"), 60_000)
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	told := 0 // of a stream it would be told chunk by chunk
	res, err := d.UploadFile(t.Context(), "logs", "n", path, client.WithProgress(func(int64) { told++ }))
	if err != nil || res.State != client.Stored || res.Destination != "logs" || res.UploadID == "" || told != 1 {
		t.Fatalf("%+v, %v, told %d times", res, err, told)
	}
	if !bytes.Equal(d.sink.objects["logs/n"], data) {
		t.Error("the object differs")
	}
	_, err = d.UploadFile(t.Context(), "audit", "n", path)
	_ = wantFault(t, err, "PEER_NOT_ALLOWED")
	// A file that the daemon does not take as a descriptor comes as a stream.
	if _, err := d.UploadFile(t.Context(), "logs", "status", "/proc/self/status"); err != nil {
		t.Error(err)
	}
	if _, ok := d.sink.objects["logs/status"]; !ok {
		t.Error("it did not come")
	}
}
