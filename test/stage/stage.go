// Package stage sets up the whole cross-account arrangement in a sandbox, for
// tests: a user in account A, the role it assumes, the bucket and the key in
// account B, and the policies that internal/setup derives from the same
// configuration that the code under test runs on.
package stage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/setup"
)

// The names of what a stage holds.
const (
	Bucket      = "tenant-s3-test-bucket"
	RoleName    = "CrossAccountS3Uploader"
	Destination = "logs"
	externalID  = "tenant-7"
)

// Stage is a sandbox with a working arrangement in it.
type Stage struct {
	Sandbox   *sandbox.Sandbox
	Config    *config.Config
	Dir       string // holds the configuration file, the CA bundle and the source's keys
	Socket    string // socket.path of the configuration
	HTTP      *awshttp.BuildableClient
	KeyARN    string
	RoleARN   string
	Documents setup.Documents
	// IAM is account A's; KMS and S3 are account B's. All speak as root users.
	IAM *iam.Client
	KMS *kms.Client
	S3  *s3.Client
}

// New sets the stage, or fails t. It is gone when t ends.
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
	s := &Stage{Sandbox: sb, Dir: dir, Socket: filepath.Join(dir, "s")}
	if err := s.build(t.Context()); err != nil {
		t.Fatalf("setting the stage: %v", err)
	}
	return s
}

func (s *Stage) build(ctx context.Context) error {
	ca := s.path("ca.pem")
	if err := os.WriteFile(ca, s.Sandbox.CABundlePEM(), 0o600); err != nil {
		return err
	}
	var err error
	if s.HTTP, err = broker.NewHTTPClient(config.AWS{CABundle: ca}); err != nil {
		return err
	}
	a, b := s.account(sandbox.DefaultAccountA), s.account(sandbox.DefaultAccountB)
	s.IAM, s.KMS = iam.NewFromConfig(a), kms.NewFromConfig(b)
	s.S3 = s3.NewFromConfig(b, func(o *s3.Options) { o.UsePathStyle = true })

	source, err := s.source(ctx)
	if err != nil {
		return fmt.Errorf("account A: making the source user: %w", err)
	}
	key, err := s.KMS.CreateKey(ctx, &kms.CreateKeyInput{})
	if err != nil {
		return fmt.Errorf("account B: making the key: %w", err)
	}
	s.KeyARN = aws.ToString(key.KeyMetadata.Arn)
	if s.Config, err = config.Parse(s.ConfigPath(), []byte(s.YAML(""))); err != nil {
		return err
	}
	if err := os.WriteFile(s.ConfigPath(), []byte(s.YAML("")), 0o600); err != nil {
		return err
	}
	if s.Documents, err = setup.Desired(s.Config.Destinations[Destination], setup.Options{SourcePrincipalARN: source}); err != nil {
		return err
	}
	return s.apply(ctx)
}

// source makes the user whose keys the daemon starts with.
func (s *Stage) source(ctx context.Context) (arn string, err error) {
	s.RoleARN = "arn:aws:iam::" + sandbox.DefaultAccountA + ":role/" + RoleName
	user, err := s.IAM.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("app-host")})
	if err != nil {
		return "", err
	}
	_, err = s.IAM.PutUserPolicy(ctx, &iam.PutUserPolicyInput{
		UserName: aws.String("app-host"), PolicyName: aws.String("assume"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"` + s.RoleARN + `"}]}`),
	})
	if err != nil {
		return "", err
	}
	keys, err := s.IAM.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String("app-host")})
	if err != nil {
		return "", err
	}
	file := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
		aws.ToString(keys.AccessKey.AccessKeyId), aws.ToString(keys.AccessKey.SecretAccessKey))
	return aws.ToString(user.User.Arn), os.WriteFile(s.path("credentials"), []byte(file), 0o600)
}

// apply writes the policies in the only order that works: a policy that names a
// role which does not exist is refused.
func (s *Stage) apply(ctx context.Context) error {
	if _, err := s.IAM.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: aws.String(RoleName), AssumeRolePolicyDocument: aws.String(string(s.Documents.Trust)),
	}); err != nil {
		return fmt.Errorf("account A: making the role: %w", err)
	}
	if err := s.PutIdentity(ctx, string(s.Documents.Identity)); err != nil {
		return err
	}
	if err := s.PutKeyPolicy(ctx, string(s.Documents.Key)); err != nil {
		return err
	}
	if _, err := s.S3.CreateBucket(ctx, &s3.CreateBucketInput{
		Bucket: aws.String(Bucket), ObjectOwnership: s3types.ObjectOwnershipBucketOwnerEnforced,
		CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(s.Sandbox.Region())},
	}); err != nil {
		return fmt.Errorf("account B: making the bucket: %w", err)
	}
	return s.PutBucketPolicy(ctx, string(s.Documents.Bucket))
}

// PutIdentity replaces the role's inline policy.
func (s *Stage) PutIdentity(ctx context.Context, policy string) error {
	_, err := s.IAM.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: aws.String(RoleName), PolicyName: aws.String("brokerd"), PolicyDocument: aws.String(policy),
	})
	if err != nil {
		return fmt.Errorf("account A: writing the role's policy: %w", err)
	}
	return nil
}

// PutKeyPolicy replaces the key policy.
func (s *Stage) PutKeyPolicy(ctx context.Context, policy string) error {
	_, err := s.KMS.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: aws.String(s.KeyARN), PolicyName: aws.String("default"), Policy: aws.String(policy)})
	if err != nil {
		return fmt.Errorf("account B: writing the key policy: %w", err)
	}
	return nil
}

// PutBucketPolicy replaces the bucket policy.
func (s *Stage) PutBucketPolicy(ctx context.Context, policy string) error {
	_, err := s.S3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: aws.String(Bucket), Policy: aws.String(policy)})
	if err != nil {
		return fmt.Errorf("account B: writing the bucket policy: %w", err)
	}
	return nil
}

// ConfigPath is the configuration file; New has written it.
func (s *Stage) ConfigPath() string { return s.path("brokerd.yaml") }

func (s *Stage) path(name string) string { return filepath.Join(s.Dir, name) }

// YAML is the text of the configuration, with more lines at its end. It lets
// this test's user upload and verify.
func (s *Stage) YAML(more string) string {
	return fmt.Sprintf(`socket: {path: %s, mode: "0600"}
metrics: {address: ""}
shutdown: {grace: 10s}
aws:
  credentials_file: %s
  ca_bundle: %s
  endpoints: {sts: %[4]s, s3: %[4]s, kms: %[4]s}
destinations:
  %s:
    role: %s
    bucket: %s
    owner: %q
    region: %s
    kms_key: %s
    key: logs/{yyyy}/{mm}/{dd}/{name}-{id}
    path_style: true
    session: {external_id: %s}
access:
  - peer: {uid: "%d"}
    destinations: [%[5]s]
    allow: [upload, verify]
`, s.Socket, s.path("credentials"), s.path("ca.pem"), s.Sandbox.Endpoint(), Destination, s.RoleARN, Bucket,
		sandbox.DefaultAccountB, s.Sandbox.Region(), s.KeyARN, externalID, os.Getuid()) + more
}

func (s *Stage) account(id string) aws.Config {
	k := s.Sandbox.RootKeys(id)
	return aws.Config{
		Region: s.Sandbox.Region(), BaseEndpoint: aws.String(s.Sandbox.Endpoint()), HTTPClient: s.HTTP,
		Credentials: credentials.NewStaticCredentialsProvider(k.AccessKeyID, k.SecretAccessKey, k.SessionToken),
	}
}
