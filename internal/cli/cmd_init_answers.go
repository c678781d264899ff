package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os/user"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/config/edit"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

// answers are what init has to be told, as it was said: names where the
// configuration wants ARNs, for example.
type answers struct {
	sourceAccount, targetAccount  string
	bucket, region, kmsKey        string
	prefix                        string
	runsAs                        string
	principal, provider, subject  string
	role, externalID, destination string
	user, durability              string

	file *config.Config // the file that is added to; nil: a new one
}

func (s *answers) register(cmd *cobra.Command) {
	for _, q := range s.questions() {
		cmd.Flags().StringVar(q.value, q.flag, "", q.help)
	}
}

// question is one thing to be told: a flag, or a question on a terminal.
type question struct {
	flag, help, ask string
	value           *string
	usual           func() string // the answer where none is given; nil or "": there is none
	optional        bool          // there may be no answer at all
	known           func() bool   // other answers say it already
	wrong           func() bool   // nothing would come of an answer
	at              []string      // places in a configuration whose faults are faults of this answer
}

func (q question) skipped() bool { return (q.known != nil && q.known()) || q.refused() }
func (q question) refused() bool { return q.wrong != nil && q.wrong() }

// questions in the order in which they build on each other.
func (s *answers) questions() []question {
	const stanza, runsAs = "destinations.NAME.", "setup.runs_as."
	inFile := func() bool { return s.file != nil && s.file.Setup.RunsAs.Type != "" }
	web := func() bool { return s.runner() == config.RunsWebIdentity }
	notRole := func() bool { return inFile() || web() }
	notToken := func() bool { return inFile() || !web() }
	roleSaid := func() bool { return strings.HasPrefix(s.role, "arn:") }
	keySaid := func() bool { return strings.HasPrefix(s.kmsKey, "arn:") }
	return []question{
		{flag: "source-account", ask: "Account A, where brokerd runs (12 digits)", help: "account A, where the daemon runs (default: that of the role's ARN)",
			value: &s.sourceAccount, known: roleSaid, at: []string{stanza + "role"}},
		{flag: "target-account", ask: "Account B, which owns the bucket and the key (12 digits)", help: "account B, which owns bucket and key (default: that of the key's ARN)",
			value: &s.targetAccount, known: keySaid, at: []string{stanza + "owner"}},
		{flag: "bucket", ask: "Bucket", help: "name of the bucket",
			value: &s.bucket, at: []string{stanza + "bucket"}},
		{flag: "region", ask: "Region of the bucket and the key", help: "Region of bucket and key (default: that of the key's ARN)",
			value: &s.region, known: keySaid, at: []string{stanza + "region"}},
		{flag: "kms-key", ask: "KMS key (id or full ARN)", help: "id or full ARN of the KMS key",
			value: &s.kmsKey, at: []string{stanza + "kms_key"}},
		{flag: "prefix", ask: "Prefix in the bucket", help: `prefix of all objects; / for the whole bucket (default logs)`,
			value: &s.prefix, usual: func() string { return "logs" }, at: []string{stanza + "key"}},
		{flag: "destination", ask: "Name of the destination", help: "name of the destination (default: the bucket's)",
			value: &s.destination, usual: func() string { return s.bucket }, optional: true, at: []string{"destinations.NAME"}},
		{flag: "role", ask: "Role that brokerd assumes in account A (name or ARN)", help: "name or ARN of the role that the daemon assumes (default brokerd-DESTINATION)",
			value: &s.role, usual: func() string { return roleName(s.destination) }, at: []string{stanza + "role"}},
		{flag: "runs-as", ask: whoRuns, help: "who the daemon runs as: ec2, ecs, pod-identity, web-identity, role or user",
			value: &s.runsAs, usual: s.runner, wrong: inFile, at: []string{runsAs + "type"}},
		{flag: "principal", ask: "Name or ARN of that role or user", help: "name or ARN of the role or user that the daemon runs as",
			value: &s.principal, wrong: notRole, at: []string{runsAs + "principal"}},
		{flag: "oidc-provider", ask: "OpenID Connect provider (URL or ARN)", help: "for web-identity: URL or ARN of the OpenID Connect provider",
			value: &s.provider, wrong: notToken, at: []string{runsAs + "provider"}},
		{flag: "subject", ask: "Service account (NAMESPACE/NAME, or the token's sub)", help: "for web-identity: NAMESPACE/NAME of the service account, or the token's sub",
			value: &s.subject, wrong: notToken, at: []string{runsAs + "subject"}},
		{flag: "external-id", ask: "External id (empty: none)", help: "external id that the role's trust policy is to ask for",
			value: &s.externalID, optional: true, wrong: web, at: []string{stanza + "session.external_id"}},
		{flag: "user", ask: "Local user whose programs upload", help: "local user who may upload (default: you)",
			value: &s.user, usual: currentUser, at: []string{"access[0].peer.uid"}},
		{flag: "durability", ask: "Durability: direct, spool or spool-wait", help: "direct, spool or spool-wait (default direct)",
			value: &s.durability, usual: func() string { return config.DurabilityDirect }, at: []string{stanza + "durability"}},
	}
}

const whoRuns = `Who does brokerd run as?
  ec2           the role of an EC2 instance
  ecs           the role of an ECS task
  pod-identity  a role that EKS Pod Identity hands out
  web-identity  an EKS service account with an OpenID Connect token (IRSA)
  role          another role
  user          an IAM user with keys
One of these`

// roleName is a name for the role of a destination; IAM allows 64 characters.
func roleName(destination string) string {
	name := "brokerd-" + destination
	return name[:min(len(name), 64)]
}

func currentUser() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}

// runner is the type of who runs the daemon, as far as it is known.
func (s *answers) runner() string {
	switch {
	case s.runsAs != "" || s.file == nil:
		return s.runsAs
	case s.file.Setup.RunsAs.Type == "" && s.file.AWS.Source.Type == config.SourceWebIdentity:
		return config.RunsWebIdentity
	}
	return s.file.Setup.RunsAs.Type
}

var keyID = regexp.MustCompile(`^(mrk-)?[0-9A-Za-z][0-9A-Za-z-]*$`)

// draft turns the answers into what a file says. Where an answer is missing yet
// something stands that is in nobody's way.
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

// sources are the source credentials of who runs the daemon; the SDK's chain
// where nothing finer is known.
var sources = map[string]string{
	config.RunsEC2:         config.SourceIMDS,
	config.RunsECS:         config.SourceContainer,
	config.RunsPodIdentity: config.SourceContainer,
	config.RunsWebIdentity: config.SourceWebIdentity,
}

// check lets the rules of the configuration judge an answer. What they say of
// other answers is left to those.
func (s *answers) check(q question) error {
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
