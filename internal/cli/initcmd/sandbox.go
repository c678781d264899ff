package initcmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/brokerd/brokerd/internal/cli/console"
	"github.com/brokerd/brokerd/internal/cli/sandboxcmd"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/config/edit"
)

// sandboxHere is the sandbox that the environment names. Its methods answer questions
// of init; a nil *sandboxHere answers none.
type sandboxHere struct{ sandboxcmd.Connection }

// newKey is the answer that creates a key in the sandbox.
const newKey = "new"

// findSandbox is the running sandbox when AWS_ENDPOINT_URL is its address, as
// after eval "$(brokerctl sandbox env)"; nil otherwise.
func findSandbox() *sandboxHere {
	endpoint := os.Getenv("AWS_ENDPOINT_URL")
	if endpoint == "" {
		return nil
	}
	c, err := (&sandboxcmd.ConnectFlag{}).Open()
	if err != nil || c.Endpoint != endpoint {
		return nil
	}
	return &sandboxHere{c.Connection}
}

func (s *sandboxHere) accountA() string {
	if s == nil {
		return ""
	}
	return s.AccountA
}

func (s *sandboxHere) accountB() string {
	if s == nil {
		return ""
	}
	return s.AccountB
}

func (s *sandboxHere) region() string {
	if s == nil {
		return ""
	}
	return s.Region
}

func (s *sandboxHere) usualKey() string {
	if s == nil {
		return ""
	}
	return newKey
}

func (s *sandboxHere) runner() string {
	if s == nil {
		return ""
	}
	return config.RunsUser
}

func (s *sandboxHere) userName() string {
	if s == nil {
		return ""
	}
	return "app-host"
}

// dir is the sandbox's private directory.
func (s *sandboxHere) dir() string { return filepath.Dir(s.Config) }

func (s *sandboxHere) credentialsFile() string { return filepath.Join(s.dir(), "brokerd-credentials") }

func (s *sandboxHere) places() *edit.Sandbox {
	return &edit.Sandbox{Endpoint: s.Endpoint, CABundle: s.CABundle, CredentialsFile: s.credentialsFile(), Dir: s.dir()}
}

// root reaches an account of the sandbox as its root user.
func (s *sandboxHere) root(account string) (aws.Config, error) {
	client, err := awsclient.New(config.AWS{CABundle: s.CABundle})
	if err != nil {
		return aws.Config{}, err
	}
	k := s.Keys[account]
	return aws.Config{
		Region: s.Region, HTTPClient: client, BaseEndpoint: aws.String(s.Endpoint),
		Credentials: credentials.NewStaticCredentialsProvider(k.AccessKeyID, k.SecretAccessKey, ""),
	}, nil
}

// makeKey creates a key in account B.
func (s *sandboxHere) makeKey(ctx context.Context) (arn string, err error) {
	b, err := s.root(s.AccountB)
	if err != nil {
		return "", err
	}
	out, err := kms.NewFromConfig(b).CreateKey(ctx, &kms.CreateKeyInput{Description: aws.String("made by brokerctl init")})
	if err != nil {
		return "", fmt.Errorf("creating a key in the sandbox: %w", err)
	}
	return aws.ToString(out.KeyMetadata.Arn), nil
}

// makeUser creates the IAM user that the daemon runs as, with an access key in a file.
// An existing user gets another access key.
func (s *sandboxHere) makeUser(ctx context.Context, name string) error {
	a, err := s.root(s.AccountA)
	if err != nil {
		return err
	}
	client := iam.NewFromConfig(a)
	var exists *iamtypes.EntityAlreadyExistsException
	if _, err := client.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String(name)}); err != nil && !errors.As(err, &exists) {
		return fmt.Errorf("creating user %s in the sandbox: %w", name, err)
	}
	key, err := client.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String(name)})
	if err != nil {
		return fmt.Errorf("creating an access key of %s in the sandbox: %w", name, err)
	}
	text := fmt.Sprintf(
		"[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
		aws.ToString(key.AccessKey.AccessKeyId),
		aws.ToString(key.AccessKey.SecretAccessKey),
	)
	return console.WritePrivate(s.credentialsFile(), []byte(text))
}
