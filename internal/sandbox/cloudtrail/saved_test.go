package cloudtrail

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/brokerd/brokerd/internal/sandbox/filltest"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

func TestTrailsAreRestored(t *testing.T) {
	o := kernel.Options{Accounts: []string{"111122223333"}}
	was, got := New(kernel.New(o)), New(kernel.New(o))
	trails := map[string]*savedTrail{}
	filltest.New(t).Fill(&trails)
	was.trails["111122223333"] = trails
	data, err := was.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Restore(data); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(was.trails, got.trails); d != "" {
		t.Error(d)
	}
}
