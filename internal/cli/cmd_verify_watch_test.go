package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/google/go-cmp/cmp"

	"github.com/brokerd/brokerd/internal/verify/render"
	"github.com/brokerd/brokerd/internal/verify/report"
)

func TestWatchPrintsALineForEachChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		b := newBench(verifyFlags{watch: 10 * time.Second}, "a", "b")
		b.answer = func(_ context.Context, d string, n int, emit func(report.Check) error) error {
			if d == "a" && n >= 3 && n < 6 {
				return emit(failed("BRK-KMS-010"))
			}
			return emit(passed("x"))
		}
		time.AfterFunc(95*time.Second, stop)
		if err := b.watch(ctx); err != nil {
			t.Errorf("Ctrl-C after a round that passed: %v", err)
		}
		var got []string
		for line := range strings.Lines(b.out.String()) {
			_, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
			got = append(got, rest)
		}
		want := []string{"✓ a passes", "✓ b passes", "✗ a fail: BRK-KMS-010 account 444455556666 (B), key policy", "✓ a passes"}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if len(b.calls) != 20 {
			t.Errorf("%d calls in 95 s at 10 s for two", len(b.calls))
		}
	})
}

func TestWatchAsJSONIsADocumentALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		b := newBench(verifyFlags{watch: time.Second, out: verifyJSON}, "a")
		b.answer = func(_ context.Context, _ string, _ int, emit func(report.Check) error) error {
			return emit(failed("BRK-KMS-010"))
		}
		time.AfterFunc(2500*time.Millisecond, stop)
		if got := console.ExitCode(b.watch(ctx)); got != console.ExitFailed {
			t.Errorf("exit code %d, want that of the last round", got)
		}
		lines := strings.Split(strings.TrimSpace(b.out.String()), "\n")
		for _, line := range lines {
			if !json.Valid([]byte(line)) {
				t.Errorf("no JSON: %s", line)
			}
		}
		if len(lines) != 3 {
			t.Errorf("%d lines", len(lines))
		}
	})
}

func TestWatchDrawsOverWhatWasThere(t *testing.T) {
	b := newBench(verifyFlags{watch: time.Second}, "a")
	w := &watcher{verifyRun: b.verifyRun, terminal: true, before: map[string]string{}}
	run := render.Run{Results: []render.Result{{Report: report.Report{Destination: "a", Checks: []report.Check{failed("BRK-KMS-010")}}}}}
	if err := w.show(run); err != nil {
		t.Fatal(err)
	}
	out := b.out.String()
	if !strings.HasPrefix(out, "\x1b[H") || !strings.HasSuffix(out, "\x1b[J") || strings.Contains(out, "\x1b[2J") {
		t.Errorf("%q", out)
	}
	if n := strings.Count(out, "\n"); n != strings.Count(out, "\x1b[K\n") || !strings.Contains(out, "BRK-KMS-010") {
		t.Errorf("%q", out)
	}
}

// The progress line never stays, and never mixes with the output.
func TestTheLiveLineMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Setenv("NO_COLOR", "1")
		var screen bytes.Buffer
		text := &render.Text{W: &screen, Paint: render.Plain()}
		l := newLive(&console.App{}, &screen, []string{"a", "b"}) // no terminal: silent
		if l.w != nil {
			t.Fatal("it speaks to what is no terminal")
		}
		l.start(&screen, (&console.App{}).Palette(&screen))
		l.around(newInOrder([]string{"a", "b"}, text))
		time.Sleep(spinEvery + time.Millisecond)
		synctest.Wait()
		if err := l.check(0, passed("it is well")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3*time.Second + time.Millisecond)
		synctest.Wait()
		if err := l.end(0, render.Result{Report: report.Report{Destination: "a", Checks: []report.Check{passed("it is well")}}}); err != nil {
			t.Fatal(err)
		}
		l.again([]string{"b"}, "not yet: "+strings.Repeat("a long reason ", 20))
		l.stop()
		l.stop()
		l.again([]string{"b"}, "too late")
		var lines []string
		for line := range strings.SplitSeq(screen.String(), "\n") {
			shown := strings.Split(line, clearLine)
			lines = append(lines, shown[len(shown)-1])
		}
		want := []string{"destination a", "  ✓ bucket: 1 passed", "  1 passed", ""}
		if d := cmp.Diff(want, lines); d != "" {
			t.Errorf("on the screen stays something else: %s\n%q", d, screen.String())
		}
		for _, want := range []string{"verifying, 0 of 2 done: a, bucket · 3s", "verifying: b", "…"} {
			if !strings.Contains(screen.String(), want) {
				t.Errorf("it never said %q: %q", want, screen.String())
			}
		}
		for part := range strings.SplitSeq(screen.String(), clearLine) {
			if n := len([]rune(part)); n > 79 && !strings.Contains(part, "\n") {
				t.Errorf("a line of %d characters would wrap on 80", n)
			}
		}
	})
}
