package verify_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/verify/report"
	"github.com/brokerd/brokerd/test/misconfig"
)

// Every fix that verify prints for a mistake of the table is applied to the documents
// of the sandbox. The finding is then gone, and the answer to every stranger of
// strangers_test.go is the same as before.
func TestNoPrintedFixOpensOrBreaksAnythingForOthers(t *testing.T) {
	for i, m := range misconfig.All() {
		if m.Finding == nil || raced && i%8 != 0 {
			continue
		}
		for _, c := range []struct{ readable, crowded bool }{{true, false}, {true, true}, {false, true}} {
			if !c.readable && m.Finding.Blind == "-" {
				continue // it does not show
			}
			t.Run(fmt.Sprintf("%s/documents=%t/others=%t", m, c.readable, c.crowded), func(t *testing.T) {
				t.Parallel()
				w := world(t)
				stageWith(t, w, m, c.crowded)
				applyEveryFix(t, w, c.readable, apply)
			})
		}
	}
}

// stageWith makes a mistake, in accounts where others have access too if crowded is set.
func stageWith(t *testing.T, w *testbed.World, m misconfig.Mistake, crowded bool) {
	t.Helper()
	stage := m.Make
	if m.Finding.Stage != nil {
		stage = m.Finding.Stage
	}
	// AWS takes no policy that names a deleted role: there, the others come first. An SCP
	// of the table keeps IAM from making others.
	first := crowded && m.Number == 27
	if first {
		addBystanders(t, w)
	}
	must(t, stage(t.Context(), w))
	if crowded && !first && m.Name != "an SCP of account A does not list KMS" {
		addBystanders(t, w)
	}
}

// applyEveryFix applies all fixes of a run that carry a statement, one after the other,
// and runs verify again, until it prints no further fix.
func applyEveryFix(t *testing.T, w *testbed.World, readable bool, apply func(*testing.T, *testbed.World, report.Check)) {
	t.Helper()
	look := func() report.Report {
		o := report.RunOptions{}
		if readable {
			o.Policies = documents(t, w, "AB")
		}
		return runWith(t, w, o)
	}
	applied := map[string]bool{}
	for range 5 {
		again := false
		for _, c := range applicable(look()) {
			change := fmt.Sprintf("%s %s: %s\n%s", c.Code, c.Artefact.Kind, c.Fix.Text, c.Fix.Patch)
			if applied[change] {
				if c.Confidence == report.Weak {
					continue // a guess, which the text says; another policy is at fault
				}
				t.Fatalf("the finding is still there after its fix:\n%s\n%s", change, c.Why)
			}
			again, applied[change] = true, true
			before := stateOf(t, w)
			if c.Confidence == report.Weak && taken(before, c) {
				continue // the text says to compare first
			}
			apply(t, w, c)
			if n := compareStates(t, w, change, before, stateOf(t, w)); n < 200 {
				t.Fatalf("compared only %d requests", n)
			}
		}
		if !again {
			return
		}
	}
	t.Errorf("verify still prints new fixes after five rounds: %+v", slices.Collect(maps.Keys(applied)))
}

// taken reports whether a document has a statement with the Sid of a new one, for others
// than the role.
func taken(s state, c report.Check) bool {
	sid := sidOf(c.Fix.Patch)
	for _, doc := range []string{s.bucket, s.key, s.trust} {
		for _, text := range statementsOf(doc) {
			if sidOf(text) == sid && !strings.Contains(string(text), ":role/"+testbed.RoleName) {
				return true
			}
		}
	}
	return false
}

func statementsOf(doc string) []json.RawMessage {
	var d struct{ Statement []json.RawMessage }
	_ = json.Unmarshal([]byte(doc), &d)
	return d.Statement
}

// applicable are the findings with a change of a statement or of the configuration.
func applicable(r report.Report) []report.Check {
	return slices.DeleteFunc(r.Fixes(), func(c report.Check) bool {
		switch c.Fix.Kind {
		case report.FixAddStatement, report.FixReplaceStatement:
			return len(c.Fix.Patch) == 0
		case report.FixRemoveStatement:
			return false
		case report.FixConfig:
			return c.Code != "BRK-ID-023" || len(c.Fix.Patch) == 0
		case report.FixSetting:
		}
		return true
	})
}
