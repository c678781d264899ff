package verify_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/verify/report"
	"github.com/brokerd/brokerd/test/misconfig"
)

// One fault in account A and one in account B: one run tells both.
func TestFaultsInBothAccountsAreFoundInOneRun(t *testing.T) {
	rows := map[string]misconfig.Mistake{}
	for _, m := range misconfig.All() {
		rows[m.Name] = m
	}
	inA := []string{
		"the role's policy lacks s3:PutObject", "the role's policy is about another prefix", "the role's policy lacks kms:GenerateDataKey",
		"the role's policy lacks kms:Decrypt: parts are not", "the role's policy names the key by an alias",
		"the trust policy names somebody else", "the role's boundary knows nothing of KMS",
		"the role's policy is bound to a network: S3's call to KMS comes from none",
	}
	inB := []string{
		"the bucket policy does not let the role write", "there is no bucket policy", "the bucket policy is about another prefix",
		"a legacy policy wants the ACL bucket-owner-full-control", "a public statement beside the role's, with RestrictPublicBuckets",
		"the key policy does not let the role in", "the key policy is for S3 of another Region",
		"the key policy wants the object's ARN, and bucket keys are on", "the key is disabled",
	}
	for i, a := range inA {
		for j, b := range inB {
			if (i+j)%2 != 0 || raced && (i+j)%4 != 0 {
				continue // every fault meets half of the other side's
			}
			t.Run(a+" and "+b, func(t *testing.T) {
				t.Parallel()
				w := world(t)
				for _, name := range []string{a, b} {
					m, ok := rows[name]
					if !ok {
						t.Fatalf("there is no row %q", name)
					}
					must(t, m.Make(t.Context(), w))
				}
				look := func() report.Report {
					return runWith(t, w, report.RunOptions{Policies: documents(t, w, "AB")})
				}
				r := look()
				for _, name := range []string{a, b} {
					f := rows[name].Finding
					if !slices.ContainsFunc(r.Fixes(), func(c report.Check) bool { return c.Code == f.Code && string(c.Account.Side) == f.Side }) {
						t.Errorf("%s of account %s is not told: %s", f.Code, f.Side, codesOf(r))
					}
				}
				if b := rows[b].Finding; len(r.Messages) != 1 || r.Messages[0].Account.Side != report.SideB ||
					!strings.Contains(r.Messages[0].Text, b.Code) {
					t.Errorf("the message to account B does not tell of %s: %+v", b.Code, r.Messages)
				}
				if rows[b].Finding.Repair != misconfig.ByHand {
					repaired(t, w, r, look)
				}
			})
		}
	}
}

// The trust policy keeps verify from asking as the role that was made again. Each
// statement that names the old role has one fix, and the fixes work in any order.
func TestADeletedRoleHasOneFixAStatementWithoutItsCalls(t *testing.T) {
	w := world(t)
	for _, name := range []string{"the role was deleted and made again", "the trust policy names somebody else"} {
		all := misconfig.All()
		i := slices.IndexFunc(all, func(m misconfig.Mistake) bool { return m.Name == name })
		if i < 0 {
			t.Fatalf("there is no row %q", name)
		}
		must(t, all[i].Make(t.Context(), w))
	}
	look := func() report.Report { return runWith(t, w, report.RunOptions{Policies: documents(t, w, "AB")}) }
	r := look()
	seen := map[string]int{}
	for _, c := range r.Fixes() {
		seen[c.Code]++
		if c.Fix.Kind == report.FixRemoveStatement {
			t.Errorf("%s removes a statement that another fix replaces: %s", c.Code, c.Fix.Text)
		}
	}
	if seen["BRK-S3-025"] != 1 || seen["BRK-KMS-018"] != 1 {
		t.Errorf("each policy wants one fix: %v", seen)
	}
	repaired(t, w, r, look)
}

// Without documents, a bare refusal is of either account. The message to account B then
// asks for a check, and does not claim that B has to change its policy.
func TestTheMessageOfABareRefusalBlamesNeitherAccount(t *testing.T) {
	for _, c := range []struct{ mistake, subject, text string }{
		{"the role's policy lacks s3:PutObject", "1 possible change", "your account or in account 111122223333"},
		{"the bucket policy does not let the role write", "1 possible change", "your account or in account 111122223333"},
		{"the key policy does not let the role in", "1 necessary change", "until your account changes"},
		{"the role's policy lacks kms:GenerateDataKey", "", ""},
	} {
		t.Run(c.mistake, func(t *testing.T) {
			t.Parallel()
			w := world(t)
			all := misconfig.All()
			i := slices.IndexFunc(all, func(m misconfig.Mistake) bool { return m.Name == c.mistake })
			if i < 0 {
				t.Fatalf("there is no row %q", c.mistake)
			}
			must(t, all[i].Make(t.Context(), w))
			r := runWith(t, w, report.RunOptions{})
			// The command that decides also has to work before there is a daemon.
			fix := firstProblem(t, r).Fix.Text
			if strings.Contains(fix, "--target-profile") != strings.Contains(fix, "--standalone --config FILE") {
				t.Errorf("the command needs a daemon: %s", fix)
			}
			if c.subject == "" {
				if len(r.Messages) > 0 {
					t.Errorf("account B has no part in it, and gets %+v", r.Messages)
				}
				return
			}
			if len(r.Messages) != 1 || !strings.Contains(r.Messages[0].Subject, c.subject) || !strings.Contains(r.Messages[0].Text, c.text) {
				t.Errorf("want one message with %q and %q: %+v", c.subject, c.text, r.Messages)
			}
		})
	}
}

func codesOf(r report.Report) string {
	var out []string
	for _, c := range r.Fixes() {
		out = append(out, string(c.Result)+" "+c.Code)
	}
	return strings.Join(out, ", ")
}

// Who can read account A only, or account B only, is told what of it is wrong,
// and where the rest must be.
func TestOneReadableAccountNarrowsTheOther(t *testing.T) {
	for _, c := range []struct{ name, sides, mistake, code, side, kind string }{
		{"the bucket policy, from account A", "A", "the bucket policy does not let the role write", "BRK-S3-021", "B",
			report.ArtefactBucketPolicy},
		{"the role's policy, from account B", "B", "the role's policy lacks s3:PutObject", "BRK-S3-020", "A", report.ArtefactIdentity},
		{"the key policy, from account A", "A", "the key policy does not let the role in", "BRK-KMS-010", "B", report.ArtefactKeyPolicy},
		{"the role's policy behind a key policy that delegates, from account B", "B",
			"the key policy lets the account in, and the role's policy lacks KMS: the key policy is blamed", "BRK-KMS-011", "A",
			report.ArtefactIdentity},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := world(t)
			for _, m := range misconfig.All() {
				if m.Name == c.mistake {
					must(t, m.Make(t.Context(), w))
				}
			}
			r := runWith(t, w, report.RunOptions{Policies: documents(t, w, c.sides)})
			got := firstProblem(t, r)
			if got.Code != c.code || string(got.Account.Side) != c.side || got.Artefact.Kind != c.kind {
				t.Errorf("got %s %s %s: %s", got.Code, got.Account.Side, got.Artefact.Kind, got.Why)
			}
			repaired(t, w, r, func() report.Report {
				return runWith(t, w, report.RunOptions{Policies: documents(t, w, c.sides)})
			})
		})
	}
}

// With the documents of one account, a finding about the other account is weak unless
// it is true.
func TestNothingIsClaimedAboutTheWrongAccount(t *testing.T) {
	if testing.Short() {
		t.Skip("some hundred and fifty runs")
	}
	for i, m := range misconfig.All() {
		f := m.Finding
		if raced && i%4 != 0 {
			continue
		}
		if f == nil || f.Blind == "-" || f.Result != "" || f.Code == "BRK-ID-027" {
			continue // of a role that is not there, account B's policies do not speak either
		}
		// Without any document, see TestEveryMistakeIsFoundAndItsPrintedFixWorks.
		for _, sides := range []string{"A", "B"} {
			t.Run(m.String()+"/reading "+sides, func(t *testing.T) {
				t.Parallel()
				w := world(t)
				stage := m.Make
				if f.Stage != nil {
					stage = f.Stage
				}
				must(t, stage(t.Context(), w))
				for _, c := range runWith(t, w, report.RunOptions{Policies: documents(t, w, sides)}).Checks {
					if c.Result != report.Fail || c.Confidence == report.Weak || c.Account.ID == "" || c.Code == f.Code || related(c.Code, f.Code) {
						continue
					}
					if string(c.Account.Side) != f.Side {
						t.Errorf("%s is %s about account %s, and the fault is %s in %q: %s", c.Code, c.Confidence, c.Account.Side, f.Code, f.Side, c.Why)
					}
				}
			})
		}
	}
}
