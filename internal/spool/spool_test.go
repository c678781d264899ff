package spool_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/spool"
)

func TestAnAcceptedObjectIsDeliveredAsItWasAccepted(t *testing.T) {
	for name, size := range map[string]int{"empty": 0, "one byte": 1, "a segment": 64 << 10, "segments and a rest": 3<<16 + 5,
		"beyond a buffer": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			st := newStore()
			var seen spool.Header
			st.answer = func(e *spool.Entry, _ int) error { seen = e.Header(); return nil }
			o := optionsOf(t, st)
			s := open(t, o)
			data, h := bytesOf(1, size), headerOf(1)
			got := accept(t, s, h, data)
			if got.State != spool.Queued || got.Size != int64(size) || got.Key != h.Key || !got.Received.Equal(h.Received) {
				t.Errorf("status %+v", got)
			}
			running(t, s)
			end, err := s.Wait(t.Context(), h.ID)
			if err != nil {
				t.Fatal(err)
			}
			if end.State != spool.Delivered || string(end.Receipt) != `{"key":"logs/n1"}` || end.CRC32C != got.CRC32C || end.Name != h.Name {
				t.Errorf("status %+v", end)
			}
			if b, ok := st.object(h.ID); !ok || !bytes.Equal(b, data) {
				t.Error("other bytes were delivered")
			}
			h.Size = int64(size)
			if !reflect.DeepEqual(seen, h) {
				t.Errorf("delivered with %+v, want %+v", seen, h)
			}
			if left := names(t, o.Dir); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestARestartDeliversWhatWasAcceptedOldestFirst(t *testing.T) {
	st := newStore()
	o := optionsOf(t, st)
	o.Workers = 1
	s := open(t, o)
	for _, n := range []int{3, 1, 2} {
		accept(t, s, headerOf(n), bytesOf(n, 1000*n))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, o)
	if r := s.Recovery(); r.Queued != 3 || r.Bytes != 6000 {
		t.Errorf("recovery %+v", r)
	}
	stop := running(t, s)
	if err := s.Drained(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	if got, want := st.delivered(), []string{idOf(1), idOf(2), idOf(3)}; !slices.Equal(got, want) {
		t.Errorf("delivered %v, want %v", got, want)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, o)
	if got, ok := s.Status(idOf(2)); !ok || got.State != spool.Delivered || string(got.Receipt) != `{"key":"logs/n2"}` {
		t.Errorf("after a restart: %+v, %v", got, ok)
	}
}

// failing is a body that ends with an error.
type failing struct {
	data io.Reader
	err  error
}

func (f failing) Read(p []byte) (int, error) {
	n, err := f.data.Read(p)
	if err == io.EOF {
		err = f.err
	}
	return n, err
}

func TestARefusedObjectLeavesNothing(t *testing.T) {
	errBody, errVerify, errGone := errors.New("cut"), errors.New("differs"), errors.New("gone")
	data := bytesOf(1, 300<<10)
	cases := map[string]struct {
		size   int64
		body   io.Reader
		verify error
		cancel bool
		want   error
	}{
		"a body that fails":        {-1, failing{bytes.NewReader(data), errBody}, nil, false, errBody},
		"a body that is cut":       {-1, failing{bytes.NewReader(data), io.ErrUnexpectedEOF}, nil, false, io.ErrUnexpectedEOF},
		"shorter than announced":   {301 << 10, bytes.NewReader(data), nil, false, spool.ErrSize},
		"longer than announced":    {299 << 10, bytes.NewReader(data), nil, false, spool.ErrSize},
		"a checksum that differs":  {-1, bytes.NewReader(data), errVerify, false, errVerify},
		"a caller that has gone":   {-1, bytes.NewReader(data), nil, true, errGone},
		"a body that never begins": {-1, failing{bytes.NewReader(nil), errBody}, nil, false, errBody},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := optionsOf(t, newStore())
			s := open(t, o)
			h := headerOf(1)
			h.Size = c.size
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			_, _, err := s.Accept(ctx, h, statedBody{c.body, func(int64) error {
				if c.cancel {
					cancel(errGone)
				}
				return c.verify
			}})
			if !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if left := names(t, o.Dir); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			if _, ok := s.Status(h.ID); ok {
				t.Error("it is known")
			}
			for _, u := range s.Usage() {
				if u.ReservedBytes != 0 {
					t.Errorf("still reserved: %+v", u)
				}
			}
			accept(t, s, headerOf(1), data) // the same again is welcome
		})
	}
}

func TestTheDirectoryIsTakenOnceAndOnlyWhenItIsSafe(t *testing.T) {
	st := newStore()
	o := optionsOf(t, st)
	open(t, o)
	var locked *spool.LockedError
	if _, err := spool.Open(o); !errors.As(err, &locked) || !strings.Contains(err.Error(), o.Dir) ||
		!strings.Contains(err.Error(), "process ") {
		t.Errorf("a second one: %v", err)
	}
	o.Dir = t.TempDir()
	if err := os.Chmod(o.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := spool.Open(o); err == nil || !strings.Contains(err.Error(), "0755") {
		t.Errorf("a directory for everybody: %v", err)
	}
	if err := os.Chmod(o.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(o.Dir, "photo.jpg")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := spool.Open(o); err == nil || !strings.Contains(err.Error(), "photo.jpg") {
		t.Errorf("somebody's directory: %v", err)
	}
	if err := os.Remove(foreign); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(o.Dir, "version"), []byte("brokerd spool 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := spool.Open(o); err == nil || !strings.Contains(err.Error(), "brokerd spool 2") {
		t.Errorf("another format: %v", err)
	}
}

func TestFilesAreForTheDaemonOnly(t *testing.T) {
	o := optionsOf(t, newStore())
	s := open(t, o)
	accept(t, s, headerOf(1), []byte("secret"))
	err := filepath.Walk(o.Dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
