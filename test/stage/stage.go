// Package stage puts up, for a test, a sandbox with a working cross-account
// arrangement in it: the one that the demonstration makes, too.
package stage

import (
	"os"
	"testing"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
)

// The names of what a stage holds.
const (
	Destination = testbed.Destination
	Bucket      = testbed.Bucket
	RoleName    = testbed.RoleName
)

// Stage is the arrangement, with an HTTP client that trusts its sandbox.
type Stage struct {
	*testbed.World
	HTTP *awshttp.BuildableClient
}

// New sets the stage, or fails t. It is gone when t ends. The configuration lets
// this test's user do everything but take credentials.
func New(t testing.TB) *Stage {
	t.Helper()
	dir, err := os.MkdirTemp("", "stage") // short: a socket's path has a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	sb, err := sandbox.New(sandbox.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	sb.Start()
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Errorf("closing the sandbox: %v", err)
		}
	})
	w, err := testbed.Prepare(t.Context(), sb, dir, os.Getuid())
	if err != nil {
		t.Fatalf("setting the stage: %v", err)
	}
	if err := w.Apply(t.Context()); err != nil {
		t.Fatalf("setting the stage: %v", err)
	}
	client, err := awsclient.New(config.AWS{CABundle: w.CAPath})
	if err != nil {
		t.Fatal(err)
	}
	return &Stage{World: w, HTTP: client}
}
