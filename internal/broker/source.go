package broker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/config"
)

const (
	// sourceEarly is how long before their expiry source credentials are read again.
	sourceEarly = 5 * time.Minute
	// ecsHost serves the path in AWS_CONTAINER_CREDENTIALS_RELATIVE_URI.
	ecsHost = "http://169.254.170.2"
)

// loadSource returns the SDK configuration of one source. It reads files and the
// environment, and makes no call.
func loadSource(ctx context.Context, src source, region string, client *awshttp.BuildableClient) (aws.Config, error) {
	cfg := aws.Config{Region: region, HTTPClient: client}
	switch src.Type {
	case config.SourceDefault, config.SourceProfile:
		opts := append(awsclient.LoadOptions(client), awsconfig.WithRegion(region))
		if src.Profile != "" {
			opts = append(opts, awsconfig.WithSharedConfigProfile(src.Profile))
		}
		if src.CredentialsFile != "" {
			opts = append(opts, awsconfig.WithSharedCredentialsFiles([]string{src.CredentialsFile}))
		}
		cfg, err := awsconfig.LoadDefaultConfig(ctx, opts...)
		if err != nil {
			return aws.Config{}, err
		}
		if p, ok := credentialProcess(cfg); ok {
			cfg.Credentials = cached(p)
		}
		return cfg, nil
	case config.SourceStatic:
		provider, err := staticKeys(ctx, src)
		if err != nil {
			return aws.Config{}, err
		}
		cfg.Credentials = provider
	case config.SourceWebIdentity:
		cfg.Credentials = aws.AnonymousCredentials{} // the token is part of the call
	case config.SourceContainer:
		provider, err := containerSource(src, client)
		if err != nil {
			return aws.Config{}, err
		}
		cfg.Credentials = cached(provider)
	case config.SourceProcess:
		cfg.Credentials = cached(processSource{name: "aws.source.command", command: src.Command, timeout: processTimeout})
	case config.SourceIMDS:
		cfg.Credentials = cached(ec2rolecreds.New(func(o *ec2rolecreds.Options) {
			// The variable is for hosts with only IPv6; without it the SDK uses 169.254.169.254.
			o.Client = imds.New(
				imds.Options{
					HTTPClient:     awsclient.Direct(client),
					EnableFallback: aws.FalseTernary,
					Endpoint:       os.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT"),
				},
			)
		}))
	default:
		return aws.Config{}, fmt.Errorf("unknown type of source %q", src.Type)
	}
	return cfg, nil
}

// credentialProcess returns the source for the credential_process of a profile, in place
// of the SDK's own: see processSource. It returns false when the chain chose another
// provider, or assumes a role with the command's credentials.
func credentialProcess(cfg aws.Config) (processSource, bool) {
	chosen, ok := cfg.Credentials.(aws.CredentialProviderSource)
	if !ok || !slices.Contains(chosen.ProviderSources(), aws.CredentialSourceProcess) {
		return processSource{}, false
	}
	for _, from := range cfg.ConfigSources {
		if shared, ok := from.(awsconfig.SharedConfig); ok && shared.CredentialProcess != "" && shared.RoleARN == "" {
			name := fmt.Sprintf("credential_process of profile %q", shared.Profile)
			return processSource{name: name, command: shared.CredentialProcess, timeout: processTimeout}, true
		}
	}
	return processSource{}, false
}

// cached hides the optional interfaces of the provider. Through them, the SDK's cache
// would let IMDS extend the expiry of credentials that it failed to refresh.
func cached(p aws.CredentialsProvider) aws.CredentialsProvider {
	return aws.NewCredentialsCache(aws.CredentialsProviderFunc(p.Retrieve), func(o *aws.CredentialsCacheOptions) {
		o.ExpiryWindow, o.ExpiryWindowJitterFrac = sourceEarly, 0.2
	})
}

// staticKeys reads the keys of one profile from one file. It ignores the environment.
func staticKeys(ctx context.Context, src source) (aws.CredentialsProvider, error) {
	profile := src.Profile
	if profile == "" {
		profile = "default"
	}
	shared, err := awsconfig.LoadSharedConfigProfile(ctx, profile, func(o *awsconfig.LoadSharedConfigOptions) {
		o.CredentialsFiles, o.ConfigFiles = []string{src.CredentialsFile}, []string{}
	})
	if err != nil {
		return nil, fmt.Errorf("reading aws.credentials_file %s, profile %s: %w", src.CredentialsFile, profile, err)
	}
	c := shared.Credentials
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return nil, fmt.Errorf(
			"aws.credentials_file %s holds no keys for profile %s; write aws_access_key_id and aws_secret_access_key under [%s]",
			src.CredentialsFile,
			profile,
			profile,
		)
	}
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil }), nil
}

// containerSource reads credentials from the endpoint of ECS or EKS Pod Identity. It
// reads the token file at every call, because EKS rotates the token.
func containerSource(src source, client *awshttp.BuildableClient) (aws.CredentialsProvider, error) {
	url, tokenFile := src.URL, src.TokenFile
	if url == "" {
		url = os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	}
	if relative := os.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); url == "" && relative != "" {
		url = ecsHost + relative
	}
	if url == "" {
		return nil, errors.New(
			"no container endpoint: neither aws.source.url nor AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI is set; " +
				"this process does not run in ECS or with EKS Pod Identity",
		)
	}
	if tokenFile == "" {
		tokenFile = os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
	}
	return endpointcreds.New(url, func(o *endpointcreds.Options) {
		o.HTTPClient = awsclient.Direct(client)
		o.AuthorizationToken = os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN")
		if tokenFile != "" {
			o.AuthorizationTokenProvider = endpointcreds.TokenProviderFunc(func() (string, error) {
				text, err := os.ReadFile(tokenFile)
				if err != nil {
					return "", fmt.Errorf("reading the token of the container endpoint: %w", err)
				}
				return strings.TrimSpace(string(text)), nil
			})
		}
	}), nil
}

// assumeWithWebIdentity assumes the role with the token alone.
func assumeWithWebIdentity(ctx context.Context, client *sts.Client, r Request) (*Session, error) {
	file := r.Source.TokenFile
	if file == "" {
		file = os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE")
	}
	if file == "" {
		return nil, errors.New("no web identity: neither aws.source.token_file nor AWS_WEB_IDENTITY_TOKEN_FILE is set")
	}
	token, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the web identity token: %w", err)
	}
	in := &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String(r.Role), RoleSessionName: aws.String(r.SessionName),
		WebIdentityToken: aws.String(strings.TrimSpace(string(token))), DurationSeconds: aws.Int32(int32(r.Duration / time.Second)),
	}
	if r.Policy != "" {
		in.Policy = aws.String(r.Policy)
	}
	out, err := client.AssumeRoleWithWebIdentity(ctx, in)
	if err != nil {
		return nil, err
	}
	return sessionOf(out.Credentials, out.AssumedRoleUser, out.ResultMetadata)
}

// fileStamp identifies one state of a file. systemd and Kubernetes replace files, and
// editors write into them, so all three fields are needed.
type fileStamp struct {
	modified time.Time
	size     int64
	inode    uint64
}

// stampOf returns the state of the file with the source's keys; zero without a file.
func stampOf(src source) fileStamp {
	file := src.CredentialsFile
	if file == "" && (src.Type == config.SourceDefault || src.Type == config.SourceProfile) {
		if file = os.Getenv("AWS_SHARED_CREDENTIALS_FILE"); file == "" {
			file = awsconfig.DefaultSharedCredentialsFilename()
		}
	}
	if file == "" {
		return fileStamp{}
	}
	info, err := os.Stat(file)
	if err != nil {
		return fileStamp{}
	}
	s := fileStamp{modified: info.ModTime(), size: info.Size()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.inode = sys.Ino
	}
	return s
}
