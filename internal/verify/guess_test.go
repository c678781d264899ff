package verify_test

import (
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
	"github.com/brokerd/brokerd/internal/verify/report"
	"github.com/brokerd/brokerd/test/misconfig"
)

// Without the trust policy, a missing external id and a missing statement look the
// same. A statement without a condition would take the external id out of the way.
func TestAGuessAboutTheTrustPolicyNeverWeakensIt(t *testing.T) {
	w := world(t)
	must(t, testbedtest.PutTrust(t.Context(), w, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+w.UserARN+
		`"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"agreed"}}}]}`))
	got := firstProblem(t, run(t, w))
	if got.Code != "BRK-ID-020" || got.Confidence != report.Weak {
		t.Fatalf("got %s (%s): %s", got.Code, got.Confidence, got.Why)
	}
	if len(got.Fix.Patch) > 0 || got.Fix.Command != "" {
		t.Errorf("a guess is offered as a change: %s\n%s", got.Fix.Patch, got.Fix.Command)
	}
	if !strings.HasPrefix(got.Fix.Text, "First ask account") || !strings.Contains(got.Fix.Text, "external_id") {
		t.Errorf("the first advice is not the external id: %s", got.Fix.Text)
	}
}

// A weak finding never has a command, and no command has a placeholder: every printed
// command is complete.
func TestCommandsAreCompleteAndNeverAGuess(t *testing.T) {
	if testing.Short() {
		t.Skip("stages every mistake")
	}
	for _, m := range misconfig.All() {
		f := m.Finding
		if f == nil {
			continue
		}
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			w := world(t)
			stage := m.Make
			if f.Stage != nil {
				stage = f.Stage
			}
			must(t, stage(t.Context(), w))
			for _, c := range run(t, w).Checks {
				if c.Confidence == report.Weak && c.Fix.Command != "" && c.Fix.Kind != report.FixSetting {
					t.Errorf("%s is a guess with a command: %s", c.Code, c.Fix.Command)
				}
				for _, word := range strings.FieldsFunc(c.Fix.Command, func(r rune) bool { return strings.ContainsRune(" '\"={}[],:", r) }) {
					switch word {
					case "TRAIL", "LOGS", "EVENT_DATA_STORE_ID", "ACCOUNT", "BUCKET", "KEY", "NAME", "ROLE":
						t.Errorf("%s: the command has the placeholder %s: %s", c.Code, word, c.Fix.Command)
					}
				}
			}
		})
	}
}
