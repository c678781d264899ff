// Package testbedtest starts a sandbox with a working cross-account arrangement
// for a test. It is to testbed what httptest is to net/http: brokerctl links
// testbed for its demonstration, so the helpers that need package testing live here.
package testbedtest

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
)

// Bed is the arrangement, with an HTTP client that trusts its sandbox.
type Bed struct {
	*testbed.World
	HTTP *awshttp.BuildableClient
}

// New starts a sandbox, applies the arrangement, and removes both when t ends.
// It fails t if either cannot be done. The configuration grants the user of
// this test process everything except credentials.
func New(t testing.TB) *Bed {
	t.Helper()
	dir, err := os.MkdirTemp("", "bed") // short: the path of a Unix socket has a limit
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
		t.Fatalf("preparing the testbed: %v", err)
	}
	if err := w.Apply(t.Context()); err != nil {
		t.Fatalf("applying the testbed's policies: %v", err)
	}
	client, err := awsclient.New(config.AWS{CABundle: w.CAPath})
	if err != nil {
		t.Fatal(err)
	}
	return &Bed{World: w, HTTP: client}
}

// PutTrust replaces the trust policy of w's role.
func PutTrust(ctx context.Context, w *testbed.World, doc string) error {
	_, err := w.IAM.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String(w.RoleName),
		PolicyDocument: aws.String(doc)})
	if err != nil {
		return fmt.Errorf("putting the trust policy of %s: %w", w.RoleName, err)
	}
	return nil
}
