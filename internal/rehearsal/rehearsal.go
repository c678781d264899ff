package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/setup/awsaccounts"
)

// UserName is the IAM user of account A whose keys the daemon gets.
const UserName = "brokerd-dev"

// Rehearsal is a configuration that is ready to run against the sandbox.
type Rehearsal struct {
	ConfigPath string         // the copy
	Config     *config.Config // the copy, parsed
	Changes    []string       // in which the copy differs from the user's file
	Made       []setup.Change // by setup, in order
}

// Options are the inputs of Prepare. All fields are required.
type Options struct {
	Sandbox *sandbox.Sandbox // running, with the accounts of AccountsOf
	Dir     string           // private directory; all files go there
	Path    string           // the user's file, for messages
	Text    []byte           // its text
	UID     int              // the user who may upload
}

// Prepare makes the keys and the arrangement in the sandbox, and writes the
// copy of the configuration. The sandbox must be running.
func Prepare(ctx context.Context, o Options) (*Rehearsal, error) {
	cfg, err := config.Parse(o.Path, o.Text)
	if err != nil {
		return nil, err
	}
	caPath := filepath.Join(o.Dir, "ca.pem")
	if err := os.WriteFile(caPath, o.Sandbox.CABundlePEM(), 0o600); err != nil {
		return nil, fmt.Errorf("writing the CA bundle: %w", err)
	}
	client, err := awsclient.New(config.AWS{CABundle: caPath})
	if err != nil {
		return nil, err
	}
	m := &maker{Options: o, client: client}
	user, err := m.user(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := m.keys(ctx, cfg)
	if err != nil {
		return nil, err
	}
	text, changes, err := rewrite(o.Text, cfg, places{dir: o.Dir, endpoint: o.Sandbox.Endpoint(), user: user, uid: o.UID, keys: keys})
	if err != nil {
		return nil, err
	}
	r := &Rehearsal{ConfigPath: filepath.Join(o.Dir, "brokerd.yaml"), Changes: changes}
	if err := os.WriteFile(r.ConfigPath, text, 0o600); err != nil {
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	if r.Config, err = config.Load(r.ConfigPath); err != nil {
		return nil, fmt.Errorf("the copy of the configuration for the sandbox is not valid: %w", err)
	}
	r.Made, err = m.arrange(ctx, r.Config)
	return r, err
}

type maker struct {
	Options
	client *awshttp.BuildableClient
}

func (m *maker) root(account, region string) aws.Config {
	keys := m.Sandbox.RootKeys(account)
	return aws.Config{
		Region: region, HTTPClient: m.client, BaseEndpoint: aws.String(m.Sandbox.Endpoint()),
		Credentials: credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken),
	}
}

// user makes the identity that the daemon runs as, and writes its keys.
func (m *maker) user(ctx context.Context) (arn string, err error) {
	client := iam.NewFromConfig(m.root(m.Sandbox.AccountA(), m.Sandbox.Region()))
	user, err := client.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String(UserName)})
	if err != nil {
		return "", fmt.Errorf("creating user %s in the sandbox: %w", UserName, err)
	}
	keys, err := client.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String(UserName)})
	if err != nil {
		return "", fmt.Errorf("creating the access key of %s: %w", UserName, err)
	}
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
		aws.ToString(keys.AccessKey.AccessKeyId), aws.ToString(keys.AccessKey.SecretAccessKey))
	if err := os.WriteFile(filepath.Join(m.Dir, "credentials"), []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("writing the credentials file: %w", err)
	}
	return aws.ToString(user.User.Arn), nil
}

// keys makes one KMS key for each key ARN of the configuration. KMS chooses key
// ids, so that the ARNs differ.
func (m *maker) keys(ctx context.Context, cfg *config.Config) (map[string]string, error) {
	made := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(cfg.Destinations)) {
		d := cfg.Destinations[name]
		if d.Compatible || made[d.KMSKey] != "" {
			continue
		}
		arn, err := awsarn.Parse(d.KMSKey)
		if err != nil {
			return nil, err
		}
		client := kms.NewFromConfig(m.root(arn.Account, arn.Region))
		key, err := client.CreateKey(ctx, &kms.CreateKeyInput{Description: aws.String("stands for " + d.KMSKey)})
		if err != nil {
			return nil, fmt.Errorf("creating a key for destination %s in the sandbox: %w", name, err)
		}
		made[d.KMSKey] = aws.ToString(key.KeyMetadata.Arn)
	}
	return made, nil
}

var errRefused = errors.New("an upload would be refused with the policies of this configuration; `brokerctl setup plan` shows the reason")

// arrange makes roles, bucket and policies, as `brokerctl setup apply` does on AWS.
func (m *maker) arrange(ctx context.Context, cfg *config.Config) ([]setup.Change, error) {
	state, err := setup.StateOf(cfg)
	if err != nil {
		return nil, err
	}
	e := m.Sandbox.Endpoint()
	endpoints := awsaccounts.Endpoints{STS: e, IAM: e, S3: e, KMS: e, CloudTrail: e, PathStyle: true}
	accounts, err := awsaccounts.Connect(
		ctx,
		endpoints,
		m.root(m.Sandbox.AccountA(), m.Sandbox.Region()),
		m.root(m.Sandbox.AccountB(), m.Sandbox.Region()),
	)
	if err != nil {
		return nil, err
	}
	snap, err := accounts.Read(ctx, setup.ScopeOf(cfg))
	if err != nil {
		return nil, err
	}
	plan, err := setup.NewPlan(state, snap, setup.PlanOptions{})
	if err != nil {
		return nil, err
	}
	if plan.Proven() == setup.Fails {
		return nil, errRefused
	}
	out, err := accounts.Apply(ctx, plan, awsaccounts.ApplyOptions{Backup: filepath.Join(m.Dir, "replaced")})
	return out.Done, err
}
