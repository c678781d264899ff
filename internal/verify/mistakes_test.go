package verify_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/verify/report"
	"github.com/brokerd/brokerd/test/misconfig"
)

// Every failure mode is found: with the policies at hand down to the statement,
// without them as far as AWS's answers tell. The printed fix repairs it.
func TestEveryMistakeIsFoundAndItsPrintedFixWorks(t *testing.T) {
	seen := map[int]bool{}
	for _, m := range misconfig.All() {
		f := m.Finding
		if f == nil {
			continue
		}
		seen[m.Number] = true
		for _, readable := range []bool{true, false} {
			if !readable && f.Blind == "-" {
				continue
			}
			name := m.String() + "/without documents"
			if readable {
				name = m.String() + "/with documents"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := world(t)
				stage := m.Make
				if f.Stage != nil {
					stage = f.Stage
				}
				must(t, stage(t.Context(), w))
				look := func() report.Report {
					o := report.RunOptions{}
					if readable {
						o.Policies = documents(t, w, "AB")
					}
					return runWith(t, w, o)
				}
				r := look()
				got := expect(t, w, r, f, readable)
				if got.Why == "" || got.Fix.Text == "" || got.Docs == "" {
					t.Errorf("%s says neither what is wrong nor what to do: %+v", got.Code, got)
				}
				left := w.Sandbox.MultipartUploads(testbed.Bucket)
				if len(left) > 0 && !strings.Contains(got.Why, "left behind") {
					t.Errorf("%d multipart uploads left behind", len(left))
				}
				if f.Repair == misconfig.ByHand || f.Repair == misconfig.ByStatement && !readable {
					return
				}
				repaired(t, w, r, look)
			})
		}
	}
	for n := 1; n <= 58; n++ {
		if _, reason := misconfig.Impossible()[n]; !seen[n] && !reason {
			t.Errorf("failure mode %d has neither a row with a finding nor a reason", n)
		}
	}
}

// expect returns the record of a mistake, and compares it with the finding of the row.
func expect(t *testing.T, w *testbed.World, r report.Report, f *misconfig.Finding, readable bool) report.Check {
	t.Helper()
	code, kind, result := f.Code, f.Kind, report.Fail
	side := f.Side
	if !readable {
		if f.Blind != "" {
			code = f.Blind
		}
		if f.BlindKind != "" {
			kind = f.BlindKind
		}
		if f.BlindSide != "" {
			side = f.BlindSide
		}
	}
	if f.Result != "" {
		result = report.Result(f.Result)
	}
	var all []string
	at := slices.IndexFunc(r.Checks, func(c report.Check) bool { return c.Code == code && c.Result == result && c.Artefact.Kind == kind })
	for _, c := range r.Checks {
		if c.Result == report.Fail || c.Result == report.Warn || c.Result == report.Unknown && !c.Advisory {
			all = append(all, string(c.Result)+" "+c.ID+" "+c.Code+" "+c.Artefact.Kind+": "+c.Why)
		}
	}
	if at < 0 {
		t.Fatalf("want %s %s %s, got\n%s", result, code, kind, strings.Join(all, "\n"))
	}
	got := r.Checks[at]
	account := map[string]string{"A": w.Sandbox.AccountA(), "B": w.Sandbox.AccountB()}[side]
	if strings.HasPrefix(kind, "identity or") || kind == "unseen policy" {
		account = got.Account.ID // either of both
	}
	if got.Account.ID != account || account != "" && !strings.HasPrefix(kind, "identity or") && string(got.Account.Side) != side {
		t.Errorf("account %+v, want %s %q", got.Account, side, account)
	}
	if readable && f.Statement != "" &&
		(got.Artefact.Statement == nil || got.Artefact.Statement.Sid != f.Statement || got.Artefact.Statement.Text == "") {
		t.Errorf("statement %+v, want %s", got.Artefact.Statement, f.Statement)
	}
	// One fault is told as one: whatever else fails follows from it.
	for _, c := range r.Checks {
		if c.Result == report.Fail && c.Confirms == "" && c.Code != code && !related(c.Code, code) {
			t.Errorf("beside it fails %s %s: %s", c.ID, c.Code, c.Why)
		}
	}
	return got
}

// related codes come together: the same mistake in both policies, or a host
// whose clock or network no later check can do without.
func related(a, b string) bool {
	for _, group := range [][]string{
		{"BRK-S3-025", "BRK-KMS-018"}, {"BRK-S3-011", "BRK-CFG-010"}, {"BRK-CFG-010", "BRK-ID-020", "BRK-ID-021"},
	} {
		if slices.Contains(group, a) && slices.Contains(group, b) {
			return true
		}
	}
	return false
}
