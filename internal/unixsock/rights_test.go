//go:build linux

package unixsock

import (
	"testing"

	"golang.org/x/sys/unix"
)

// FuzzRights: parsing any control message is harmless.
func FuzzRights(f *testing.F) {
	f.Add([]byte{})
	f.Add(unix.UnixRights())
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, oob []byte) {
		// Descriptors that a fuzzer invents are this process's own: none may be closed.
		msgs, err := unix.ParseSocketControlMessage(oob)
		if err != nil {
			if _, ok := rights(oob); ok {
				t.Error("taken although malformed")
			}
			return
		}
		for i := range msgs {
			if msgs[i].Header.Type == unix.SCM_RIGHTS && len(msgs[i].Data) > 0 {
				return
			}
		}
		if files, _ := rights(oob); len(files) > 0 {
			t.Error("descriptors from nothing")
		}
	})
}
