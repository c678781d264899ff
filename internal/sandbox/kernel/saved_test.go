package kernel

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGuardrailsAreRestored(t *testing.T) {
	o := Options{Accounts: []string{"111122223333"}}
	was, got := New(o), New(o)
	g := Guardrails{OrganizationID: "o-abcdefghij", ServiceControl: []string{fullAccess}, ResourceControl: []string{fullAccess}}
	if err := was.SetGuardrails("111122223333", g); err != nil {
		t.Fatal(err)
	}
	data, err := was.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Restore(data); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&g, &got.guardrailsOf("111122223333").given); d != "" {
		t.Error(d)
	}
	if len(got.ServiceControl("111122223333")) != 1 {
		t.Error("the restored service control policies are not in force")
	}
}
