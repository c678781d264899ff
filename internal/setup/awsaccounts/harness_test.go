package awsaccounts_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/setup/awsaccounts"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/verify"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// world is two accounts in which the source identity and the key are there, and
// nothing else.
type world struct {
	*testbed.World
	client *awshttp.BuildableClient
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "setup")
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
		t.Fatal(err)
	}
	client, err := awsclient.New(config.AWS{CABundle: w.CAPath})
	if err != nil {
		t.Fatal(err)
	}
	return &world{w, client}
}

// config is the world's configuration with replacements: old, new, old, new.
func (w *world) config(t *testing.T, replace ...string) *config.Config {
	t.Helper()
	text, err := os.ReadFile(w.ConfigPath)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(string(text), replace[i]) {
			t.Fatalf("the configuration has no %q", replace[i])
		}
	}
	path := filepath.Join(t.TempDir(), "brokerd.yaml")
	if err := os.WriteFile(path, []byte(strings.NewReplacer(replace...).Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// second is a further destination, to be put before the access rules.
func second(stanza string) []string {
	return []string{"    path_style: true\naccess:", "    path_style: true\n" + stanza + "access:"}
}

func (w *world) root(account string) aws.Config {
	keys := w.Sandbox.RootKeys(account)
	return aws.Config{
		Region: w.Sandbox.Region(), HTTPClient: w.client, BaseEndpoint: aws.String(w.Sandbox.Endpoint()), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken),
	}
}

// connect reaches the accounts that are named, both when none is.
func (w *world) connect(t *testing.T, ids ...string) *awsaccounts.Accounts {
	t.Helper()
	if len(ids) == 0 {
		ids = []string{w.Sandbox.AccountA(), w.Sandbox.AccountB()}
	}
	var configs []aws.Config
	for _, id := range ids {
		configs = append(configs, w.root(id))
	}
	a, err := awsaccounts.Connect(t.Context(), awsaccounts.Endpoints{PathStyle: true}, configs...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (w *world) plan(t *testing.T, a *awsaccounts.Accounts, cfg *config.Config, o setup.PlanOptions) *setup.Plan {
	t.Helper()
	p, err := planOf(t, a, cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func planOf(t *testing.T, a *awsaccounts.Accounts, cfg *config.Config, o setup.PlanOptions) (*setup.Plan, error) {
	state, err := setup.StateOf(cfg)
	if err != nil {
		return nil, err
	}
	scope := setup.ScopeOf(cfg)
	scope.Unfinished = o.Remove
	snap, err := a.Read(t.Context(), scope)
	if err != nil {
		return nil, err
	}
	return setup.NewPlan(state, snap, o)
}

func (w *world) apply(t *testing.T, a *awsaccounts.Accounts, p *setup.Plan) awsaccounts.Outcome {
	t.Helper()
	out, err := a.Apply(t.Context(), p, awsaccounts.ApplyOptions{Backup: filepath.Join(t.TempDir(), "backup")})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// verified fails the test unless an upload of every destination would arrive.
func (w *world) verified(t *testing.T, cfg *config.Config) {
	t.Helper()
	for name, seen := range w.verify(t, cfg) {
		for _, c := range seen.Checks {
			if c.Result == report.Fail || c.Result == report.Warn || c.Result == report.Unknown && !c.Advisory {
				t.Errorf("%s: %s %s: %s %+v", name, c.Code, c.Result, c.Why, c.Evidence)
			}
		}
	}
}

func (w *world) verify(t *testing.T, cfg *config.Config) map[string]report.Report {
	t.Helper()
	b, err := broker.New(broker.Options{Config: cfg, HTTPClient: w.client})
	if err != nil {
		t.Fatal(err)
	}
	v, err := verify.New(verify.Options{Config: cfg, Sessions: b, HTTPClient: w.client})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]report.Report{}
	for name, d := range cfg.Destinations {
		seen, err := v.Run(t.Context(), d, report.RunOptions{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = seen
	}
	return out
}

// fixed gives the same keys at every call.
func fixed(id, secret string) func(context.Context) (aws.Credentials, error) {
	return func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}, nil
	}
}
