package initcmd

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/config/edit"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

// answers are the answers of the user, as they were typed: for example names where the
// configuration needs ARNs.
type answers struct {
	sourceAccount, targetAccount  string
	bucket, region, kmsKey        string
	prefix                        string
	runsAs                        string
	principal, provider, subject  string
	role, externalID, destination string
	user, durability              string
	createBucket                  string // yes or no

	File    *config.Config // the file that is added to; nil: a new one
	sandbox *sandboxHere   // the sandbox that the environment points at; nil: AWS
}

func (s *answers) register(cmd *cobra.Command) {
	for _, q := range s.questions() {
		shorthand := ""
		if q.flag == "destination" {
			shorthand = "d" // as everywhere
		}
		cmd.Flags().StringVarP(q.value, q.flag, shorthand, "", q.help)
	}
	for flag, words := range map[string][]string{
		"runs-as": {
			config.RunsEC2, config.RunsECS, config.RunsPodIdentity, config.RunsWebIdentity, config.RunsRole, config.RunsUser,
		},
		"durability":    {config.DurabilityDirect, config.DurabilitySpool, config.DurabilitySpoolWait},
		"create-bucket": {"yes", "no"},
	} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	}
}

// roleName is a name for the role of a destination; IAM allows 64 characters.
func roleName(destination string) string {
	name := "brokerd-" + destination
	return name[:min(len(name), 64)]
}

// runner is the type of the identity that runs the daemon, if it is known.
func (s *answers) runner() string {
	switch {
	case s.runsAs != "" || s.File == nil:
		return s.runsAs
	case s.File.Setup.RunsAs.Type == "" && s.File.AWS.Source.Type == config.SourceWebIdentity:
		return config.RunsWebIdentity
	}
	return s.File.Setup.RunsAs.Type
}

var keyID = regexp.MustCompile(`^(mrk-)?[0-9A-Za-z][0-9A-Za-z-]*$`)

// draft turns the answers into a draft of the file. A missing answer becomes a valid
// example value.
func (s *answers) draft() edit.Draft {
	key, _ := awsarn.Parse(s.kmsKey) // nothing of one where it is an id
	ofRole, _ := awsarn.Parse(s.role)
	region := cmp.Or(s.region, key.Region, "eu-west-1")
	owner := cmp.Or(s.targetAccount, key.Account, "444455556666")
	account := cmp.Or(s.sourceAccount, ofRole.Account, "111122223333")
	partition := config.PartitionOf(region)
	inIAM := func(kind, name string) string {
		if name == "" || strings.HasPrefix(name, "arn:") {
			return name
		}
		return "arn:" + partition + ":iam::" + account + ":" + kind + "/" + strings.TrimPrefix(name, "/")
	}
	arn := cmp.Or(s.kmsKey, "0")
	if s.sandbox != nil && arn == newKey {
		arn = "0"
	}
	if keyID.MatchString(arn) {
		arn = "arn:" + partition + ":kms:" + region + ":" + owner + ":key/" + arn
	}
	name := cmp.Or(s.destination, "audit-logs")
	d := edit.Draft{Uploader: cmp.Or(s.user, "app"), Destination: edit.Destination{
		Name: name, Role: inIAM("role", cmp.Or(s.role, roleName(name))), Bucket: cmp.Or(s.bucket, "a-bucket"),
		Owner: owner, Region: region, KMSKey: arn, Key: edit.KeyBelow(s.prefix), ExternalID: s.externalID,
	}}
	if s.durability != config.DurabilityDirect {
		d.Destination.Durability = s.durability
	}
	d.CreateBucket = s.createBucket == "yes"
	if s.sandbox != nil {
		d.Sandbox, d.Destination.PathStyle = s.sandbox.places(), true
	}
	if s.runsAs != "" {
		d.RunsAs.Type = s.runsAs
		d.Source = sources[s.runsAs]
		if s.runsAs == config.RunsWebIdentity {
			d.RunsAs.Provider = inIAM("oidc-provider", cmp.Or(strings.TrimPrefix(s.provider, "https://"), "oidc.example.org"))
			d.RunsAs.Subject = cmp.Or(s.subject, "system:serviceaccount:a:b")
			if namespace, account, short := strings.Cut(s.subject, "/"); short && !strings.Contains(s.subject, ":") {
				d.RunsAs.Subject = "system:serviceaccount:" + namespace + ":" + account
			}
		} else {
			kind := "role"
			if s.runsAs == config.RunsUser {
				kind = "user"
			}
			d.RunsAs.Principal = inIAM(kind, cmp.Or(s.principal, "an-identity"))
		}
	}
	return d
}

// sources returns the source credentials for the identity that runs the daemon; by
// default the SDK's chain.
var sources = map[string]string{
	config.RunsEC2:         config.SourceIMDS,
	config.RunsECS:         config.SourceContainer,
	config.RunsPodIdentity: config.SourceContainer,
	config.RunsWebIdentity: config.SourceWebIdentity,
}

// check applies the rules of the configuration to one answer, and ignores their errors
// about other answers.
func (s *answers) check(q question) error {
	if q.plain != nil {
		if err := q.plain(*q.value); err != nil {
			return err
		}
	}
	d := s.draft()
	if role, err := awsarn.Parse(s.role); q.flag == "role" && err == nil && s.sourceAccount != "" && role.Account != s.sourceAccount {
		return fmt.Errorf("the role is of account %s, and account A is %s", role.Account, s.sourceAccount)
	}
	_, err := edit.New("", d)
	var faults config.Errors
	if !errors.As(err, &faults) {
		return err
	}
	for _, f := range faults {
		if slices.Contains(q.at, strings.Replace(f.Path, "destinations."+d.Destination.Name, "destinations.NAME", 1)) {
			return fmt.Errorf("%s (%s)", f.Message, f.Hint)
		}
	}
	return nil
}
