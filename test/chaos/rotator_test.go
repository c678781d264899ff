package chaos

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// rotator is one writer with its directory.
type rotator struct {
	*rotating
	t   *testing.T
	rng *rand.Rand
	dir string
	n   int
}

// methods are the ways in which files are rotated.
func (r *rotating) methods() []func(w *rotator, text string) {
	return []func(*rotator, string){
		(*rotator).shift, (*rotator).copyTruncate, (*rotator).compress, (*rotator).dateExt, (*rotator).inPlace, (*rotator).changed,
	}
}

func (w *rotator) must(err error) {
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // the daemon may remove a file at any moment
		w.t.Error(err)
	}
}

func (w *rotator) rest(most time.Duration) {
	rest(w.t.Context(), time.Duration(w.rng.Int64N(int64(most))))
}

func (w *rotator) path(format string, args ...any) string {
	return filepath.Join(w.dir, fmt.Sprintf(format, args...))
}

// finished notes a content that must become an object. It is called before the content
// has its final name.
func (w *rotator) finished(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted[text] = true
}

// shift renames x.1 to x.2 and so on, and the live file to x.1: logrotate's create.
func (w *rotator) shift(text string) {
	live := w.path("app.log")
	w.must(os.WriteFile(live, []byte(text), 0o644))
	w.finished(text)
	for i := 400; i > 0; i-- {
		if _, err := os.Lstat(w.path("app.fin.%d", i)); err == nil {
			w.must(os.Rename(w.path("app.fin.%d", i), w.path("app.fin.%d", i+1)))
		}
	}
	w.must(os.Rename(live, w.path("app.fin.1")))
}

// copyTruncate copies the live file in pieces, and truncates it.
func (w *rotator) copyTruncate(text string) {
	live := w.path("app.log")
	w.must(os.WriteFile(live, []byte(text), 0o644))
	w.finished(text)
	w.n++
	w.inPieces(w.path("app.fin.%d", w.n), text)
	w.must(os.Truncate(live, 0))
}

// compress writes the archive next to the file, and removes the file.
func (w *rotator) compress(text string) {
	w.n++
	plain, archive := w.path("app.%d", w.n), w.path("app.fin.%d.gz", w.n)
	w.must(os.WriteFile(plain, []byte(text), 0o644))
	w.finished(text)
	w.inPieces(archive, text)
	now := time.Now().Add(-time.Hour) // gzip keeps the times of the file
	w.must(os.Chtimes(archive, now, now))
	w.must(os.Remove(plain))
}

// dateExt gives a complete file its final name.
func (w *rotator) dateExt(text string) {
	w.n++
	w.must(os.WriteFile(w.path("app-%d.tmp", w.n), []byte(text), 0o644))
	w.finished(text)
	w.must(os.Rename(w.path("app-%d.tmp", w.n), w.path("app.fin-%d", w.n)))
}

// inPlace writes a file under its final name, and pauses longer than finished.idle.
func (w *rotator) inPlace(text string) {
	w.n++
	w.finished(text)
	w.inPieces(w.path("app.fin.%d", w.n), text)
}

// changed writes a file, and appends to it later; the daemon may have sent it, or be
// sending it.
func (w *rotator) changed(text string) {
	w.n++
	name := w.path("app.fin.%d", w.n)
	more := text + "appended\n"
	w.mu.Lock()
	w.rotating.changed[text] = true
	w.mu.Unlock()
	w.must(os.WriteFile(name, []byte(text), 0o644))
	w.rest(time.Second)
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		w.must(err) // it is delivered, and gone
		return
	}
	// The file is ours while it is open: the daemon removes no file that has a writer.
	if _, err := os.Lstat(name); err == nil {
		w.finished(more)
		_, err = f.WriteString("appended\n")
		w.must(err)
	}
	w.must(f.Close())
}

// inPieces writes a file in pieces, and keeps it open meanwhile.
func (w *rotator) inPieces(name, text string) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		w.t.Error(err)
		return
	}
	for i := 0; i < len(text); i += 1 + len(text)/4 {
		_, err := f.WriteString(text[i:min(len(text), i+1+len(text)/4)])
		w.must(err)
		if w.rng.IntN(20) == 0 {
			w.rest(time.Second)
		}
	}
	w.must(f.Close())
}
