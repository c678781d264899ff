package setupcmd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/setup/awsaccounts"
)

// setupFlags are what plan, apply and remove share.
type setupFlags struct {
	config         string
	source, target []string
	handOver       string
	out            console.Format
	named          *console.Destinations
}

const accountsHelp = `
The accounts are reached with profiles of the shared AWS configuration. One of
--source-profile (account A, the roles) and --target-profile (account B, bucket
and key) is enough: the other half is then written to a file for that account's
administrator. In place of a profile's name, the ARN of a role is assumed with
the environment's credentials, and "-" means those credentials themselves. Roles of a chain in
further accounts take one more --source-profile each.`

func (f *setupFlags) add(a *console.App, cmd *cobra.Command) {
	fl := cmd.Flags()
	console.ConfigFlag(cmd, &f.config, "", "configuration file")
	f.named = a.DestinationFlag(
		cmd,
		"only this destination; may be given more than once",
		func(*cobra.Command) []string { return namesIn(f.config) },
	)
	fl.StringArrayVar(&f.source, "source-profile", nil, "profile for account A, a role's ARN, or \"-\"; may be given more than once")
	fl.StringArrayVar(&f.target, "target-profile", nil, "profile for account B, a role's ARN, or \"-\"; may be given more than once")
	fl.StringVar(&f.handOver, "handover", ".", "directory for the file for the administrator of an account that is not reached")
	console.OutputFlag(cmd, &f.out)
	a.ColorFlag(cmd)
	console.ProfileFlags(cmd, "source-profile", "target-profile")
	console.DirectoryFlags(cmd, "handover")
}

// namesIn returns the destinations of a configuration file; none when it cannot be read.
func namesIn(path string) []string {
	cfg, err := config.Load(path)
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(cfg.Destinations))
}

// arrangement is the connected accounts and the state that the configuration asks for.
type arrangement struct {
	cfg      *config.Config
	state    setup.State
	accounts *awsaccounts.Accounts
}

func (f *setupFlags) open(ctx context.Context, destinations []string) (*arrangement, error) {
	if f.config == "" {
		return nil, console.UsageError(errors.New("--config FILE is missing"))
	}
	if len(f.source)+len(f.target) == 0 {
		return nil, console.UsageError(errors.New("give --source-profile for account A, --target-profile for account B, or both"))
	}
	cfg, err := config.Load(f.config)
	if err != nil {
		return nil, err
	}
	for _, name := range destinations {
		if d, ok := cfg.Destinations[name]; !ok {
			known := slices.Sorted(maps.Keys(cfg.Destinations))
			return nil, fmt.Errorf(
				"destination %q is not in %s; there are %s%s",
				name,
				f.config,
				strings.Join(known, ", "),
				console.DidYouMean(name, known),
			)
		} else if d.Compatible {
			return nil, fmt.Errorf("destination %q is an S3-compatible store: it has no accounts to set up", name)
		}
	}
	state, err := setup.StateOf(cfg)
	if err != nil {
		return nil, err
	}
	if len(state.Deliveries) == 0 {
		return nil, errors.New("every destination is an S3-compatible store: there are no accounts to set up")
	}
	client, err := awsclient.New(cfg.AWS)
	if err != nil {
		return nil, err
	}
	accounts, err := Connect(
		ctx,
		client,
		state.Deliveries[0].Destination.Region,
		setupEndpoints(cfg, state),
		append(slices.Clone(f.source), f.target...),
	)
	if err != nil {
		return nil, err
	}
	if err := expected(state, accounts); err != nil {
		return nil, err
	}
	return &arrangement{cfg, state, accounts}, nil
}

// Connect reaches accounts with profiles of the shared AWS configuration, roles'
// ARNs, or, for "-", the environment's credentials.
func Connect(
	ctx context.Context,
	client *awshttp.BuildableClient,
	region string,
	e awsaccounts.Endpoints,
	profiles []string,
) (*awsaccounts.Accounts, error) {
	var configs []aws.Config
	for _, profile := range profiles {
		opts := append(awsclient.LoadOptions(client), awsconfig.WithRegion(region))
		if profile != "-" && !strings.HasPrefix(profile, "arn:") {
			opts = append(opts, awsconfig.WithSharedConfigProfile(profile))
		}
		c, err := awsconfig.LoadDefaultConfig(ctx, opts...)
		if err != nil {
			var missing awsconfig.SharedConfigProfileNotExistError
			if known := console.AWSProfiles(); errors.As(err, &missing) && len(known) > 0 {
				return nil, fmt.Errorf(
					"there is no profile %q in the shared AWS files; there are %s%s",
					profile,
					strings.Join(known, ", "),
					console.DidYouMean(profile, known),
				)
			}
			return nil, fmt.Errorf("profile %s: %w", profile, err)
		}
		if strings.HasPrefix(profile, "arn:") {
			by := sts.NewFromConfig(c, func(o *sts.Options) {
				if e.STS != "" {
					o.BaseEndpoint = aws.String(e.STS)
				}
			})
			c.Credentials = aws.NewCredentialsCache(
				stscreds.NewAssumeRoleProvider(by, profile, func(o *stscreds.AssumeRoleOptions) { o.RoleSessionName = "brokerctl-setup" }),
			)
		}
		configs = append(configs, c)
	}
	return awsaccounts.Connect(ctx, e, configs...)
}

// expected refuses credentials of an account that the configuration knows nothing
// of: the wrong profile, most likely.
func expected(state setup.State, accounts *awsaccounts.Accounts) error {
	var known []string
	note := func(id string) {
		if !slices.Contains(known, id) {
			known = append(known, id)
		}
	}
	for _, r := range state.Roles {
		note(r.Account)
	}
	for _, s := range state.Sources {
		note(s.Account)
	}
	for _, b := range state.Buckets {
		note(b.Account)
	}
	for id, caller := range accounts.Callers() {
		if !slices.Contains(known, id) {
			return fmt.Errorf(
				"%s is of account %s, and the configuration is about %s: is it the right profile?",
				caller,
				id,
				strings.Join(known, " and "),
			)
		}
	}
	return nil
}

// setupEndpoints are the configuration's, the file's before a destination's.
func setupEndpoints(cfg *config.Config, state setup.State) awsaccounts.Endpoints {
	e := awsaccounts.Endpoints{
		STS: cfg.AWS.Endpoints.STS, S3: cfg.AWS.Endpoints.S3, KMS: cfg.AWS.Endpoints.KMS,
		IAM: cfg.Setup.Endpoints.IAM, CloudTrail: cfg.Setup.Endpoints.CloudTrail,
	}
	for _, d := range state.Deliveries {
		own := d.Destination.Endpoints
		for _, pair := range []struct {
			into *string
			from string
		}{{&e.STS, own.STS}, {&e.S3, own.S3}, {&e.KMS, own.KMS}} {
			if *pair.into == "" {
				*pair.into = pair.from
			}
		}
		e.PathStyle = e.PathStyle || d.Destination.PathStyle
	}
	return e
}

// plan reads the accounts and plans.
func (r *arrangement) plan(ctx context.Context, o setup.PlanOptions) (*setup.Plan, error) {
	scope := setup.ScopeOf(r.cfg)
	scope.Unfinished = o.Remove
	snap, err := r.accounts.Read(ctx, scope)
	if err != nil {
		return nil, err
	}
	return setup.NewPlan(r.state, snap, o)
}
