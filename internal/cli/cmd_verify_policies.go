package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/cli/console"
	"github.com/brokerd/brokerd/internal/cli/setupcmd"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/setup/awsaccounts"
	"github.com/brokerd/brokerd/internal/verify/collect"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// policyFlags are the sources of the policies of both accounts.
type policyFlags struct {
	dir            string
	source, target []string
}

func (f *policyFlags) register(cmd *cobra.Command) {
	cmd.Flags().
		StringVar(&f.dir, "policies", "", "directory with policies as JSON files, such as bucket-policy.json; see docs/guide-verify.md")
	console.DirectoryFlags(cmd, "policies")
	cmd.Flags().
		StringArrayVar(&f.source, "source-profile", nil,
			"read the policies of account A with this profile, a role's ARN, or \"-\" for the environment's credentials; "+
				"may be given more than once")
	cmd.Flags().StringArrayVar(&f.target, "target-profile", nil, "the same for account B")
	console.ProfileFlags(cmd, "source-profile", "target-profile")
}

// reads reports whether policies are read from the accounts.
func (f policyFlags) reads() bool { return len(f.source)+len(f.target) > 0 }

func (f policyFlags) check() error {
	if f.dir == "" {
		return nil
	}
	info, err := os.Stat(f.dir)
	if err != nil {
		return fmt.Errorf("--policies: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("--policies: %s is not a directory", f.dir)
	}
	return nil
}

// verifyOptions reads the policies before the first check. A directory takes
// precedence over an account.
func verifyOptions(
	ctx context.Context,
	a *console.App,
	f verifyFlags,
	backend *verifyBackend,
	names []string,
) (func(string) report.RunOptions, error) {
	all := make(map[string]report.Policies)
	if f.policies.dir != "" {
		for _, name := range names {
			p, err := policiesFor(f.policies.dir, name)
			if err != nil {
				return nil, err
			}
			all[name] = p
		}
	}
	if f.policies.reads() {
		read, err := readAccounts(ctx, f, backend, names)
		if err != nil {
			return nil, err
		}
		for name, p := range read {
			all[name] = together(all[name], p)
		}
	}
	return func(destination string) report.RunOptions {
		return report.RunOptions{Policies: all[destination]}
	}, nil
}

// policiesFor reads the documents of a destination: from its own directory below dir
// if there is one, else from dir, whose documents are for all destinations.
func policiesFor(dir, destination string) (report.Policies, error) {
	own := filepath.Join(dir, destination)
	if info, err := os.Stat(own); err == nil && info.IsDir() {
		dir = own
	}
	return collect.FromDirectory(dir)
}

// together adds the documents of the kinds that first lacks.
func together(first, then report.Policies) report.Policies {
	out := report.Policies{Documents: slices.Clone(first.Documents)}
	for _, d := range then.Documents {
		if !slices.ContainsFunc(first.Documents, func(o report.PolicyDocument) bool { return o.Kind == d.Kind }) {
			out.Documents = append(out.Documents, d)
		}
	}
	return out
}

// readAccounts reads the policies of the destinations with the profiles of the
// flags. A document that they may not read is marked as unreadable.
func readAccounts(ctx context.Context, f verifyFlags, backend *verifyBackend, names []string) (map[string]report.Policies, error) {
	cfg, err := backend.config(ctx)
	if f.config != "" && !f.standalone {
		cfg, err = config.Load(f.config)
	}
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if cfg.Destinations[name] == nil {
			return nil, fmt.Errorf("there is no destination %q in %s", name, orThis(cfg.Path, "the daemon's configuration"))
		}
	}
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return cfg.Destinations[n].Compatible })
	if len(names) == 0 {
		return nil, errors.New("no destination has accounts whose policies could be read: they are S3-compatible stores")
	}
	client, err := awsclient.New(cfg.AWS)
	if err != nil {
		return nil, err
	}
	accounts, err := setupcmd.Connect(
		ctx,
		client,
		cfg.Destinations[names[0]].Region,
		readEndpoints(cfg, names),
		append(slices.Clone(f.policies.source), f.policies.target...),
	)
	if err != nil {
		return nil, err
	}
	return policiesOf(ctx, cfg, accounts, backend.source, names)
}

// policiesOf reads the policies of destinations. source returns the ARN that assumes
// the role of a destination; nil: unknown here.
func policiesOf(
	ctx context.Context,
	cfg *config.Config,
	accounts *awsaccounts.Accounts,
	source func(context.Context, string) (string, error),
	names []string,
) (map[string]report.Policies, error) {
	scope := setup.ScopeOf(cfg, names...)
	sources := make(map[string]string, len(names))
	for _, name := range names {
		sources[name] = cfg.SetupOf(cfg.Destinations[name]).RunsAs.Principal
		if source == nil {
			continue // only the daemon knows its identity
		}
		if arn, err := source(ctx, name); err == nil {
			sources[name] = arn
			if who := awsarn.Role(arn); !slices.Contains(scope.Identities, who) {
				scope.Identities = append(scope.Identities, who)
			}
		}
	}
	if err := concerned(scope, accounts); err != nil {
		return nil, err
	}
	snap, err := accounts.Read(ctx, scope)
	if err != nil {
		return nil, err
	}
	out := make(map[string]report.Policies, len(names))
	for _, name := range names {
		d := cfg.Destinations[name]
		audit := accounts.ReadAudit(ctx, awsarn.Account(d.Role), d.Owner, d.Region, d.Session.Name)
		if d.Session.Name == "" { // unknown here; a guess would find the events of another session
			audit.Events = setup.UnreadPart[[]string]("the name of the session is in the daemon's configuration; give it with --config")
		}
		out[name] = together(collect.FromSnapshot(d, sources[name], *snap), collect.FromAudit(audit.Selectors, audit.Events))
	}
	return out, nil
}

func orThis(s, this string) string {
	if s == "" {
		return this
	}
	return s
}

// readEndpoints returns the endpoints of the accounts: from the configuration, else
// from the SDK's environment. A custom S3 endpoint uses path style, because its
// certificate covers no bucket name.
func readEndpoints(cfg *config.Config, names []string) awsaccounts.Endpoints {
	e := awsaccounts.Endpoints{
		STS: cfg.AWS.Endpoints.STS, S3: cfg.AWS.Endpoints.S3, KMS: cfg.AWS.Endpoints.KMS,
		IAM: cfg.Setup.Endpoints.IAM, CloudTrail: cfg.Setup.Endpoints.CloudTrail,
		PathStyle: os.Getenv("AWS_ENDPOINT_URL_S3") != "" || os.Getenv("AWS_ENDPOINT_URL") != "",
	}
	for _, name := range names {
		d := cfg.Destinations[name]
		e.STS, e.S3, e.KMS = orThis(e.STS, d.Endpoints.STS), orThis(e.S3, d.Endpoints.S3), orThis(e.KMS, d.Endpoints.KMS)
		e.PathStyle = e.PathStyle || d.PathStyle
	}
	return e
}

// concerned refuses credentials of an account that has no part in a destination:
// most likely the profile is wrong.
func concerned(scope setup.Scope, accounts *awsaccounts.Accounts) error {
	known := make(map[string]bool)
	for _, list := range [][]string{scope.Identities, scope.Keys} {
		for _, s := range list {
			if arn, err := awsarn.Parse(s); err == nil {
				known[arn.Account] = true
			}
		}
	}
	for _, b := range scope.Buckets {
		known[b.Account] = true
	}
	for id, caller := range accounts.Callers() {
		if !known[id] {
			return fmt.Errorf(
				"%s is of account %s, and the destinations are of %s: is it the right profile?",
				caller,
				id,
				strings.Join(slices.Sorted(maps.Keys(known)), " and "),
			)
		}
	}
	return nil
}
