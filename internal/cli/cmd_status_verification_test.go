package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"google.golang.org/protobuf/types/known/timestamppb"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

func TestStatusShowsTheDaemonsOwnVerification(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	ago := func(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(now.Add(-d)) }
	show := func(v *brokerdv1.Verification) string {
		var out strings.Builder
		writeVerification(func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }, (&console.App{}).Palette(&out),
			&brokerdv1.Destination{Name: "d", Verification: v, Ready: v.GetResult() == brokerdv1.CheckResult_CHECK_RESULT_PASS}, now)
		return out.String()
	}
	for name, c := range map[string]struct {
		v    *brokerdv1.Verification
		want string
	}{
		"off": {nil, ""},
		"passed": {&brokerdv1.Verification{Result: brokerdv1.CheckResult_CHECK_RESULT_PASS, SinceTime: ago(3 * time.Hour),
			CheckTime: ago(90 * time.Second), NextTime: ago(-10 * time.Minute)},
			"  verified\t✓ passed for 3h00m; last run 1m30s ago, again in 10m00s\n"},
		"failed": {&brokerdv1.Verification{Result: brokerdv1.CheckResult_CHECK_RESULT_FAIL, SinceTime: ago(5 * time.Second),
			CheckTime: ago(5 * time.Second), NextTime: ago(-time.Minute), Problems: []*brokerdv1.VerificationProblem{
				{Code: "BRK-KMS-010", Detail: "the key policy refuses", Account: "444455556666", Artefact: "key-policy"},
			}}, "  verified\t✗ failed for 5s; last run 5s ago, again in 1m00s\n" +
			"\tBRK-KMS-010 (key-policy, account 444455556666): the key policy refuses\n"},
		"undecided, and of a newer daemon": {&brokerdv1.Verification{Result: 99, SinceTime: ago(0), CheckTime: ago(0)},
			"  verified\t? unknown for 0s; last run 0s ago\n"},
	} {
		if got := show(c.v); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

// "ready" and "verified" are two facts of different times. Where they differ, the screen
// says which is newer, and how to settle it.
func TestStatusExplainsReadinessThatDiffersFromTheVerification(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	ago := func(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(now.Add(-d)) }
	const pass, fail = brokerdv1.CheckResult_CHECK_RESULT_PASS, brokerdv1.CheckResult_CHECK_RESULT_FAIL
	for name, c := range map[string]struct {
		ready  bool
		result brokerdv1.CheckResult
		stored *timestamppb.Timestamp
		parked *timestamppb.Timestamp
		want   string
	}{
		"both good":                           {ready: true, result: pass},
		"both bad":                            {result: fail},
		"not decided":                         {ready: true, result: brokerdv1.CheckResult_CHECK_RESULT_UNKNOWN},
		"a delivery after a failed run":       {ready: true, result: fail, stored: ago(time.Second), want: "an object was stored after that run"},
		"a failed check that stops no upload": {ready: true, result: fail, stored: ago(time.Hour), want: "no failed check stops an upload"},
		"a refusal after a run that passed":   {result: pass, want: "that run was before the failure above. Verify now: brokerctl verify d"},
		"parked, and access came back":        {result: pass, parked: ago(time.Hour), want: "brokerctl spool retry -d d"},
		"parked after a run that passed":      {result: pass, parked: ago(time.Second), want: "that run was before the failure above"},
	} {
		got := disagreement(&brokerdv1.Destination{
			Name: "d", Ready: c.ready, LastStoredTime: c.stored, Spool: &brokerdv1.SpoolUsage{ParkedTime: c.parked},
			Verification: &brokerdv1.Verification{Result: c.result, CheckTime: ago(time.Minute)},
		})
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
