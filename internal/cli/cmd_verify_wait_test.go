package cli

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/verify/report"
)

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
