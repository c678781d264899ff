package s3client_test

import (
	"testing"

	"go.uber.org/goleak"
)

// No goroutine outlives the tests: neither a sender nor a connection's.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
