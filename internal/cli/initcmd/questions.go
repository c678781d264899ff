package initcmd

import (
	"cmp"
	"fmt"
	"os"
	"os/user"
	"regexp"
	"strings"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/brokerd/brokerd/internal/config"
)

// question is one setting: a flag, or a question on a terminal.
type question struct {
	flag, help, ask string
	explain         string // the answer to "?"
	value           *string
	usual           func() string      // the answer where none is given; nil or "": there is none
	plain           func(string) error // a check of the answer by itself, before the configuration's rules
	optional        bool               // there may be no answer at all
	known           func() bool        // other answers say it already
	wrong           func() bool        // nothing would come of an answer
	inFile          string             // the file's own value where wrong refuses another one
	at              []string           // places in a configuration whose faults are faults of this answer
}

func (q question) skipped() bool { return (q.known != nil && q.known()) || q.refused() }
func (q question) refused() bool { return q.wrong != nil && q.wrong() }

// usually returns the default answer.
func (q question) usually() string {
	if q.usual == nil {
		return ""
	}
	return q.usual()
}

// questions are ordered: later ones use earlier answers.
func (s *answers) questions() []question {
	const stanza, runsAs = "destinations.NAME.", "setup.runs_as."
	inFile := func() bool { return s.File != nil && s.File.Setup.RunsAs.Type != "" }
	web := func() bool { return s.runner() == config.RunsWebIdentity }
	notRole := func() bool { return inFile() || web() }
	notToken := func() bool { return inFile() || !web() }
	roleSaid := func() bool { return strings.HasPrefix(s.role, "arn:") }
	keySaid := func() bool { return strings.HasPrefix(s.kmsKey, "arn:") }
	var file config.RunsAs
	if s.File != nil {
		file = s.File.Setup.RunsAs
	}
	return []question{
		{
			flag: "source-account",
			ask:  "Account A, where brokerd runs (12 digits)",
			help: "account A, where the daemon runs (default: that of the role's ARN)",
			explain: "The AWS account of your application. brokerd assumes a role of this account.\n" +
				"`aws sts get-caller-identity` prints its number.",
			value: &s.sourceAccount,
			usual: func() string { return s.sandbox.accountA() },
			plain: twelveDigits,
			known: roleSaid,
			at:    []string{stanza + "role"},
		},
		{
			flag: "target-account",
			ask:  "Account B, which owns the bucket and the key (12 digits)",
			help: "account B, which owns bucket and key (default: that of the key's ARN)",
			explain: "The AWS account that owns the bucket and the KMS key. It may be account A.\n" +
				"The number is sent with every request: a bucket of another owner gets nothing.",
			value: &s.targetAccount,
			usual: func() string { return s.sandbox.accountB() },
			plain: twelveDigits,
			known: keySaid,
			at:    []string{stanza + "owner"},
		},
		{flag: "bucket", ask: "Bucket", help: "name of the bucket",
			explain: "The bucket in account B, by its name alone: no s3://, no path.",
			value:   &s.bucket, plain: bucketName, at: []string{stanza + "bucket"}},
		{
			flag: "create-bucket",
			ask:  "Is setup to create the bucket? (yes or no)",
			help: "yes: `brokerctl setup apply` creates the bucket; no: it is there (default no)",
			explain: "no: the bucket exists; setup changes its policy and settings.\n" +
				"yes: setup creates it in account B, private and encrypted with the key.",
			value: &s.createBucket,
			usual: s.usualCreateBucket,
			plain: yesOrNo,
			at:    []string{stanza + "setup.create_bucket"},
		},
		{
			flag:    "region",
			ask:     "Region of the bucket and the key",
			help:    "Region of bucket and key (default: that of the key's ARN, else $AWS_REGION)",
			explain: "The AWS Region of the bucket, such as eu-west-1. The KMS key must be in the same one.",
			value:   &s.region,
			usual: func() string {
				return cmp.Or(s.sandbox.region(), os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))
			},
			known: keySaid,
			at:    []string{stanza + "region"},
		},
		{flag: "kms-key", ask: "KMS key (id or full ARN)", help: "id or full ARN of the KMS key",
			explain: "The key in account B that encrypts the objects, by id or ARN; an alias does not work across accounts.\n" +
				"There is none yet? In another terminal: brokerctl setup create-key --target-profile B --region REGION\nIn a sandbox, new makes one.",
			value: &s.kmsKey, usual: s.sandbox.usualKey, at: []string{stanza + "kms_key"}},
		{flag: "prefix", ask: "Prefix in the bucket", help: `prefix of all objects; / for the whole bucket (default logs)`,
			explain: "Objects are written below this prefix only. The policies that setup writes end at it.",
			value:   &s.prefix, usual: func() string { return "logs" }, at: []string{stanza + "key"}},
		{flag: "destination", ask: "Name of the destination", help: "name of the destination (default: the bucket's)",
			explain: "The name by which clients upload: brokerctl upload -d NAME. Lower case letters, digits and hyphens.",
			value:   &s.destination, usual: func() string { return s.bucket }, optional: true, at: []string{"destinations.NAME"}},
		{
			flag:    "role",
			ask:     "Role that brokerd assumes in account A (name or ARN)",
			help:    "name or ARN of the role that the daemon assumes (default brokerd-DESTINATION)",
			explain: "The role whose sessions write the objects. setup creates it if it does not exist.",
			value:   &s.role,
			usual:   func() string { return roleName(s.destination) },
			at:      []string{stanza + "role"},
		},
		{flag: "runs-as", ask: whoRuns, help: "who the daemon runs as: ec2, ecs, pod-identity, web-identity, role or user",
			explain: "The AWS identity of the daemon itself. The role's trust policy names it, and nothing else may assume the role.",
			value:   &s.runsAs, usual: func() string { return cmp.Or(s.sandbox.runner(), s.runner()) }, wrong: inFile, inFile: file.Type,
			at: []string{runsAs + "type"}},
		{flag: "principal", ask: "Name or ARN of that role or user", help: "name or ARN of the role or user that the daemon runs as",
			explain: "For ec2, the role of the instance profile; for ecs, the task role; for pod-identity, the role of the association.",
			value:   &s.principal, usual: s.sandbox.userName, wrong: notRole, inFile: file.Principal, at: []string{runsAs + "principal"}},
		{flag: "oidc-provider", ask: "OpenID Connect provider (URL or ARN)", help: "for web-identity: URL or ARN of the OpenID Connect provider",
			explain: "`aws eks describe-cluster --name CLUSTER --query cluster.identity.oidc.issuer` prints it.",
			value:   &s.provider, wrong: notToken, inFile: file.Provider, at: []string{runsAs + "provider"}},
		{
			flag:    "subject",
			ask:     "Service account (NAMESPACE/NAME, or the token's sub)",
			help:    "for web-identity: NAMESPACE/NAME of the service account, or the token's sub",
			explain: "The Kubernetes service account of the pod. Only its tokens may assume the role.",
			value:   &s.subject,
			wrong:   notToken,
			inFile:  file.Subject,
			at:      []string{runsAs + "subject"},
		},
		{flag: "external-id", ask: "External id (empty: none)", help: "external id that the role's trust policy is to ask for",
			explain: "A shared word that AssumeRole must send. It is needed when the role belongs to another organization that serves\n" +
				"several customers; within one organization leave it empty. It is no secret, but it should be hard to guess.",
			value: &s.externalID, optional: true, wrong: web, at: []string{stanza + "session.external_id"}},
		{flag: "user", ask: "Local user whose programs upload", help: "local user who may upload (default: you)",
			explain: "The Unix user of your application on this host, by name or number. The kernel tells brokerd who a caller is.",
			value:   &s.user, usual: console.CurrentUser, at: []string{"access[0].peer.uid"}},
		{
			flag: "durability",
			ask:  "Durability: direct, spool or spool-wait",
			help: "direct, spool or spool-wait (default spool, in a container direct)",
			explain: "direct      acknowledged when S3 has it; while AWS refuses or cannot be reached, uploads fail as temporary\n" +
				"spool       acknowledged when it is on this host's disk; delivered from there, whatever happens to AWS meanwhile\n" +
				"spool-wait  on the disk first, acknowledged when S3 has it\n" +
				"A container's disk goes with the container, so that the default is direct there.",
			value: &s.durability,
			usual: s.usualDurability,
			at:    []string{stanza + "durability"},
		},
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

// usualDurability is spool on a host. The disk of a container is deleted with the
// container.
func (s *answers) usualDurability() string {
	switch s.runner() {
	case config.RunsECS, config.RunsPodIdentity, config.RunsWebIdentity:
		return config.DurabilityDirect
	}
	return config.DurabilitySpool
}

func (s *answers) usualCreateBucket() string {
	if s.sandbox != nil {
		return "yes"
	}
	return "no"
}

var digits = regexp.MustCompile(`^[0-9]{12}$`)

func twelveDigits(s string) error {
	if digits.MatchString(s) {
		return nil
	}
	return fmt.Errorf("an account number has 12 digits, and %q does not; `aws sts get-caller-identity` prints the number", s)
}

func yesOrNo(s string) error {
	if s == "yes" || s == "no" {
		return nil
	}
	return fmt.Errorf("the answer is yes or no, not %q", s)
}

func bucketName(s string) error {
	if rest, ok := strings.CutPrefix(s, "s3://"); ok {
		name, _, _ := strings.Cut(rest, "/")
		return fmt.Errorf("give the name alone: %s", name)
	}
	return nil
}

// unknownUser explains why a local user's name cannot be right on this machine; "" if it can.
func unknownUser(name string) string {
	if _, err := user.LookupId(name); err == nil || strings.Trim(name, "0123456789") == "" {
		return ""
	}
	if _, err := user.Lookup(name); err != nil {
		return fmt.Sprintf("there is no user %s on this machine: create the user before brokerd starts, or give a number", name)
	}
	return ""
}
