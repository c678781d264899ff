package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/verify/collect"
	"github.com/brokerd/brokerd/internal/verify/render"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// bench is verify over destinations that a test makes up.
type bench struct {
	*verifyRun
	out, err bytes.Buffer

	mu     sync.Mutex
	calls  []string
	most   int // at a time
	now    int
	answer func(ctx context.Context, destination string, n int, emit func(report.Check) error) error
}

func newBench(f verifyFlags, names ...string) *bench {
	b := &bench{}
	if f.out == "" {
		f.out = verifyText
	}
	counts := map[string]int{}
	backend := &verifyBackend{title: "a test",
		verify: func(ctx context.Context, d string, o report.RunOptions, emit func(report.Check) error) (report.Report, error) {
			b.mu.Lock()
			counts[d]++
			n := counts[d]
			call := d
			if o.Canary {
				call += " canary"
			}
			b.calls = append(b.calls, call)
			b.now++
			b.most = max(b.most, b.now)
			b.mu.Unlock()
			out := report.Report{Destination: d}
			err := b.answer(ctx, d, n, func(c report.Check) error {
				out.Checks = append(out.Checks, c)
				return emit(c)
			})
			b.mu.Lock()
			b.now--
			b.mu.Unlock()
			return out, err
		}}
	b.verifyRun = &verifyRun{
		App: &console.App{Streams: console.Streams{Out: &b.out, Err: &b.err}}, backend: backend, names: names, flags: f,
		options: func(string) report.RunOptions { return report.RunOptions{} },
	}
	return b
}

func passed(title string) report.Check {
	return report.Check{ID: "BRK-S3-001", Code: "BRK-S3-001", Category: "bucket", Title: title, Result: report.Pass}
}

func failed(code string) report.Check {
	return report.Check{ID: "BRK-S3-002", Code: code, Category: "delivery", Title: "it may write", Result: report.Fail,
		Account: report.Account{ID: "444455556666", Side: report.SideB}, Artefact: report.Artefact{Kind: report.ArtefactKeyPolicy}}
}

// Fifty destinations end in any order, several at once. The output keeps the order of
// the arguments.
func TestManyDestinationsAreVerifiedAtOnceAndPrintedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var names []string
		for i := range 50 {
			names = append(names, fmt.Sprintf("d%02d", i))
		}
		b := newBench(verifyFlags{verbose: true}, names...)
		b.answer = func(_ context.Context, d string, _ int, emit func(report.Check) error) error {
			for i := range 3 {
				time.Sleep(time.Duration(50-int(d[1]-'0')*10-int(d[2]-'0')) * time.Millisecond) // later ones are quicker
				if err := emit(passed(fmt.Sprintf("%s step %d", d, i))); err != nil {
					return err
				}
			}
			return nil
		}
		if err := b.once(t.Context()); err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, d := range names {
			for i := range 3 {
				want = append(want, fmt.Sprintf("%s step %d", d, i))
			}
		}
		var got []string
		for line := range strings.SplitSeq(b.out.String(), "\n") {
			if _, step, ok := strings.Cut(line, "✓ d"); ok {
				got = append(got, "d"+step)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if b.most != verifyAtOnce {
			t.Errorf("%d at a time, want %d", b.most, verifyAtOnce)
		}
		if !strings.HasSuffix(b.out.String(), "✓ 50 of 50 destinations passed\n") {
			t.Errorf("it ends with %q", b.out.String()[max(0, b.out.Len()-80):])
		}
	})
}

// The checks of the first destination are printed as soon as their category ends; those
// of the others wait.
func TestTextIsPrintedAsItComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(verifyFlags{verbose: true}, "a", "b")
		looked := make(chan struct{})
		b.answer = func(_ context.Context, d string, _ int, emit func(report.Check) error) error {
			if err := emit(passed("of " + d)); err != nil || d == "b" {
				return err
			}
			next := passed("the next category")
			next.Category = "delivery"
			if err := emit(next); err != nil {
				return err
			}
			<-looked
			return nil
		}
		done := make(chan error)
		go func() { done <- b.once(t.Context()) }()
		synctest.Wait()
		if out := b.out.String(); !strings.Contains(out, "of a") || strings.Contains(out, "of b") {
			t.Errorf("while a is under way there stands %q", out)
		}
		close(looked)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.out.String(), "of b") {
			t.Error("b is missing")
		}
	})
}

func TestExitCodesOfVerify(t *testing.T) {
	unknown := report.Check{ID: "BRK-X-1", Code: "BRK-X-1", Result: report.Unknown}
	advisory := unknown
	advisory.Advisory = true
	for _, c := range []struct {
		name   string
		checks []report.Check
		err    error
		want   int
	}{
		{"all pass", []report.Check{passed("x")}, nil, console.ExitOK},
		{"one fails", []report.Check{passed("x"), failed("BRK-KMS-010"), unknown}, nil, console.ExitFailed},
		{"one is unknown", []report.Check{passed("x"), unknown}, nil, console.ExitOpen},
		{"one is undecided and no result depends on it", []report.Check{passed("x"), advisory}, nil, console.ExitOK},
		{"it could not run", nil, errors.New("no daemon"), console.ExitNoRun},
		{"it was cut off", []report.Check{passed("x")}, errors.New("no daemon any more"), console.ExitNoRun},
		{"it was cut off after a failure", []report.Check{failed("BRK-KMS-010")}, errors.New("no daemon any more"), console.ExitFailed},
		{"nothing was checked", nil, nil, console.ExitOpen},
	} {
		for _, out := range []verifyFormat{verifyText, verifyShort, verifyJSON, verifyJUnit, verifySARIF, verifyHTML} {
			b := newBench(verifyFlags{out: out}, "a")
			b.answer = func(_ context.Context, _ string, _ int, emit func(report.Check) error) error {
				for _, check := range c.checks {
					if err := emit(check); err != nil {
						return err
					}
				}
				return c.err
			}
			if got := console.ExitCode(b.once(t.Context())); got != c.want {
				t.Errorf("%s, -o %s: exit code %d, want %d", c.name, out, got, c.want)
			}
		}
	}
}

func TestInterruptedIsNoResult(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := newBench(verifyFlags{}, "a")
	b.answer = func(ctx context.Context, _ string, _ int, _ func(report.Check) error) error {
		cancel()
		return ctx.Err()
	}
	if got := console.ExitCode(b.once(ctx)); got != console.ExitSignal {
		t.Errorf("exit code %d, want %d", got, console.ExitSignal)
	}
}

// Only the last round is shown, what passes is not asked again, and the object is
// stored once, at the end.
func TestWaitVerifiesWhatDoesNotPassAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(verifyFlags{out: verifyJSON, wait: 2 * time.Minute, canary: true}, "slow", "well")
		b.answer = func(_ context.Context, d string, n int, emit func(report.Check) error) error {
			if d == "slow" && n <= 3 {
				return emit(failed("BRK-KMS-010"))
			}
			return emit(passed("it is well"))
		}
		began := time.Now()
		if err := b.waiting(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != firstPause+2*firstPause+4*firstPause {
			t.Errorf("it took %v", took)
		}
		slices.Sort(b.calls[:2])
		slices.Sort(b.calls[len(b.calls)-2:])
		if d := cmp.Diff([]string{"slow", "well", "slow", "slow", "slow", "slow canary", "well canary"}, b.calls); d != "" {
			t.Error(d)
		}
		var doc struct {
			Result       string
			Destinations []struct{ Checks []report.Check }
		}
		if err := json.Unmarshal(b.out.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		if doc.Result != "pass" || len(doc.Destinations) != 2 || len(doc.Destinations[0].Checks) != 1 ||
			strings.Contains(b.out.String(), "BRK-KMS-010") {
			t.Errorf("an earlier round is in the output: %s", b.out.String())
		}
		if n := strings.Count(b.err.String(), "not yet: slow BRK-KMS-010"); n != 1 {
			t.Errorf("what it waits for is said %d times: %q", n, b.err.String())
		}
	})
}

func TestWaitEndsWithItsTimeAndSaysWhatIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(verifyFlags{wait: 30 * time.Second, canary: true}, "a")
		b.answer = func(_ context.Context, _ string, _ int, emit func(report.Check) error) error {
			return emit(failed("BRK-KMS-010"))
		}
		began := time.Now()
		if got := console.ExitCode(b.waiting(t.Context())); got != console.ExitFailed {
			t.Errorf("exit code %d", got)
		}
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("it took %v", took)
		}
		if slices.ContainsFunc(b.calls, func(s string) bool { return strings.Contains(s, "canary") }) {
			t.Error("an object was stored although nothing passes")
		}
		if n := strings.Count(b.out.String(), "destination a"); n != 1 {
			t.Errorf("%d rounds are shown", n)
		}
	})
}

func TestWaitDoesNotAskForWhatNoWaitingHelps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(verifyFlags{wait: time.Hour}, "a")
		b.answer = func(context.Context, string, int, func(report.Check) error) error {
			return &client.Error{Code: codes.NotFound, Reason: "UNKNOWN_DESTINATION"}
		}
		if got := console.ExitCode(b.waiting(t.Context())); got != console.ExitNoRun || len(b.calls) != 1 {
			t.Errorf("exit code %d after %d calls", got, len(b.calls))
		}
		// A daemon that is about to start is another matter.
		b = newBench(verifyFlags{wait: time.Hour}, "a")
		b.answer = func(_ context.Context, _ string, n int, emit func(report.Check) error) error {
			if n == 1 {
				return &client.Error{Code: codes.Unavailable}
			}
			return emit(passed("x"))
		}
		if got := console.ExitCode(b.waiting(t.Context())); got != console.ExitOK || len(b.calls) != 2 {
			t.Errorf("exit code %d after %d calls", got, len(b.calls))
		}
	})
}

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
		l := newLive(&screen, []string{"a", "b"}) // no terminal: silent
		if l.w != nil {
			t.Fatal("it speaks to what is no terminal")
		}
		l.start(&screen)
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

func TestFlagsThatContradictEachOther(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		f        verifyFlags
		terminal bool
		want     string
	}{
		"nothing":                    {verifyFlags{out: verifyText}, true, ""},
		"standalone without a file":  {verifyFlags{standalone: true}, false, "--standalone needs --config"},
		"a file without standalone":  {verifyFlags{config: "x"}, false, "--config is for --standalone"},
		"a page on a terminal":       {verifyFlags{out: verifyHTML}, true, "--output-file"},
		"a page that is redirected":  {verifyFlags{out: verifyHTML}, false, ""},
		"a page in a file":           {verifyFlags{out: verifyHTML, file: "r.html"}, true, ""},
		"watch and wait":             {verifyFlags{out: verifyText, watch: time.Minute, wait: time.Minute}, true, "use either --watch or --wait"},
		"watch and canary":           {verifyFlags{out: verifyText, watch: time.Minute, canary: true}, true, "leave an object"},
		"watch as JUnit":             {verifyFlags{out: verifyJUnit, watch: time.Minute}, true, "--watch works with"},
		"watch without a pause":      {verifyFlags{out: verifyText, watch: time.Millisecond}, true, "too often"},
		"a wait into the past":       {verifyFlags{wait: -time.Second}, true, "--wait takes"},
		"policies that are a file":   {verifyFlags{policies: policyFlags{dir: "cmd_verify_test.go"}}, true, "not a directory"},
		"policies that are nowhere":  {verifyFlags{policies: policyFlags{dir: filepath.Join(dir, "no")}}, true, "no such file"},
		"policies in a directory":    {verifyFlags{policies: policyFlags{dir: dir}}, true, ""},
		"watch as JSON":              {verifyFlags{out: verifyJSON, watch: time.Minute}, true, ""},
		"watch into a file":          {verifyFlags{out: verifyText, watch: time.Minute, file: "x"}, true, "without --output-file"},
		"waiting for a real object":  {verifyFlags{out: verifyText, wait: time.Minute, canary: true}, true, ""},
		"standalone with everything": {verifyFlags{out: verifyText, standalone: true, config: "x"}, true, ""},
	} {
		err := c.f.check(c.terminal)
		if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestPoliciesOfADirectory(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"key-policy.json": `{"shared":1}`, "boundary.json": "\n",
		"audit-logs/key-policy.json": `{"own":1}`} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := newBench(verifyFlags{policies: policyFlags{dir: dir}}, "audit-logs", "other")
	options, err := verifyOptions(t.Context(), b.App, b.flags, b.backend, b.names)
	if err != nil {
		t.Fatal(err)
	}
	key := func(destination string) string {
		for _, d := range options(destination).Policies.Documents {
			if d.Kind == report.DocumentKeyPolicy {
				return d.Text
			}
		}
		return ""
	}
	if own, shared := key("audit-logs"), key("other"); own != `{"own":1}` || shared != `{"shared":1}` {
		t.Errorf("its own directory gives %s, the others get %s", own, shared)
	}
	if n := len(options("other").Policies.Documents); n != 2 {
		t.Errorf("%d documents, want the key policy and the boundary that is said not to be", n)
	}
	// A directory without any is a mistake, and is said.
	b = newBench(verifyFlags{policies: policyFlags{dir: t.TempDir()}}, "a")
	if _, err := verifyOptions(t.Context(), b.App, b.flags, b.backend, b.names); !errors.Is(err, collect.ErrNoPolicies) {
		t.Errorf("%v", err)
	}
}

func TestAFileIsWrittenWholeOrNotAtAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.html")
	b := newBench(verifyFlags{out: verifyHTML, file: path}, "a")
	b.answer = func(_ context.Context, _ string, _ int, emit func(report.Check) error) error {
		return emit(failed("BRK-KMS-010"))
	}
	if got := console.ExitCode(b.once(t.Context())); got != console.ExitFailed {
		t.Errorf("exit code %d", got)
	}
	page, err := os.ReadFile(path)
	if err != nil || !bytes.HasPrefix(page, []byte("<!DOCTYPE html>")) || !bytes.HasSuffix(page, []byte("</html>\n")) {
		t.Errorf("%d bytes, %v", len(page), err)
	}
	if b.out.Len() > 0 || !strings.Contains(b.err.String(), "report.html written: fail") {
		t.Errorf("output %q, errors %q", b.out.String(), b.err.String())
	}
	b = newBench(verifyFlags{out: verifyHTML, file: filepath.Join(path, "no", "directory")}, "a")
	b.answer = func(_ context.Context, _ string, _ int, emit func(report.Check) error) error {
		return emit(passed("x"))
	}
	if got := console.ExitCode(b.once(t.Context())); got != console.ExitNoRun {
		t.Errorf("a file that cannot be written: exit code %d", got)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files are there, %v", len(entries), err)
	}
}
