package handover_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/setup/awsaccounts"
	"github.com/brokerd/brokerd/internal/setup/handover"
	"github.com/brokerd/brokerd/internal/testbed"
)

var update = flag.Bool("update", false, "write the golden files")

// accounts is a sandbox in which the daemon's identity and the key exist.
type accounts struct {
	*testbed.World
	state  setup.State
	client *awshttp.BuildableClient
}

func newAccounts(t *testing.T) *accounts {
	t.Helper()
	sb, err := sandbox.New(sandbox.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	sb.Start()
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Errorf("closing the sandbox: %v", err)
		}
	})
	w, err := testbed.Prepare(t.Context(), sb, t.TempDir(), os.Getuid())
	if err != nil {
		t.Fatal(err)
	}
	client, err := awsclient.New(config.AWS{CABundle: w.CAPath})
	if err != nil {
		t.Fatal(err)
	}
	state, err := setup.StateOf(w.Config)
	if err != nil {
		t.Fatal(err)
	}
	return &accounts{w, state, client}
}

// connect reaches the given accounts as their root users.
func (a *accounts) connect(t *testing.T, ids ...string) *awsaccounts.Accounts {
	t.Helper()
	e := a.Sandbox.Endpoint()
	var configs []aws.Config
	for _, id := range ids {
		k := a.Sandbox.RootKeys(id)
		configs = append(configs, aws.Config{Region: a.Sandbox.Region(), HTTPClient: a.client, BaseEndpoint: aws.String(e),
			Credentials: credentials.NewStaticCredentialsProvider(k.AccessKeyID, k.SecretAccessKey, "")})
	}
	out, err := awsaccounts.Connect(
		t.Context(), awsaccounts.Endpoints{STS: e, IAM: e, S3: e, KMS: e, CloudTrail: e, PathStyle: true}, configs...,
	)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (a *accounts) plan(t *testing.T, o setup.PlanOptions, ids ...string) (*setup.Plan, *awsaccounts.Accounts) {
	t.Helper()
	reached := a.connect(t, ids...)
	snap, err := reached.Read(t.Context(), setup.ScopeOf(a.Config))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := setup.NewPlan(a.state, snap, o)
	if err != nil {
		t.Fatal(err)
	}
	return plan, reached
}

func (a *accounts) text(t *testing.T, account string, plan *setup.Plan, script string) string {
	t.Helper()
	text, err := handover.Text(handover.Request{Account: account, State: a.state, Plan: plan, Config: "brokerd.yaml", Script: script})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// golden compares with a file, apart from ids that the sandbox makes up.
func (a *accounts) golden(t *testing.T, name, text string) {
	t.Helper()
	text = strings.NewReplacer(a.KeyARN, "KEY-ARN").Replace(text)
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

func TestMessages(t *testing.T) {
	a := newAccounts(t)
	A, B := a.Sandbox.AccountA(), a.Sandbox.AccountB()
	forB, _ := a.plan(t, setup.PlanOptions{}, A)
	a.golden(t, "target.md", a.text(t, B, forB, "brokerd-handover-"+B+".sh"))
	forA, _ := a.plan(t, setup.PlanOptions{}, B)
	a.golden(t, "source.md", a.text(t, A, forA, "brokerd-handover-"+A+".sh"))
	removeB, _ := a.plan(t, setup.PlanOptions{Remove: true}, A)
	a.golden(t, "target-removal.md", a.text(t, B, removeB, "brokerd-handover-"+B+".sh"))
	removeA, _ := a.plan(t, setup.PlanOptions{Remove: true}, B)
	a.golden(t, "source-removal.md", a.text(t, A, removeA, "brokerd-handover-"+A+".sh"))
}
