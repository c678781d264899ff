package kit

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/test/recorded"
)

var configText = template.Must(template.New("config").Parse(`socket:
  path: {{printf "%q" .Socket}}
metrics:
  address: ""
verify:
  every: 0s
spool:
  dir: {{printf "%q" .Spool}}
aws:
  credentials_file: {{printf "%q" .Credentials}}
{{- if .Endpoint}}
  ca_bundle: {{printf "%q" .CABundle}}
  endpoints: {sts: {{.Endpoint}}, s3: {{.Endpoint}}, kms: {{.Endpoint}}}
{{- end}}
setup:
  runs_as: {type: user, principal: {{.User}}}
  create_bucket: true
{{- if .Endpoint}}
  endpoints: {iam: {{.Endpoint}}, cloudtrail: {{.Endpoint}}}
{{- end}}
destinations:
  kit:
    role: arn:aws:iam::{{.A}}:role/{{.Name}}
    bucket: {{.Name}}
    owner: "{{.B}}"
    region: {{.Region}}
    kms_key: {{.Key}}
    key: logs/{host}/{yyyy}/{mm}/{dd}/{name}-{id}
{{- if .Endpoint}}
    path_style: true
{{- end}}
access:
  - peer: {uid: "{{.UID}}"}
    destinations: [kit]
    allow: [upload, verify, admin]
`))

// destination is the configuration's only one.
const destination = "kit"

// arrange makes the application's user in A and the key in B, and brings both
// accounts to the configuration by `brokerctl setup apply`. name is a name of its own.
func (a *Accounts) arrange(ctx context.Context, dir, name string) (*testbed.World, error) {
	w := &testbed.World{
		AccountA: a.A.ID, AccountB: a.B.ID, Bucket: name, RoleName: name, UserName: name, CAPath: a.CABundle,
		Dir: dir, SocketPath: filepath.Join(dir, "s"), ConfigPath: filepath.Join(dir, "brokerd.yaml"),
		KeyTags: []kmstypes.Tag{{TagKey: aws.String(recorded.Tag), TagValue: aws.String(a.Prefix)}},
	}
	configA, configB := a.Config(a.A, Region), a.Config(a.B, Region)
	w.IAM, w.KMS = iam.NewFromConfig(configA), kms.NewFromConfig(configB)
	w.S3, w.S3A = s3.NewFromConfig(configB), s3.NewFromConfig(configA)

	user, err := w.IAM.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String(name)})
	if err != nil {
		return nil, fmt.Errorf("creating the application's user: %w", err)
	}
	w.UserARN = aws.ToString(user.User.Arn)
	keys, err := w.IAM.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String(name)})
	if err != nil {
		return nil, fmt.Errorf("creating the application's access key: %w", err)
	}
	credentials := filepath.Join(dir, "credentials")
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", *keys.AccessKey.AccessKeyId,
		*keys.AccessKey.SecretAccessKey)
	if err := os.WriteFile(credentials, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("writing the application's key: %w", err)
	}
	key, err := w.KMS.CreateKey(ctx, &kms.CreateKeyInput{Description: aws.String("objects of " + name), Tags: w.KeyTags})
	if err != nil {
		return nil, fmt.Errorf("creating the key: %w", err)
	}
	w.KeyARN = aws.ToString(key.KeyMetadata.Arn)
	if err := a.writeConfig(w, credentials); err != nil {
		return nil, err
	}
	if err := a.reload(w); err != nil {
		return nil, err
	}
	// A policy that names a user is refused until the user is known everywhere.
	err = a.eventually(ctx, func() error {
		_, _, err := a.brokerctl(ctx, "setup", "apply", "--yes", "--config", w.ConfigPath, "--source-profile", a.ProfileA,
			"--target-profile", a.ProfileB, "--backup", filepath.Join(dir, "backup"))
		return err
	})
	if err != nil {
		return nil, err
	}
	w.Docs, err = setup.Desired(w.Dest, setup.Options{SourcePrincipalARN: w.UserARN})
	if err != nil {
		return nil, fmt.Errorf("deriving the policies: %w", err)
	}
	return w, nil
}

func (a *Accounts) writeConfig(w *testbed.World, credentials string) error {
	f, err := os.OpenFile(w.ConfigPath, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	err = configText.Execute(f, map[string]any{
		"Socket": w.SocketPath, "Spool": filepath.Join(w.Dir, "spool"), "Credentials": credentials, "Endpoint": a.Endpoint,
		"CABundle": a.CABundle,
		"User":     w.UserARN, "A": a.A.ID, "B": a.B.ID, "Name": w.Bucket, "Region": Region, "Key": w.KeyARN, "UID": os.Getuid(),
	})
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return nil
}

// reload reads the configuration again: rows change it in memory.
func (a *Accounts) reload(w *testbed.World) error {
	cfg, err := config.Load(w.ConfigPath)
	if err != nil {
		return err
	}
	w.Config, w.Dest = cfg, cfg.Destinations[destination]
	return nil
}

// eventually repeats f until it succeeds or Settle is over.
func (a *Accounts) eventually(ctx context.Context, f func() error) error {
	begin := time.Now()
	for pause := time.Second; ; pause = min(2*pause, 8*time.Second) {
		err := f()
		if err == nil || time.Since(begin)+pause > a.Settle {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}
