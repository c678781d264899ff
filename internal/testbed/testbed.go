package testbed

import (
	"context"
	_ "embed" // the configuration file
	"fmt"
	"os"
	"path/filepath"
	"text/template"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/setup"
)

// The names in the arrangement.
const (
	Destination = "audit-logs"
	Bucket      = "tenant-s3-test-bucket"
	RoleName    = "CrossAccountS3Uploader"
	UserName    = "app-host"
	policyName  = setup.InlineName
)

// World is the sandbox with both accounts, and the daemon's files.
type World struct {
	Sandbox    *sandbox.Sandbox // nil when the accounts are real: only tests do that
	AccountA   string
	AccountB   string
	Bucket     string
	RoleName   string
	UserName   string
	KeyTags    []kmstypes.Tag // on every key that is made
	Dir        string         // private directory of all files
	ConfigPath string
	SocketPath string
	CAPath     string
	Config     *config.Config
	Dest       *config.Destination
	UserARN    string
	KeyARN     string
	Docs       setup.Documents

	// The clients of the two root users.
	IAM *iam.Client // account A
	KMS *kms.Client // account B
	S3  *s3.Client  // account B
	S3A *s3.Client  // account A

	configs int
}

// Prepare makes, in a running sandbox, the application's identity in A and the key in B,
// and writes the daemon's files to dir. Apply makes the rest. The access rule names uid.
func Prepare(ctx context.Context, sb *sandbox.Sandbox, dir string, uid int) (*World, error) {
	w := &World{
		Sandbox: sb, AccountA: sb.AccountA(), AccountB: sb.AccountB(), Bucket: Bucket, RoleName: RoleName, UserName: UserName,
		Dir: dir, SocketPath: filepath.Join(dir, "brokerd.sock"), CAPath: filepath.Join(dir, "ca.pem"),
	}
	if err := os.WriteFile(w.CAPath, sb.CABundlePEM(), 0o600); err != nil {
		return nil, fmt.Errorf("writing the CA bundle: %w", err)
	}
	client, err := awsclient.New(config.AWS{CABundle: w.CAPath})
	if err != nil {
		return nil, err
	}
	a, b := w.root(client, sb.AccountA()), w.root(client, sb.AccountB())
	pathStyle := func(o *s3.Options) { o.UsePathStyle = true }
	w.IAM, w.KMS, w.S3, w.S3A = iam.NewFromConfig(a), kms.NewFromConfig(b), s3.NewFromConfig(b, pathStyle), s3.NewFromConfig(a, pathStyle)

	user, err := w.IAM.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String(UserName)})
	if err != nil {
		return nil, fmt.Errorf("creating user %s: %w", UserName, err)
	}
	w.UserARN = aws.ToString(user.User.Arn)
	keys, err := w.IAM.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String(UserName)})
	if err != nil {
		return nil, fmt.Errorf("creating the access key of %s: %w", UserName, err)
	}
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", aws.ToString(keys.AccessKey.AccessKeyId),
		aws.ToString(keys.AccessKey.SecretAccessKey))
	if err := os.WriteFile(filepath.Join(dir, "credentials"), []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("writing the credentials file: %w", err)
	}
	key, err := w.KMS.CreateKey(ctx, &kms.CreateKeyInput{Description: aws.String("objects of " + Bucket)})
	if err != nil {
		return nil, fmt.Errorf("creating the key: %w", err)
	}
	w.KeyARN = aws.ToString(key.KeyMetadata.Arn)
	w.ConfigPath, w.Config, err = w.WriteConfig(uid)
	if err != nil {
		return nil, err
	}
	w.Dest = w.Config.Destinations[Destination]
	return w, nil
}

func (w *World) root(client *awshttp.BuildableClient, account string) aws.Config {
	keys := w.Sandbox.RootKeys(account)
	return aws.Config{
		Region: w.Sandbox.Region(), HTTPClient: client, BaseEndpoint: aws.String(w.Sandbox.Endpoint()),
		Credentials: credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken),
	}
}

//go:embed config.yaml.tmpl
var configSource string

var configText = template.Must(template.New("config").Parse(configSource))

// WriteConfig writes and loads a configuration file that grants uid every right except credentials.
func (w *World) WriteConfig(uid int) (string, *config.Config, error) {
	w.configs++
	path := filepath.Join(w.Dir, "brokerd.yaml")
	if w.configs > 1 {
		path = filepath.Join(w.Dir, fmt.Sprintf("brokerd-%d.yaml", w.configs))
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return "", nil, fmt.Errorf("writing the configuration: %w", err)
	}
	err = configText.Execute(f, map[string]any{
		"Socket": w.SocketPath, "Credentials": filepath.Join(w.Dir, "credentials"), "CA": w.CAPath, "Spool": filepath.Join(w.Dir,
			"spool"), "Endpoint": w.Sandbox.Endpoint(), "Name": Destination, "Role": w.RoleName, "Bucket": w.Bucket,
		"A": w.AccountA, "B": w.AccountB, "Region": w.Sandbox.Region(), "Key": w.KeyARN, "UID": uid, "User": w.UserARN,
	})
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return "", nil, fmt.Errorf("writing the configuration: %w", err)
	}
	cfg, err := config.Load(path)
	if err != nil {
		return "", nil, err
	}
	return path, cfg, nil
}
