package sandbox

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGuardrailsAreRestored(t *testing.T) {
	o := kernelOptions{Accounts: []string{"111122223333"}}
	was, got := newKernel(o), newKernel(o)
	g := Guardrails{OrganizationID: "o-abcdefghij", ServiceControl: []string{fullAccess}, ResourceControl: []string{fullAccess}}
	if err := was.setGuardrails("111122223333", g); err != nil {
		t.Fatal(err)
	}
	data, err := was.snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if err := got.restore(data); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&g, got.guardrailsGiven("111122223333")); d != "" {
		t.Error(d)
	}
	if len(got.serviceControl("111122223333")) != 1 {
		t.Error("the restored service control policies are not in force")
	}
}
