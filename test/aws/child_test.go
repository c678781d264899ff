package kit

import (
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"context"
	"crypto/tls"
	"crypto/x509"
	"path/filepath"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/test/recorded"
)

// TestChild is the run that TestAnInterruptedRunRemovesWhatItMade interrupts: the
// accounts are those of the parent's sandbox.
func TestChild(t *testing.T) {
	endpoint := os.Getenv(child)
	if endpoint == "" {
		t.Skip("it runs as a child of TestAnInterruptedRunRemovesWhatItMade")
	}
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	subject := parentsAccounts(ctx, t, endpoint)
	if _, err := Run(ctx, subject, newSandbox(t, RunPrefix()), Parts{Recorded: recorded.All()}, t.TempDir(), os.Stderr); err == nil {
		t.Error("the run was not interrupted")
	}
}

func parentsAccounts(ctx context.Context, t *testing.T, endpoint string) *Accounts {
	t.Helper()
	ca, err := os.ReadFile(filepath.Join(os.Getenv("BROKERD_KIT_DIR"), "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	a := &Accounts{Target: &recorded.Target{
		Name: "the parent's sandbox", Region: Region, Prefix: RunPrefix(),
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(endpoint, "https://"))
		},
		TLS: &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12},
	}, Endpoint: endpoint}
	for profile, account := range map[string]*recorded.Account{os.Getenv("BROKERD_TEST_A"): &a.A, os.Getenv("BROKERD_TEST_B"): &a.B} {
		config, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithSharedConfigProfile(profile), awsconfig.WithRegion(Region))
		if err != nil {
			t.Fatal(err)
		}
		account.Credentials = config.Credentials
	}
	a.A.ID, a.B.ID = sandbox.DefaultAccountA, sandbox.DefaultAccountB
	return a
}
