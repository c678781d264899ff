package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/verify/render"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// watch verifies again and again until ctx ends: on a terminal the picture is
// drawn anew, elsewhere there is a line for each change; JSON is one document a
// round, in a line of its own. It ends as the last round did.
func (v *verifyRun) watch(ctx context.Context) error {
	w := &watcher{verifyRun: v, terminal: isTerminal(v.Out), before: make(map[string]string)}
	var last error
	for {
		began := time.Now()
		run, err := v.all(ctx, v.names, false, newLive(io.Discard, v.names))
		if ctx.Err() != nil {
			return last // Ctrl-C is how watching ends
		}
		if err == nil {
			err = w.show(run)
		}
		if err != nil {
			return cannotRun(err)
		}
		last = exitOf(run)
		select {
		case <-ctx.Done():
			return last
		case <-time.After(max(0, v.flags.watch-time.Since(began))):
		}
	}
}

// watcher shows one round after the other.
type watcher struct {
	*verifyRun
	terminal bool
	before   map[string]string // by destination: what the last line said
}

func (w *watcher) show(run render.Run) error {
	switch {
	case w.flags.out == verifyJSON:
		return render.JSON(w.Out, run, true)
	case w.terminal:
		return w.draw(run)
	}
	return w.lines(run)
}

// draw paints over the last picture line by line, so that nothing flickers.
func (w *watcher) draw(run render.Run) error {
	var page bytes.Buffer
	p := paintFor(w.Out)
	_, _ = fmt.Fprintf(&page, "%s\n\n", p.Dim(fmt.Sprintf("every %v · %s · Ctrl-C ends it", w.flags.watch, run.Started.Format("15:04:05"))))
	for _, r := range run.Results {
		_, _ = fmt.Fprintln(&page, standing(p, r))
	}
	page.WriteString("\n")
	for _, r := range run.Results {
		if err := render.Short(&page, p, r); err != nil {
			return err
		}
	}
	const home, restOfLine, restOfScreen = "\x1b[H", "\x1b[K\n", "\x1b[J"
	_, err := io.WriteString(w.Out, home+strings.ReplaceAll(page.String(), "\n", restOfLine)+restOfScreen)
	return err
}

// lines prints a line for each destination whose state is not what it was.
func (w *watcher) lines(run render.Run) error {
	for _, r := range run.Results {
		line := standing(render.Plain(), r)
		if w.before[r.Destination] == line {
			continue
		}
		w.before[r.Destination] = line
		if _, err := fmt.Fprintf(w.Out, "%s %s\n", time.Now().UTC().Format(time.RFC3339), line); err != nil {
			return err
		}
	}
	return nil
}

// standing is a destination's state in a line.
func standing(p render.Paint, r render.Result) string {
	text := fmt.Sprintf("%s %s", p.Mark(r.Verdict()), p.Bold(r.Destination))
	if r.Verdict() == report.Pass {
		return text + " passes"
	}
	var parts []string
	for _, problem := range render.Problems(r.Report) {
		if problem.Result != report.Warn {
			parts = append(parts, problem.Code+" "+render.Where(problem.Check))
		}
	}
	if r.Err != nil {
		parts = append(parts, r.Err.Error())
	}
	return text + " " + string(r.Verdict()) + ": " + strings.Join(parts, "; ")
}
