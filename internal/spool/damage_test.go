package spool_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/brokerd/brokerd/internal/spool"
)

func TestDamagedBytesAreNeverDelivered(t *testing.T) {
	st := newStore()
	o := optionsOf(t, st)
	s := open(t, o)
	const size = 200 << 10
	for n := range 4 {
		accept(t, s, headerOf(n+1), bytesOf(n+1, size))
	}
	flip := func(n, off int) {
		name := filepath.Join(o.Dir, "queue", idOf(n)+".obj")
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b[off] ^= 1
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flip(1, 70_000)
	flip(2, size-1)
	running(t, s)
	if err := s.Drained(t.Context()); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]spool.State{1: spool.Dead, 2: spool.Dead, 3: spool.Delivered, 4: spool.Delivered} {
		got, _ := s.Status(idOf(n))
		if got.State != want || want == spool.Dead && got.LastReason != "CORRUPT" {
			t.Errorf("object %d: %+v", n, got)
		}
	}
	var out bytes.Buffer
	var corrupt *spool.CorruptError
	n, err := s.Export(t.Context(), idOf(1), &out)
	if !errors.As(err, &corrupt) || corrupt.Off != 64<<10 || n != 64<<10 || !bytes.Equal(out.Bytes()[:n], bytesOf(1, size)[:n]) {
		t.Errorf("export: %d bytes verified, %v", n, err)
	}
}

func TestATornFileGoesToQuarantineAndHarmsNoOther(t *testing.T) {
	whole := func(b []byte) []byte { return b }
	tears := map[string]func(b []byte) []byte{
		"cut at the end":   func(b []byte) []byte { return b[:len(b)-1] },
		"cut in the data":  func(b []byte) []byte { return b[:100] },
		"empty":            func([]byte) []byte { return nil },
		"longer":           func(b []byte) []byte { return append(b, 0) },
		"zeros in the end": func(b []byte) []byte { clear(b[len(b)-200:]); return b },
		"another header":   func(b []byte) []byte { return bytes.Replace(b, []byte("text/plain"), []byte("text/pla1n"), 1) },
	}
	for name, tear := range tears {
		t.Run(name, func(t *testing.T) {
			o := optionsOf(t, newStore())
			w := &watcher{}
			o.Observer = w
			s := open(t, o)
			for n, how := range []func([]byte) []byte{whole, tear, whole} {
				accept(t, s, headerOf(n+1), bytesOf(n+1, 5000))
				file := filepath.Join(o.Dir, "queue", idOf(n+1)+".obj")
				b, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, how(b), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, o)
			r := s.Recovery()
			if r.Queued != 2 || len(r.Quarantined) != 1 || s.Unrecovered().Quarantined != 1 || len(w.kinds(spool.EventQuarantined)) != 1 {
				t.Errorf("recovery %+v, now %+v", r, s.Unrecovered())
			}
			want := []string{"queue/" + idOf(1) + ".obj", "queue/" + idOf(3) + ".obj", "quarantine/" + idOf(2) + ".obj",
				"quarantine/" + idOf(2) + ".obj.why"}
			if got := names(t, o.Dir); !slices.Equal(got, want) {
				t.Errorf("on disk: %v", got)
			}
		})
	}
}

func TestASectionReadsWhatItIsAskedFor(t *testing.T) {
	const size = 3<<16 + 77
	data := bytesOf(1, size)
	o := optionsOf(t, nil)
	o.Deliver = func(_ context.Context, e *spool.Entry) (json.RawMessage, error) {
		for _, c := range [][2]int64{{0, size}, {1 << 16, 1 << 16}, {5, 100}, {1<<16 - 1, 2}, {3 << 16, 1 << 20}, {size, 5}, {0, 0}} {
			got, err := io.ReadAll(e.Section(c[0], c[1]))
			if want := data[c[0]:min(c[0]+c[1], size)]; err != nil || !bytes.Equal(got, want) {
				t.Errorf("section %v: %d bytes, %v", c, len(got), err)
			}
		}
		if len(e.Segments()) != 4 || e.Size() != size {
			t.Errorf("%d segments, %d bytes", len(e.Segments()), e.Size())
		}
		return nil, nil
	}
	s := open(t, o)
	accept(t, s, headerOf(1), data)
	running(t, s)
	if _, err := s.Wait(t.Context(), idOf(1)); err != nil {
		t.Fatal(err)
	}
}
