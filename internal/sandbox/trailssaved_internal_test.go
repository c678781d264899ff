package sandbox

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/brokerd/brokerd/internal/sandbox/filltest"
)

func TestTrailsAreRestored(t *testing.T) {
	o := kernelOptions{Accounts: []string{"111122223333"}}
	was, got := newCloudTrail(newKernel(o)), newCloudTrail(newKernel(o))
	trails := map[string]*savedTrail{}
	filltest.New(t).Fill(&trails)
	was.trails["111122223333"] = trails
	data, err := was.snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if err := got.restore(data); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(was.trails, got.trails); d != "" {
		t.Error(d)
	}
}
