package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/brokerd/brokerd/internal/verify/render"
)

// paintFor returns the colours of w.
func (v *verifyRun) paintFor(w io.Writer) render.Paint {
	p := v.Palette(w)
	return render.Paint{Good: p.Good, Bad: p.Bad, Warn: p.Warn, Dim: p.Dim, Bold: p.Bold}
}

func (v *verifyRun) text(w io.Writer) *render.Text {
	return &render.Text{W: w, Paint: v.paintFor(w), Width: console.Columns(w), Verbose: v.flags.verbose, Messages: v.flags.message}
}

// show writes a finished run in the format of the flags.
func (v *verifyRun) show(run render.Run) error {
	if v.flags.file == "" {
		return v.write(v.Out, run)
	}
	var page bytes.Buffer
	if err := v.write(&page, run); err != nil {
		return err
	}
	if err := writeWhole(v.flags.file, page.Bytes()); err != nil {
		return err
	}
	result, _ := run.Verdict()
	_, err := fmt.Fprintf(v.Err, "%s written: %s\n", v.flags.file, result)
	return err
}

func (v *verifyRun) write(w io.Writer, run render.Run) error {
	switch v.flags.out {
	case verifyJSON:
		return render.JSON(w, run, false)
	case verifyJUnit:
		return render.JUnit(w, run)
	case verifySARIF:
		return render.SARIF(w, run)
	case verifyHTML:
		return render.HTML(w, run)
	case verifyShort:
		for _, r := range run.Results {
			if err := render.Short(w, v.paintFor(w), console.Columns(w), r); err != nil {
				return err
			}
		}
		return nil
	}
	text := v.text(w)
	l := newInOrder(v.names, text)
	for i, r := range run.Results {
		for _, c := range r.Checks {
			if err := l.check(i, c); err != nil {
				return err
			}
		}
		if err := l.end(i, r); err != nil {
			return err
		}
	}
	return text.Done(run)
}

// writeWhole replaces a file by data, or leaves the file as it was.
func writeWhole(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".brokerctl-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("writing %s: %w", path, err), os.Remove(f.Name()))
		}
	}()
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Close())
	}
	// Others may read it: a report holds ARNs and policies, and no secret.
	if err := errors.Join(f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
