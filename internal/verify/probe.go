package verify

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithymiddleware "github.com/aws/smithy-go/middleware"
	"github.com/oklog/ulid/v2"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// probe is what one run knows so far.
type probe struct {
	dest     *config.Destination
	sessions Sessions
	opts     report.RunOptions
	docs     library
	calls    *budget
	aws      aws.Config // with the HTTP client of STS and KMS
	s3HTTP   aws.HTTPClient
	s3URL    string
	stsURL   string
	kmsURL   string
	proxy    func(*http.Request) (*url.URL, error) // for S3
	roots    tlsRoots

	source     string // ARN of the source identity, when STS said it
	noSource   string // why it has none: a web identity
	tokenFile  string // of a web identity, when it is configured
	token      webToken
	session    *broker.Session
	date       time.Time // of the last answer of S3
	asked      time.Time
	headStatus int
	headRegion string
	headErr    error
	predicted  prediction
	told       []told // findings that earlier checks have told
	passed     map[stepID]bool

	key      string
	uploadID string // of the probe's upload while it is open
	created  *s3.CreateMultipartUploadOutput
	canary   string // key of the object that was written

	leftovers Leftovers                  // nil: there are none
	begun     map[string]func(gone bool) // by upload id: what is written down

	wide *broker.Session // of the role, without brokerd's own limits

	direct    *directUse
	s3Address string // how this host reaches S3, in words
}

func (v *Verifier) newProbe(dest *config.Destination, o report.RunOptions) (*probe, error) {
	calls := &budget{}
	p := &probe{
		dest: dest, sessions: v.opts.Sessions, opts: o, docs: newLibrary(o.Policies), calls: calls, passed: make(map[stepID]bool),
		leftovers: v.opts.Leftovers, begun: make(map[string]func(bool)),
		aws: aws.Config{
			Region: dest.Region, HTTPClient: counted{v.opts.HTTPClient, calls}, RetryMaxAttempts: 2,
			APIOptions: []func(*smithymiddleware.Stack) error{middleware.AddUserAgentKey("brokerd-verify")},
		},
		s3URL:     first(dest.Endpoints.S3, v.opts.Config.AWS.Endpoints.S3),
		stsURL:    first(dest.Endpoints.STS, v.opts.Config.AWS.Endpoints.STS),
		tokenFile: v.opts.Config.AWS.Source.TokenFile,
		kmsURL:    first(dest.Endpoints.KMS, v.opts.Config.AWS.Endpoints.KMS),
	}
	if err := p.network(v); err != nil {
		return nil, fmt.Errorf("verifying destination %q: %w", dest.Name, err)
	}
	if dest.KeyTemplate != nil {
		p.key = dest.KeyTemplate.Prefix()
	}
	p.key += ".brokerd-verify/" + ulid.Make().String()
	return p, nil
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// s3 makes a client with the session's credentials.
func (p *probe) s3() *s3.Client { return p.s3As(credentialsOf(p.session), p.aws.RetryMaxAttempts) }

// asking is a client for questions whose answer is expected to be no: it asks once.
func (p *probe) asking(s *broker.Session) *s3.Client { return p.s3As(credentialsOf(s), 1) }

func (p *probe) s3As(creds aws.CredentialsProvider, attempts int) *s3.Client {
	return s3.NewFromConfig(p.aws, func(o *s3.Options) {
		o.Credentials = creds
		o.HTTPClient = p.s3HTTP
		o.RetryMaxAttempts = attempts
		o.UsePathStyle = p.dest.PathStyle
		if p.dest.FIPS {
			o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
		}
		if p.dest.DualStack {
			o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
		}
		if p.s3URL != "" {
			o.BaseEndpoint = aws.String(p.s3URL)
		}
	})
}

func (p *probe) sts() *sts.Client {
	return sts.NewFromConfig(p.aws, func(o *sts.Options) {
		o.Credentials = credentialsOf(p.session)
		if p.stsURL != "" {
			o.BaseEndpoint = aws.String(p.stsURL)
		}
	})
}

func (p *probe) kms(s *broker.Session) *kms.Client {
	return kms.NewFromConfig(p.aws, func(o *kms.Options) {
		o.Credentials = credentialsOf(s)
		o.RetryMaxAttempts = 1
		if p.kmsURL != "" {
			o.BaseEndpoint = aws.String(p.kmsURL)
		}
	})
}

func credentialsOf(s *broker.Session) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey.Reveal(), SessionToken: s.SessionToken.Reveal()}, nil
	})
}

// accountA is the account of the role.
func (p *probe) accountA() string { return awsarn.Account(p.dest.Role) }

// accountB is the account of the bucket and the key.
func (p *probe) accountB() string {
	if p.dest.Owner != "" {
		return p.dest.Owner
	}
	return awsarn.Account(p.dest.KMSKey)
}

func (p *probe) partition() string {
	for _, s := range []string{p.dest.Role, p.dest.KMSKey} {
		if a, err := awsarn.Parse(s); err == nil {
			return a.Partition
		}
	}
	return "aws"
}

func (p *probe) bucketARN() string { return "arn:" + p.partition() + ":s3:::" + p.dest.Bucket }

// roleName is the last segment of a role's or a session's ARN that names the role.
func roleName(arn string) string {
	a, err := awsarn.Parse(arn)
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
