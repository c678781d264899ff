package safefile

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const id = "01KAW3P5E2M9W7V5C1J0X8T4RQ"

func root(t *testing.T) (*Root, string) {
	t.Helper()
	dir := t.TempDir()
	r, err := OpenRoot(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r, dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// opened is an open file with its state.
func opened(t *testing.T, r *Root, rel string) File {
	t.Helper()
	f, info, err := r.Open(rel)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return File{F: f, Rel: rel, Want: info}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

// Both ways to open refuse the same.
func TestOpenLeavesNeitherItsDirectoryNorFollowsALink(t *testing.T) {
	r, dir := root(t)
	outside := filepath.Join(t.TempDir(), "secret")
	write(t, outside, "secret")
	write(t, filepath.Join(dir, "d/f"), "fine")
	for name, target := range map[string]string{
		"link": outside, "inside": "d/f", "linked": filepath.Dir(outside), "self": "self", "d/up": "../../x", "proc": "/proc/self/environ",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"link", "inside", "linked/secret", "self", "d/up", "proc", "../" + filepath.Base(outside), "/etc/passwd", "d/../d/f", "",
		"d//f", "d", "fifo",
	} {
		var refused *Refusal
		if f, _, err := r.Open(bad); !errors.As(err, &refused) {
			t.Errorf("Open(%q): got %v, %v", bad, f, err)
		}
		if clean(bad) && bad != "d" && bad != "fifo" {
			if fd, err := r.stepwise(bad, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC); err != unix.ELOOP {
				t.Errorf("stepwise(%q): got %d, %v", bad, fd, err)
			}
		}
	}
	if got := opened(t, r, "d/f"); got.Want.Size != 4 || !got.Want.Regular {
		t.Errorf("got %+v", got.Want)
	}
	fd, err := r.stepwise("d/f", unix.O_RDONLY|unix.O_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(fd)
}

func TestRemoveRemovesTheOpenFileOnly(t *testing.T) {
	r, dir := root(t)
	write(t, filepath.Join(dir, "f"), "one")
	f := opened(t, r, "f")
	called := ""
	if err := r.Remove(f, id, func(*os.File) error { called = names(t, dir); return nil }); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); got != "" || !strings.HasPrefix(called, stagedPrefix) {
		t.Errorf("left %q; before saw %q", got, called)
	}
	if err := r.Remove(f, id, nil); !errors.Is(err, ErrElsewhere) {
		t.Errorf("a file that is gone: got %v", err)
	}
}

func TestAFileThatIsNotTheOpenOneKeepsItsName(t *testing.T) {
	r, dir := root(t)
	path := filepath.Join(dir, "x.1")
	for name, tc := range map[string]struct {
		change func()
		want   error
	}{
		"the name went to another file": {func() {
			if err := os.Rename(path, filepath.Join(dir, "x.2")); err != nil {
				t.Fatal(err)
			}
			write(t, path, "another")
		}, ErrElsewhere},
		"it was written to": {func() { write(t, path, "longer than before") }, ErrChanged},
		"a link took the name": {func() {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("/etc/passwd", path); err != nil {
				t.Fatal(err)
			}
		}, ErrElsewhere},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			write(t, path, "old")
			f := opened(t, r, "x.1")
			tc.change()
			if err := r.Remove(f, id, nil); !errors.Is(err, tc.want) {
				t.Errorf("Remove: got %v, want %v", err, tc.want)
			}
			if _, err := r.Move(f, id, t.TempDir(), "x.1", nil); !errors.Is(err, tc.want) {
				t.Errorf("Move: got %v, want %v", err, tc.want)
			}
			if _, err := os.Lstat(path); err != nil || strings.Contains(names(t, dir), stagedPrefix) {
				t.Errorf("the name is gone: %v; %s", err, names(t, dir))
			}
		})
	}
}

// The comparison after the rename catches a change that came after the first one.
func TestAChangeBetweenComparisonAndRemovalIsCaught(t *testing.T) {
	r, dir := root(t)
	write(t, filepath.Join(dir, "f"), "one")
	f := opened(t, r, "f")
	stop := errors.New("stop")
	if err := r.Remove(f, id, func(*os.File) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	if got := names(t, dir); got != "f" {
		t.Errorf("got %q, want the old name", got)
	}
	// The name is taken while the file is staged: neither is lost.
	err := r.Remove(f, id, func(*os.File) error { write(t, filepath.Join(dir, "f"), "new"); return stop })
	staged, _ := StagedName(id, "f")
	if got := names(t, dir); !errors.Is(err, stop) || got != staged+" f" {
		t.Errorf("got %q, %v", got, err)
	}
	if base, ok := Unstaged(staged); !ok || base != "f" {
		t.Errorf("Unstaged: got %q, %v", base, ok)
	}
	again := opened(t, r, staged)
	if err := r.Remove(again, id, nil); err != nil || names(t, dir) != "f" {
		t.Errorf("a staged file is not removed: %v; %s", err, names(t, dir))
	}
}

func TestAWriterKeepsItsFile(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("leases are Linux's")
	}
	r, dir := root(t)
	path := filepath.Join(dir, "f")
	write(t, path, "one")
	f := opened(t, r, "f")
	if Writers(f.F) == WritersUnknown {
		t.Skip("the file system has no leases")
	}
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close() //nolint:errcheck // a test
	if Writers(f.F) != HasWriter {
		t.Error("the writer is not seen")
	}
	if err := r.Remove(f, id, nil); !errors.Is(err, ErrChanged) || names(t, dir) != "f" {
		t.Errorf("got %v; %s", err, names(t, dir))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Remove(f, id, nil); err != nil || names(t, dir) != "" {
		t.Errorf("without a writer: got %v; %s", err, names(t, dir))
	}
}

func TestMoveKeepsBothFilesOfOneName(t *testing.T) {
	r, dir := root(t)
	to := filepath.Join(dir, ".sent")
	for i, want := range []string{"d/f", "d/f." + id} {
		write(t, filepath.Join(dir, "d/f"), strings.Repeat("x", i+1))
		got, err := r.Move(opened(t, r, "d/f"), id, to, "d/f", nil)
		if err != nil || got != filepath.Join(to, want) {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}

func TestMoveFollowsNoLinkToItsDirectory(t *testing.T) {
	r, dir := root(t)
	elsewhere := t.TempDir()
	if err := os.Symlink(elsewhere, filepath.Join(dir, ".sent")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "f"), "x")
	var refused *Refusal
	if _, err := r.Move(opened(t, r, "f"), id, filepath.Join(dir, ".sent"), "f", nil); !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
	if names(t, elsewhere) != "" {
		t.Error("the file left through a link")
	}
}

func TestARenameKeepsTheIdentityOfAFile(t *testing.T) {
	r, dir := root(t)
	write(t, filepath.Join(dir, "x.1"), "x")
	before := opened(t, r, "x.1")
	birth := Birth(before.F)
	if err := os.Rename(filepath.Join(dir, "x.1"), filepath.Join(dir, "x.2")); err != nil {
		t.Fatal(err)
	}
	after := opened(t, r, "x.2")
	if !after.Want.SameContent(before.Want) || Birth(after.F) != birth {
		t.Errorf("got %+v, %d; want %+v, %d", after.Want, Birth(after.F), before.Want, birth)
	}
}
