package verify_test

import (
	"testing"

	"github.com/brokerd/brokerd/internal/verify"
	"github.com/brokerd/brokerd/test/mistakes"
)

// Every mistake that a delivery suffers from is found, whatever else is right.
func TestEveryMistakeOfADeliveryIsFound(t *testing.T) {
	for _, m := range mistakes.All() {
		if !m.Delivery {
			continue
		}
		t.Run(m.String(), func(t *testing.T) {
			w := world(t)
			if err := m.Make(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			r, err := verifier(t, w).Run(t.Context(), w.Dest, verify.RunOptions{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.Result() == verify.Pass {
				t.Fatalf("verify finds nothing wrong: %+v", r.Checks)
			}
			got := firstProblem(t, r)
			if got.Why == "" || got.Fix.Text == "" {
				t.Errorf("%s says neither what is wrong nor what to do: %+v", got.Code, got)
			}
			t.Logf("%s %s", got.Code, got.Title)
		})
	}
}
