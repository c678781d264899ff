package awsaccounts_test

import (
	"testing"

	"github.com/brokerd/brokerd/internal/setup"
)

func TestFromNothing(t *testing.T) {
	w := newWorld(t)
	cfg, a := w.config(t), w.connect(t)
	p := w.plan(t, a, cfg, setup.PlanOptions{})
	for _, c := range p.Proof {
		if c.Verdict != setup.Holds {
			t.Errorf("%+v", c)
		}
	}
	if len(p.Unknown()) > 0 || len(p.Warnings) > 0 || !p.Pending() {
		t.Errorf("unknown %+v, warnings %+v, pending %v", p.Unknown(), p.Warnings, p.Pending())
	}
	w.apply(t, a, p)
	w.verified(t, cfg)

	again := w.plan(t, a, cfg, setup.PlanOptions{})
	for _, c := range again.Changes {
		if c.Op != setup.OpKeep {
			t.Errorf("second plan: %s %s of %s: %s -> %s (%s)", c.Op, c.Kind, c.ARN, c.Before, c.After, c.Reason)
		}
	}
}
