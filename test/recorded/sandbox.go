package recorded

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/brokerd/brokerd/internal/sandbox"
)

// administrator is the user whom a sandbox's target works as: root users cannot
// assume roles, and real accounts are not used as root either.
const administrator = "administrator"

// Sandbox makes a target of a sandbox that runs: an administrator in both accounts,
// and connections that go to the sandbox by AWS's host names.
func Sandbox(ctx context.Context, sb *sandbox.Sandbox, prefix string) (*Target, error) {
	endpoint, err := url.Parse(sb.Endpoint())
	if err != nil {
		return nil, fmt.Errorf("reading the sandbox's endpoint: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(sb.CABundlePEM()) {
		return nil, errors.New("the sandbox has no CA bundle: it must serve HTTPS")
	}
	t := &Target{
		Name: "sandbox", Region: sb.Region(), Prefix: prefix,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", endpoint.Host)
		},
		// The certificate has no names of other Regions: the authority alone is checked.
		TLS: &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12},
	}
	for _, side := range []struct {
		account *Account
		id      string
	}{{&t.A, sb.AccountA()}, {&t.B, sb.AccountB()}} {
		keys := sb.RootKeys(side.id)
		wire := newRecorder(t.Dial, t.TLS)
		defer wire.close()
		root := iam.NewFromConfig(t.config(wire, credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, ""), t.Region))
		if side.account.Credentials, err = makeAdministrator(ctx, root); err != nil {
			return nil, fmt.Errorf("account %s: %w", side.id, err)
		}
		side.account.ID = side.id
	}
	return t, nil
}

func makeAdministrator(ctx context.Context, root *iam.Client) (aws.CredentialsProvider, error) {
	if _, err := root.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String(administrator)}); err != nil {
		return nil, fmt.Errorf("creating the administrator: %w", err)
	}
	if _, err := root.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{
		UserName: aws.String(administrator), PolicyArn: aws.String("arn:aws:iam::aws:policy/AdministratorAccess"),
	}); err != nil {
		return nil, fmt.Errorf("giving the administrator its policy: %w", err)
	}
	out, err := root.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String(administrator)})
	if err != nil {
		return nil, fmt.Errorf("making the administrator's key: %w", err)
	}
	return credentials.NewStaticCredentialsProvider(*out.AccessKey.AccessKeyId, *out.AccessKey.SecretAccessKey, ""), nil
}
