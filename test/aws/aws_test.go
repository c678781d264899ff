//go:build aws

package kit

import (
	"context"
	"flag"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/brokerd/brokerd/internal/sandbox"
)

var (
	cleanup = flag.Bool("cleanup", false, "remove what earlier runs made, and do nothing else")
	output  = flag.String("report", ".", "directory for differences.md and differences.json")
)

// TestAWS compares two real accounts with the sandbox. A difference is a
// result and does not fail it. An incomplete run and leftovers do.
func TestAWS(t *testing.T) {
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	real, err := RealAccounts(ctx, RunPrefix())
	if err != nil {
		t.Fatal(err)
	}
	if *cleanup {
		if err := real.Finish(ctx, Prefix, os.Stderr); err != nil {
			t.Fatal(err)
		}
		return
	}
	sb, err := sandbox.New(sandbox.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	sb.Start()
	defer func() { _ = sb.Close() }()
	mine, err := SandboxAccounts(context.WithoutCancel(ctx), sb, t.TempDir(), real.Prefix)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(ctx, real, mine, Everything(), *output, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(r.Markdown())
}
