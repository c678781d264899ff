package daemon

import (
	"testing"

	"go.uber.org/goleak"
)

// No goroutine outlives the tests: neither a delivery nor a listener.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
