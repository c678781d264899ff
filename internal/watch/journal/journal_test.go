package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func open(t *testing.T, dir string) (*Journal, *Log) {
	t.Helper()
	j, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	l, err := j.Log("app")
	if err != nil {
		t.Fatal(err)
	}
	return j, l
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestOutcomesOutliveTheProcess(t *testing.T) {
	dir := t.TempDir()
	j, l := open(t, dir)
	first, err := l.FirstStart(time.Unix(100, 5))
	must(t, err, l.Begin("A", "d/a \"x\"\n.gz"), l.Stored("A"), l.Begin("B", "b"), l.Skip("C"), l.Begin("D", "d"), l.Forget("D"))
	// Neither log nor journal is closed: only the lock goes with the process.
	j.Close()
	j, l = open(t, dir)
	defer j.Close()
	for id, want := range map[string]Entry{"A": {Stored, "d/a \"x\"\n.gz"}, "B": {Begun, "b"}, "C": {Skipped, ""}} {
		if got, ok := l.Get(id); !ok || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", id, got, ok, want)
		}
	}
	if _, ok := l.Get("D"); ok {
		t.Error("a forgotten file is remembered")
	}
	if again, err := l.FirstStart(time.Unix(200, 0)); err != nil || !again.Equal(first) {
		t.Errorf("the first start: got %v, %v, want %v", again, err, first)
	}
}

func TestADamagedLineHarmsNoOther(t *testing.T) {
	dir := t.TempDir()
	j, l := open(t, dir)
	must(t, l.Begin("A", "a"), l.Begin("B", "b"), l.Stored("A"), l.Close())
	j.Close()
	path := filepath.Join(dir, "app.log")
	whole, err := os.ReadFile(path)
	must(t, err)
	for cut := range len(whole) {
		torn := append([]byte(nil), whole[:cut]...)
		if cut > 20 {
			torn[10] ^= 1 // the first line is damaged too
		}
		must(t, os.WriteFile(path, torn, 0o600))
		j, l := open(t, dir)
		must(t, l.Begin("C", "c"), l.Close())
		j.Close()
		j, l = open(t, dir)
		if got, ok := l.Get("C"); !ok || got.Name != "c" {
			t.Fatalf("cut at %d: the line after the torn one is lost: %+v", cut, got)
		}
		must(t, l.Close())
		j.Close()
	}
}

func TestOneProcessUsesAJournal(t *testing.T) {
	dir := t.TempDir()
	j, l := open(t, dir)
	if _, err := Open(dir); !errors.Is(err, ErrInUse) {
		t.Errorf("got %v", err)
	}
	must(t, l.Close())
	j.Close()
	j, err := Open(dir)
	must(t, err)
	j.Close()
}

func TestALogStaysSmall(t *testing.T) {
	dir := t.TempDir()
	j, l := open(t, dir)
	_, err := l.FirstStart(time.Unix(1, 0))
	must(t, err)
	for i := range 2000 {
		id := fmt.Sprint(i)
		must(t, l.Begin(id, "n"+id), l.Stored(id))
	}
	must(t, l.Compact(time.Now(), func(string) bool { return false }))
	if _, early := l.Get("9"); !early {
		t.Error("a file that was seen a moment ago is forgotten")
	}
	must(t, l.Compact(time.Now().Add(memory+time.Minute), func(id string) bool { return id == "7" }))
	must(t, l.Stored("8"), l.Close())
	j.Close()
	if st, err := os.Stat(filepath.Join(dir, "app.log")); err != nil || st.Size() > 200 {
		t.Errorf("got %d bytes, %v", st.Size(), err)
	}
	j, l = open(t, dir)
	defer j.Close()
	_, gone := l.Get("9")
	got, kept := l.Get("7")
	first, err := l.FirstStart(time.Unix(9, 0))
	if _, added := l.Get("8"); gone || !kept || !added || got != (Entry{Stored, "n7"}) || err != nil || first.Unix() != 1 {
		t.Errorf("got %v %v %+v %v %v", gone, kept, got, first, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(record{op: opBegin, id: "A", name: "x y"}.line())
	f.Add(record{op: opFirst, time: time.Unix(1, 2)}.line())
	f.Fuzz(func(t *testing.T, line []byte) {
		r, ok := parse(line)
		if !ok {
			return
		}
		again, ok := parse(r.line()[:len(r.line())-1])
		if !ok || again.op != r.op || again.id != r.id && r.op != opFirst || again.name != r.name || !again.time.Equal(r.time) {
			t.Fatalf("got %+v, want %+v", again, r)
		}
	})
}
