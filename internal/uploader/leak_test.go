package uploader_test

import (
	"testing"

	"go.uber.org/goleak"
)

// No goroutine outlives the tests, neither of a sender nor of a connection.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
