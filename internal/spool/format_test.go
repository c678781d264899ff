package spool_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/brokerd/brokerd/internal/spool"
)

// storedFormat1 copies testdata/format1 to a directory of the test, with the
// permissions that git does not keep. Commit 072b814 wrote it: 1 and 2 delivered,
// 3 dead, 4 queued under an idempotency key, 5 queued with the journal of a
// multipart upload, 6 queued for a destination that has been removed since, 7 torn
// and in quarantine, 8 never acknowledged.
func storedFormat1(t *testing.T) string {
	t.Helper()
	const from = "testdata/format1"
	to := filepath.Join(t.TempDir(), "spool")
	err := filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Mkdir(filepath.Join(to, rel), 0o700)
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), text, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// A new version of the daemon opens the directory of the version before it.
func TestTheDirectoryOfAnEarlierVersionIsOpened(t *testing.T) {
	o := optionsOf(t, nil)
	o.Dir = storedFormat1(t)
	type journal struct {
		Upload   string
		PartSize int64
		Parts    []int32
	}
	got, journals := map[string][]byte{}, map[string]journal{}
	o.Deliver = func(_ context.Context, e *spool.Entry) (json.RawMessage, error) {
		var err error
		id := e.Header().ID
		got[id], err = io.ReadAll(e.Section(0, e.Size()))
		j := journal{}
		j.Upload, j.PartSize = e.UploadID()
		e.EachPart(func(n int32, _ string, _ uint32) { j.Parts = append(j.Parts, n) })
		journals[id] = j
		return json.RawMessage(`{}`), err
	}
	o.Workers = 1
	s := open(t, o)
	want := map[int]spool.State{1: spool.Delivered, 2: spool.Delivered, 3: spool.Dead, 4: spool.Queued, 5: spool.Queued, 6: spool.Parked}
	for n, state := range want {
		if st, ok := s.Status(idOf(n)); !ok || st.State != state {
			t.Errorf("object %d: got %+v (known %v), want state %s", n, st, ok, state)
		}
	}
	if st, _ := s.Status(idOf(1)); st.Key != "logs/n1" || string(st.Receipt) != `{"key":"logs/n1","etag":"\"e\""}` {
		t.Errorf("the receipt: got %+v", st)
	}
	if st, _ := s.Status(idOf(3)); st.LastReason != "KEY_TOO_LONG" || st.LastError != "the key has 1,025 bytes" {
		t.Errorf("the dead object: got %+v", st)
	}
	if _, err := os.Stat(filepath.Join(o.Dir, "queue", idOf(8)+".tmp")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that was not acknowledged: got %v, want it removed", err)
	}
	for n, key := range map[int]string{1: "delivered-key", 4: "queued-key"} {
		h := headerOf(9)
		h.IdempotencyKey = key
		if n == 4 {
			h.Destination = "other"
		}
		st, known, err := s.Accept(t.Context(), h, unstated{bytes.NewReader(nil)})
		if err != nil || !known || st.ID != idOf(n) {
			t.Errorf("idempotency key %q: got %+v, known %v, error %v; want object %d", key, st, known, err, n)
		}
	}
	running(t, s)
	for _, n := range []int{4, 5} {
		if st, err := s.Wait(t.Context(), idOf(n)); err != nil || st.State != spool.Delivered {
			t.Errorf("object %d: got %+v, error %v", n, st, err)
		}
	}
	if _, err := s.Retry("", idOf(3)); err != nil {
		t.Errorf("reviving the dead object: %v", err)
	}
	if st, err := s.Wait(t.Context(), idOf(3)); err != nil || st.State != spool.Delivered {
		t.Errorf("the revived object: got %+v, error %v", st, err)
	}
	for n, size := range map[int]int{3: 3000, 4: 4000, 5: 200 << 10} {
		if !bytes.Equal(got[idOf(n)], bytesOf(n, size)) {
			t.Errorf("object %d: other bytes than were accepted", n)
		}
	}
	wantJournal := map[string]journal{idOf(3): {}, idOf(4): {}, idOf(5): {Upload: "upload-5", PartSize: 64 << 10, Parts: []int32{1, 2}}}
	if d := cmp.Diff(wantJournal, journals); d != "" {
		t.Error(d)
	}
}
