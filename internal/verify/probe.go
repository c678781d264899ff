package verify

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithymiddleware "github.com/aws/smithy-go/middleware"
	"github.com/oklog/ulid/v2"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
)

// probe is what one run knows so far.
type probe struct {
	dest     *config.Destination
	sessions Sessions
	aws      aws.Config
	s3URL    string
	stsURL   string

	source  string // ARN of the source identity, when STS said it
	session *broker.Session
	date    time.Time // of the last answer of S3
	asked   time.Time

	key      string
	uploadID string // of the probe's upload while it is open
	created  *s3.CreateMultipartUploadOutput
}

func (v *Verifier) newProbe(dest *config.Destination) *probe {
	p := &probe{
		dest: dest, sessions: v.opts.Sessions,
		aws: aws.Config{
			Region: dest.Region, HTTPClient: v.opts.HTTPClient, RetryMaxAttempts: 2,
			APIOptions: []func(*smithymiddleware.Stack) error{middleware.AddUserAgentKey("brokerd-verify")},
		},
		s3URL:  first(dest.Endpoints.S3, v.opts.Config.AWS.Endpoints.S3),
		stsURL: first(dest.Endpoints.STS, v.opts.Config.AWS.Endpoints.STS),
	}
	if dest.KeyTemplate != nil {
		p.key = dest.KeyTemplate.Prefix()
	}
	p.key += ".brokerd-verify/" + ulid.Make().String()
	return p
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// s3 makes a client with the session's credentials.
func (p *probe) s3() *s3.Client { return p.s3As(p.credentials()) }

func (p *probe) s3As(creds aws.CredentialsProvider) *s3.Client {
	return s3.NewFromConfig(p.aws, func(o *s3.Options) {
		o.Credentials = creds
		o.UsePathStyle = p.dest.PathStyle
		if p.s3URL != "" {
			o.BaseEndpoint = aws.String(p.s3URL)
		}
	})
}

func (p *probe) sts() *sts.Client {
	return sts.NewFromConfig(p.aws, func(o *sts.Options) {
		o.Credentials = p.credentials()
		if p.stsURL != "" {
			o.BaseEndpoint = aws.String(p.stsURL)
		}
	})
}

func (p *probe) credentials() aws.CredentialsProvider {
	s := p.session
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey.Reveal(), SessionToken: s.SessionToken.Reveal()}, nil
	})
}

// accountA is the account of the role.
func (p *probe) accountA() string { return accountOf(p.dest.Role) }

// accountB is the account of the bucket and the key.
func (p *probe) accountB() string {
	if p.dest.Owner != "" {
		return p.dest.Owner
	}
	return accountOf(p.dest.KMSKey)
}

func (p *probe) bucketARN() string {
	partition := "aws"
	for _, s := range []string{p.dest.Role, p.dest.KMSKey} {
		if a, err := config.ParseARN(s); err == nil {
			partition = a.Partition
			break
		}
	}
	return "arn:" + partition + ":s3:::" + p.dest.Bucket
}

func accountOf(arn string) string {
	a, err := config.ParseARN(arn)
	if err != nil {
		return ""
	}
	return a.Account
}

// roleName is the last segment of a role's or a session's ARN that names the role.
func roleName(arn string) string {
	a, err := config.ParseARN(arn)
	if err != nil {
		return ""
	}
	parts := strings.Split(a.Resource, "/")
	switch {
	case parts[0] == "role":
		return parts[len(parts)-1]
	case parts[0] == "assumed-role" && len(parts) == 3:
		return parts[1]
	}
	return ""
}
