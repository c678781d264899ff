package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/google/go-cmp/cmp"

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
