//go:build linux

package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestEveryObjectIsPutOnce(t *testing.T) {
	for _, body := range []string{Memory, Stream} {
		t.Run(body, func(t *testing.T) {
			job := Job{Objects: 50, Size: blockSize + 1000, InFlight: 7, Body: body, Prefix: "p"}
			want, err := io.ReadAll(NewStream(Block(), job.Size))
			if err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			seen := make(map[string]int)
			var report bytes.Buffer
			err = job.Run(t.Context(), func(_ context.Context, o Object) error {
				if _, seeks := o.Body.(io.Seeker); seeks != (body == Memory) {
					t.Errorf("seekable: %t", seeks)
				}
				got, err := io.ReadAll(o.Body)
				mu.Lock()
				defer mu.Unlock()
				seen[o.Name]++
				if !bytes.Equal(got, want) {
					t.Errorf("%s has %d other bytes", o.Name, len(got))
				}
				return err
			}, &report)
			if err != nil {
				t.Fatal(err)
			}
			if len(seen) != job.Objects || seen["p-000049"] != 1 {
				t.Errorf("%d objects were put: %v", len(seen), seen)
			}
			var r Report
			if err := json.Unmarshal(report.Bytes(), &r); err != nil {
				t.Fatal(err)
			}
			if r.Objects != job.Objects || r.Bytes != job.Bytes() || r.Seconds <= 0 || r.Peak <= 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestFirstFailureEndsTheJob(t *testing.T) {
	broken := errors.New("broken")
	var report bytes.Buffer
	puts := 0
	err := Job{Objects: 1000, Size: 1, InFlight: 1, Body: Memory}.Run(t.Context(), func(context.Context, Object) error {
		puts++
		return broken
	}, &report)
	if !errors.Is(err, broken) || puts != 1 || report.Len() > 0 {
		t.Errorf("%v after %d puts, report %q", err, puts, report.String())
	}
}

func TestFileIsHandedOverByItsPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	job := Job{Objects: 1, Size: 7, InFlight: 1, Body: File, Path: path}
	if err := job.Run(t.Context(), func(_ context.Context, o Object) error {
		r, end, err := o.Open()
		if err != nil {
			return err
		}
		defer end()
		if got, err := io.ReadAll(r); string(got) != "content" || o.Body != nil || o.Path != path {
			t.Errorf("%q, %v, %+v", got, err, o)
		}
		return nil
	}, io.Discard); err != nil {
		t.Fatal(err)
	}
}

func TestJobTravelsOnACommandLine(t *testing.T) {
	want := Job{Objects: 3, Size: 5 << 30, InFlight: 2, Body: File, Path: "/a b", Prefix: "p"}
	var got Job
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	got.Flags(flags)
	if err := flags.Parse(want.Arguments()); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	for name, bad := range map[string]Job{
		"nothing to do": {Body: Memory, InFlight: 1}, "nothing in flight": {Objects: 1, Body: Memory}, "no such body": {Objects: 1,
			InFlight: 1, Body: "x"},
		"a file without a path": {Objects: 1, InFlight: 1, Body: File}, "a path without a file": {Objects: 1, InFlight: 1, Body: Stream,
			Path: "x"},
	} {
		if err := bad.Run(t.Context(), nil, io.Discard); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
