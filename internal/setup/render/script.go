package render

import (
	_ "embed" // the parts of the script that no configuration changes
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/setup"
)

var (
	//go:embed script_head.sh
	scriptHead string
	//go:embed script_apply.sh
	scriptApply string
	//go:embed script_remove.sh
	scriptRemove string
	//go:embed merge_script.jq
	mergeScript string
)

// selectorName is the name of our selector of a trail with advanced ones, as apply gives it.
const selectorName = "brokerd"

// scripts writes one shell script for each account, for a POSIX shell.
func (w *writer) scripts() ([]File, error) {
	var out []File
	for _, half := range []Half{Source, Target} {
		if !w.half.has(half) {
			continue
		}
		var done []string
		for _, p := range w.places(half) {
			if slices.Contains(done, p.account) {
				continue
			}
			done = append(done, p.account)
			s := &script{writer: w}
			name := string(half)
			if len(accountsOf(w.places(half))) > 1 {
				name += "-" + p.account
			}
			s.head(half, p.account, name)
			if half == Source {
				s.source(p.account)
			} else {
				s.target(p.account)
			}
			if s.err != nil {
				return nil, s.err
			}
			s.end(p.account)
			out = append(out, File{Name: "brokerd-" + name + ".sh", Mode: 0o755, Data: []byte(s.b.String()), Alone: true})
		}
	}
	return out, nil
}

// end tells how many changes there were.
func (s *script) end(account string) {
	fmt.Fprintf(&s.b, `
if [ "$CHANGES" -eq 0 ]; then
  echo "account %[1]s: nothing to do"
else
  echo "account %[1]s: $CHANGES ${DRY_RUN:+pending }changes"
fi
`, account)
}

func accountsOf(places []place) []string {
	var out []string
	for _, p := range places {
		if !slices.Contains(out, p.account) {
			out = append(out, p.account)
		}
	}
	return out
}

type script struct {
	*writer
	b   strings.Builder
	err error
}

// word quotes a word for the shell.
func word(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func (s *script) head(half Half, account, name string) {
	who := map[Half]string{Source: "the roles that brokerd assumes", Target: "the policies of brokerd's key and bucket"}[half]
	s.begin(account, fmt.Sprintf(`# Account %s: %s. Written by
# `+"`brokerctl setup render -o cli`"+` from the configuration of brokerd.
#
# Needs the AWS CLI (1 or 2) and jq, and credentials of that account in the
# environment: AWS_PROFILE=admin sh brokerd-%s.sh
# Safe to run twice: it reads first, merges into what others have there, and
# changes only what differs.
`, account, who, name), scriptApply)
}

// begin writes a script up to its first change. about is its heading comment.
func (s *script) begin(account, about, functions string) {
	fmt.Fprintf(&s.b, "#!/bin/sh\n%s%s\nMADE_TAG=%s MADE_VALUE=%s\n%s\ncat > \"$W/merge.jq\" << 'END_OF_MERGE'\n%sEND_OF_MERGE\n"+
		"\naccount %s\n",
		about, scriptHead, word(setup.MadeTag), word(setup.MadeValue), functions, mergeScript, word(account))
}

// ours writes a document to $W/ours.
func (s *script) ours(v any) {
	data, err := indented(v)
	if err != nil && s.err == nil {
		s.err = err
	}
	fmt.Fprintf(&s.b, "\ncat > \"$W/ours\" << 'END_OF_DOCUMENT'\n%sEND_OF_DOCUMENT\n", data)
}

func (s *script) call(words ...string) {
	for i, w := range words {
		if i > 0 {
			w = word(w)
		}
		words[i] = w
	}
	s.b.WriteString(strings.Join(words, " ") + "\n")
}

func (s *script) source(account string) {
	for _, r := range s.Roles {
		if r.Account != account {
			continue
		}
		s.ours(r.Trust.Statement)
		s.call("role", r.Name, r.Path, fmt.Sprint(int(r.MaxSession/time.Second)), r.Boundary)
		if !r.Inline.Empty() {
			s.ours(r.Inline)
			s.call("inline", "role", r.Name, setup.InlineName)
		}
	}
	for _, src := range s.Sources {
		if src.Account == account && !src.Inline.Empty() {
			s.ours(src.Inline)
			s.call("inline", awsarn.ResourceType(src.ARN), lastOf(src.ARN), setup.InlineName)
		}
	}
}

func (s *script) target(account string) {
	for _, k := range s.Keys {
		if k.Account == account {
			s.ours(k.Policy.Statement)
			s.call("key_policy", k.ARN, k.Region)
		}
	}
	for _, b := range s.Buckets {
		if b.Account == account {
			s.bucket(b)
		}
	}
	for _, t := range s.Trails {
		if t.Account == account {
			s.ours(object{{"Name", selectorName}, {"Objects", t.Objects}})
			s.call("trail", t.ARN, t.Region)
		}
	}
}

func (s *script) bucket(b setup.Bucket) {
	create := "no"
	if b.Create {
		create = "yes"
	}
	s.b.WriteString("\n")
	s.call("bucket", b.Name, b.Region, b.Account, create)
	set := func(name, merge, get, query, absent, put, option string, want any) {
		s.ours(want)
		s.call("setting", name, merge, b.Name, b.Region, get, query, absent, put, option)
	}
	set(
		settingOwnership,
		"setting",
		"get-bucket-ownership-controls",
		"OwnershipControls",
		"OwnershipControlsNotFoundError",
		"put-bucket-ownership-controls",
		"--ownership-controls",
		object{{"Rules", []any{object{{"ObjectOwnership", b.Ownership}}}}},
	)
	set(
		settingPublic,
		"setting",
		"get-public-access-block",
		"PublicAccessBlockConfiguration",
		"NoSuchPublicAccessBlockConfiguration",
		"put-public-access-block",
		"--public-access-block-configuration",
		publicAccess(b.PublicAccess),
	)
	set(
		settingEncryption,
		"setting",
		"get-bucket-encryption",
		"ServerSideEncryptionConfiguration",
		"ServerSideEncryptionConfigurationNotFoundError",
		"put-bucket-encryption",
		"--server-side-encryption-configuration",
		object{
			{
				"Rules",
				[]any{
					object{
						{"ApplyServerSideEncryptionByDefault", object{{"SSEAlgorithm", b.Encryption.Algorithm}, {"KMSMasterKeyID", b.Encryption.KeyARN}}},
						{"BucketKeyEnabled", b.Encryption.BucketKey},
					},
				},
			},
		},
	)
	set(
		settingLifecycle,
		"lifecycle",
		"get-bucket-lifecycle-configuration",
		"{Rules: Rules}",
		"NoSuchLifecycleConfiguration",
		"put-bucket-lifecycle-configuration",
		"--lifecycle-configuration",
		object{{"Rules", lifecycleRules(b)}},
	)
	if b.Logging != nil {
		set(
			settingLogging,
			"setting",
			"get-bucket-logging",
			"LoggingEnabled && {LoggingEnabled: LoggingEnabled}",
			"NoSuchBucket",
			"put-bucket-logging",
			"--bucket-logging-status",
			object{{"LoggingEnabled", object{{"TargetBucket", b.Logging.Bucket}, {"TargetPrefix", b.Logging.Prefix}}}},
		)
	}
	s.ours(b.Policy.Statement)
	s.call("bucket_policy", b.Name, b.Region)
}
