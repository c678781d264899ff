package rehearsal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/setup"
)

// production is a configuration with places that exist on another machine only.
const production = `socket: {path: /run/brokerd/brokerd.sock, group: wheel-that-is-not-here}
metrics: {address: "127.0.0.1:9464"}
limits: {idle_timeout: 90s}
aws:
  source: {type: imds}
setup:
  runs_as: {type: ec2, principal: "arn:aws:iam::123456789012:role/app-host"}
destinations:
  audit-logs:
    role: arn:aws:iam::123456789012:role/uploader
    bucket: acme-audit
    owner: "210987654321"
    region: eu-central-1
    kms_key: arn:aws:kms:eu-central-1:210987654321:key/1234abcd-12ab-34cd-56ef-1234567890ab
    key: app/{yyyy}/{name}-{id}
    durability: spool
    session: {external_id: acme-7, duration: 2h}
    storage_class: STANDARD_IA
  reports:
    role: arn:aws:iam::123456789012:role/uploader
    bucket: acme-reports
    owner: "210987654321"
    region: eu-central-1
    kms_key: arn:aws:kms:eu-central-1:210987654321:key/1234abcd-12ab-34cd-56ef-1234567890ab
    key: r/{name}-{id}
access:
  - peer: {uid: some-user-of-production}
    destinations: [audit-logs, reports]
    allow: [upload]
`

// prepare runs Prepare with a sandbox of the configuration's accounts.
func prepare(t *testing.T, text string) (*Rehearsal, *sandbox.Sandbox, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "brokerd.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse(path, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	accounts, err := AccountsOf(cfg)
	if err != nil {
		return nil, nil, err
	}
	dir := t.TempDir()
	sb, err := sandbox.New(sandbox.Options{Dir: dir, AccountA: accounts.A, AccountB: accounts.B, Region: accounts.Region})
	if err != nil {
		t.Fatal(err)
	}
	sb.Start()
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	r, err := Prepare(t.Context(), Options{Sandbox: sb, Dir: dir, Path: path, Text: []byte(text), UID: os.Getuid()})
	if now, rerr := os.ReadFile(path); rerr != nil || string(now) != text {
		t.Errorf("the user's file was changed: %v", rerr)
	}
	return r, sb, err
}

func TestTheCopyKeepsWhatTheDeliveryDependsOn(t *testing.T) {
	r, sb, err := prepare(t, production)
	if err != nil {
		t.Fatal(err)
	}
	d := r.Config.Destinations["audit-logs"]
	if d.Bucket != "acme-audit" || d.Owner != "210987654321" || d.Region != "eu-central-1" ||
		d.Role != "arn:aws:iam::123456789012:role/uploader" ||
		d.Key != "app/{yyyy}/{name}-{id}" || d.Session.ExternalID != "acme-7" || d.StorageClass != "STANDARD_IA" ||
		d.Durability != config.DurabilitySpool {
		t.Errorf("the copy differs in the delivery: %+v", d)
	}
	if got := r.Config.Limits.IdleTimeout.String(); got != "1m30s" {
		t.Errorf("limits.idle_timeout is %s, want 1m30s", got)
	}
	if r.Config.AWS.Endpoints.S3 != sb.Endpoint() || r.Config.AWS.Source.Type == config.SourceIMDS || r.Config.Metrics.Address != "" {
		t.Errorf("the copy still reaches outside the sandbox: %+v", r.Config.AWS)
	}
	if a, b := d.KMSKey, r.Config.Destinations["reports"].KMSKey; a != b || strings.Contains(a, "1234abcd") {
		t.Errorf("destinations that share a key have %s and %s", a, b)
	}
}

// What setup would make on AWS is made in the sandbox: an upload as the role
// works, and only below the prefix.
func TestTheArrangementWorks(t *testing.T) {
	r, sb, err := prepare(t, production)
	if err != nil {
		t.Fatal(err)
	}
	client, err := awsclient.New(r.Config.AWS)
	if err != nil {
		t.Fatal(err)
	}
	m := &maker{Options: Options{Sandbox: sb}, client: client}
	out, err := iam.NewFromConfig(m.root(sb.AccountA(), sb.Region())).GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("uploader")})
	if err != nil {
		t.Fatal(err)
	}
	if doc := aws.ToString(out.Role.AssumeRolePolicyDocument); !strings.Contains(doc, "acme-7") {
		t.Errorf("the trust policy does not ask for the external id: %s", doc)
	}
	for _, bucket := range []string{"acme-audit", "acme-reports"} {
		if _, err := s3.NewFromConfig(m.root(sb.AccountB(), sb.Region()), func(o *s3.Options) { o.UsePathStyle = true }).
			GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: aws.String(bucket)}); err != nil {
			t.Errorf("bucket %s: %v", bucket, err)
		}
	}
	var kinds []setup.Kind
	for _, c := range r.Made {
		kinds = append(kinds, c.Kind)
	}
	if len(kinds) < 9 {
		t.Errorf("made only %v", kinds)
	}
}

func TestOneAccountPlaysBothParts(t *testing.T) {
	r, _, err := prepare(t, strings.ReplaceAll(production, "210987654321", "123456789012"))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Made) == 0 {
		t.Error("nothing was made")
	}
}

func TestMoreThanTwoAccountsAreRefused(t *testing.T) {
	text := strings.Replace(production, "123456789012:role/uploader\n    bucket: acme-reports",
		"999988887777:role/uploader\n    bucket: acme-reports", 1)
	_, _, err := prepare(t, text)
	if err == nil || !strings.Contains(err.Error(), "3 accounts") || errors.Is(err, errRefused) {
		t.Errorf("got %v, want a refusal that counts the accounts", err)
	}
}
