package recorded_test

import (
	"testing"

	"github.com/brokerd/brokerd/test/recorded"
)

// minimum is how many rows the table has at least; promises and assumptions do not count.
const minimum = 250

func TestTheTableIsComplete(t *testing.T) {
	seen, services, facts := map[string]bool{}, map[string]int{}, 0
	for _, row := range recorded.All() {
		if seen[row.ID()] {
			t.Errorf("%s is there twice", row.ID())
		}
		seen[row.ID()] = true
		if row.Name == "" || row.Source.Detail == "" || row.Want.Status == 0 {
			t.Errorf("%s: a row needs a name, a source and a status", row.ID())
		}
		if row.Source.Kind != recorded.Promise && row.Source.Kind != recorded.Assumption {
			facts++
			services[row.Service()]++
		}
	}
	if facts < minimum {
		t.Errorf("the table has %d answers of AWS, want at least %d", facts, minimum)
	}
	for _, service := range []string{"s3", "kms", "iam", "sts"} {
		if services[service] == 0 {
			t.Errorf("the table has no row of %s", service)
		}
	}
	t.Logf("answers of AWS by service: %v", services)
}
