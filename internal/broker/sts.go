package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/brokerd/brokerd/internal/secret"
)

// Issuer issues sessions. The default one calls STS.
type Issuer interface {
	// Issue makes one AssumeRole call, or returns the source credentials when the request
	// names no role. It may be called from several goroutines. The session has no
	// RefreshAt and no Generation yet. via is the session of the previous role in a chain;
	// nil: use the source's own credentials.
	Issue(ctx context.Context, r Request, via *Session) (*Session, error)
	// Forget drops the cached source of the request, so that the next call reads it again.
	Forget(r Request)
	// SourceARN returns the identity of the request's source credentials.
	SourceARN(ctx context.Context, r Request) (string, error)
}

// stsIssuer loads the source credentials and calls STS. The SDK makes up to three
// attempts; this type adds no retries.
type stsIssuer struct {
	http *awshttp.BuildableClient

	mu      sync.Mutex
	sources map[sourceKey]heldSource
}

type sourceKey struct {
	source source
	region string
}

type heldSource struct {
	cfg   aws.Config
	stamp fileStamp
}

func newSTSIssuer(http *awshttp.BuildableClient) *stsIssuer {
	return &stsIssuer{http: http, sources: make(map[sourceKey]heldSource)}
}

// source loads the SDK configuration once per source and Region, and again when the
// credentials file has changed. Its credentials are cached until they expire.
func (i *stsIssuer) source(ctx context.Context, r Request) (aws.Config, error) {
	key := sourceKey{r.Source, r.Region}
	now := stampOf(r.Source)
	i.mu.Lock()
	held, ok := i.sources[key]
	i.mu.Unlock()
	if ok && held.stamp == now {
		return held.cfg, nil
	}
	cfg, err := loadSource(ctx, r.Source, r.Region, i.http)
	if err != nil {
		return aws.Config{}, fmt.Errorf("loading the source credentials: %w", err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if first, ok := i.sources[key]; ok && first.stamp == now {
		return first.cfg, nil
	}
	i.sources[key] = heldSource{cfg, now}
	return cfg, nil
}

// Forget implements Issuer.
func (i *stsIssuer) Forget(r Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.sources, sourceKey{r.Source, r.Region})
}

func (i *stsIssuer) client(ctx context.Context, r Request, via *Session) (*sts.Client, aws.Config, error) {
	cfg, err := i.source(ctx, r)
	if err != nil {
		return nil, aws.Config{}, err
	}
	if via != nil {
		cfg.Credentials = credentials.StaticCredentialsProvider{Value: via.credentials()}
	}
	// Only the credentials come from the SDK's configuration. Its other settings would
	// reach STS and not S3; config.ApplyEnvironment takes them over for both.
	clean := aws.Config{Region: r.Region, HTTPClient: i.http, Credentials: cfg.Credentials}
	return sts.NewFromConfig(clean, func(o *sts.Options) {
		if r.Endpoint != "" {
			o.BaseEndpoint = aws.String(r.Endpoint)
		}
		if r.FIPS {
			o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
		}
		if r.DualStack {
			o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
		}
	}), cfg, nil
}

// Issue implements Issuer.
func (i *stsIssuer) Issue(ctx context.Context, r Request, via *Session) (*Session, error) {
	s, err := i.issue(ctx, r, via)
	if err != nil && ctx.Err() != nil {
		// The source may hang, and its cache lets later calls join the one that hangs.
		i.Forget(r)
	}
	return s, err
}

func (i *stsIssuer) issue(ctx context.Context, r Request, via *Session) (*Session, error) {
	client, cfg, err := i.client(ctx, r, via)
	if err != nil {
		return nil, err
	}
	if r.Role == "" {
		return sourceSession(ctx, cfg.Credentials)
	}
	if r.straight() {
		return assumeWithWebIdentity(ctx, client, r)
	}
	in := &sts.AssumeRoleInput{
		RoleArn:         aws.String(r.Role),
		RoleSessionName: aws.String(r.SessionName),
		DurationSeconds: aws.Int32(int32(r.Duration / time.Second)),
	}
	if r.ExternalID != "" {
		in.ExternalId = aws.String(r.ExternalID)
	}
	if r.SourceIdentity != "" {
		in.SourceIdentity = aws.String(r.SourceIdentity)
	}
	for _, k := range slices.Sorted(maps.Keys(r.Tags)) {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(k), Value: aws.String(r.Tags[k])})
	}
	in.TransitiveTagKeys = r.TransitiveTags
	if r.Policy != "" {
		in.Policy = aws.String(r.Policy)
	}
	out, err := client.AssumeRole(ctx, in)
	if err != nil {
		return nil, err
	}
	return sessionOf(out.Credentials, out.AssumedRoleUser, out.ResultMetadata)
}

// sessionOf makes a session of STS's response. It refuses an incomplete one.
func sessionOf(c *types.Credentials, user *types.AssumedRoleUser, md middleware.Metadata) (*Session, error) {
	if c == nil {
		return nil, &unusableError{"it has no credentials"}
	}
	s := &Session{
		AccessKeyID:     aws.ToString(c.AccessKeyId),
		SecretAccessKey: secret.New(aws.ToString(c.SecretAccessKey)),
		SessionToken:    secret.New(aws.ToString(c.SessionToken)),
		Issued:          time.Now(),
		Expires:         aws.ToTime(c.Expiration),
	}
	s.serverTime, _ = awsmiddleware.GetServerTime(md)
	if user != nil {
		s.AssumedRoleARN = aws.ToString(user.Arn)
	}
	if s.AccessKeyID == "" || s.SecretAccessKey.Empty() || s.SessionToken.Empty() || s.Expires.IsZero() {
		return nil, &unusableError{"a key, the token or the expiry is missing"}
	}
	return s, nil
}

func sourceSession(ctx context.Context, provider aws.CredentialsProvider) (*Session, error) {
	c, err := provider.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the source credentials: %w", err)
	}
	s := &Session{
		AccessKeyID: c.AccessKeyID, SecretAccessKey: secret.New(c.SecretAccessKey),
		SessionToken: secret.New(c.SessionToken), Issued: time.Now(),
	}
	if c.CanExpire {
		s.Expires = c.Expires
	}
	if s.AccessKeyID == "" || s.SecretAccessKey.Empty() {
		return nil, &unusableError{"the source credentials are empty"}
	}
	return s, nil
}

// ErrNoSourceARN is returned for a source that has no identity in AWS yet.
var ErrNoSourceARN = errors.New("a web identity has no ARN before it assumes a role")

// SourceARN implements Issuer.
func (i *stsIssuer) SourceARN(ctx context.Context, r Request) (string, error) {
	if r.straight() {
		return "", ErrNoSourceARN
	}
	client, _, err := i.client(ctx, r, nil)
	if err != nil {
		return "", err
	}
	out, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.Arn), nil
}
