package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/brokerd/brokerd/internal/verify/render"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// watch verifies repeatedly until ctx ends. On a terminal it redraws the picture;
// elsewhere it prints a line for each change. JSON is one document in one line for
// each round. The exit code is that of the last round.
func (v *verifyRun) watch(ctx context.Context) error {
	w := &watcher{verifyRun: v, terminal: console.IsTerminal(v.Out), before: make(map[string]string)}
	var last error
	for {
		began := time.Now()
		run, err := v.all(ctx, v.names, false, newLive(v.App, io.Discard, v.names))
		if ctx.Err() != nil {
			return last // Ctrl-C ends a watch
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

// watcher shows rounds.
type watcher struct {
	*verifyRun
	terminal bool
	before   map[string]string // the last line, by destination
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

// draw overwrites the last picture line by line, so that the screen does not flicker.
func (w *watcher) draw(run render.Run) error {
	var page bytes.Buffer
	p := w.paintFor(w.Out)
	_, _ = fmt.Fprintf(&page, "%s\n\n", p.Dim(fmt.Sprintf("every %v · %s · Ctrl-C ends it", w.flags.watch, run.Started.Format("15:04:05"))))
	for _, r := range run.Results {
		_, _ = fmt.Fprintln(&page, console.Fit(w.Out, standing(p, r)))
	}
	page.WriteString("\n")
	for _, r := range run.Results {
		if err := render.Short(&page, p, console.Columns(w.Out), r); err != nil {
			return err
		}
	}
	const home, restOfLine, restOfScreen = "\x1b[H", "\x1b[K\n", "\x1b[J"
	_, err := io.WriteString(w.Out, home+strings.ReplaceAll(page.String(), "\n", restOfLine)+restOfScreen)
	return err
}

// lines prints a line for each destination whose state changed.
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

// standing formats the state of a destination in a line.
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
