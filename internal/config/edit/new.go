package edit

import (
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/config"
)

// New writes a configuration file for one destination, with what can be changed
// in comments. An error is a config.Errors value.
func New(path string, d Draft) ([]byte, error) {
	var b strings.Builder
	b.WriteString(`# brokerd delivers the bytes of local programs into another account's bucket.
# Check this file with: brokerd check-config --config FILE
# A line with # and a key shows a default. docs/config.md has every key.

# socket:
#   path: /run/brokerd/brokerd.sock
#   mode: "0660"            # the access rules below hold the permissions
# memory:
#   max: 48MiB              # bytes of objects in flight, over all uploads
`)
	if d.Sandbox != nil {
		b.WriteString("\n" + d.Sandbox.text())
	} else if s := sourceText(d.Source); s != "" {
		b.WriteString("\n" + s)
	}
	b.WriteString(`
# One stanza a destination. The role session, the upload, the policies of both
# accounts and the checks are all derived from it.
destinations:
`)
	lines := mapping(entry{key: d.Destination.Name, value: d.Destination.node()}).lines(2)
	b.WriteString(strings.Join(lines, "\n") + "\n")
	for _, o := range d.options() {
		b.WriteString("    # " + o + "\n")
	}
	if section := d.setup(); !section.scalar() {
		b.WriteString("\n# For brokerctl setup only: the identity that may assume the role.\nsetup:\n")
		b.WriteString(strings.Join(section.lines(2), "\n") + "\n")
	}
	if d.Uploader != "" {
		b.WriteString("\n# The permissions of local users. The kernel names the caller: no password.\naccess:\n")
		b.WriteString(strings.Join(d.rule().item(2), "\n") + "\n")
	}
	out := []byte(b.String())
	if _, err := config.Parse(path, out); err != nil {
		return nil, err
	}
	return out, nil
}

// options are keys that are worth knowing, where the stanza does not have them.
func (d Draft) options() []string {
	var out []string
	show := func(given bool, line string) {
		if !given {
			out = append(out, line)
		}
	}
	show(d.Destination.Durability != "", "durability: direct   # spool: acknowledged when on this host's disk")
	show(len(d.Destination.Tags) > 0, "tags: {}             # of every object; they need s3:PutObjectTagging")
	show(d.Destination.ExternalID != "" || d.Destination.Duration != 0, "session: {duration: 1h}")
	return out
}

// text is the part of a file that makes it reach the sandbox and nothing else.
func (s *Sandbox) text() string {
	// static: keys in the environment, such as those of a root user, do not count.
	aws := mapping(entry{key: "source", value: mapping(pair("type", config.SourceStatic))}, pair("credentials_file", s.CredentialsFile))
	if s.CABundle != "" {
		aws.add(pair("ca_bundle", s.CABundle))
	}
	aws.add(entry{key: "endpoints", value: mapping(pair("sts", s.Endpoint), pair("s3", s.Endpoint), pair("kms", s.Endpoint))})
	all := mapping(
		entry{key: "socket", value: mapping(pair("path", s.Dir+"/brokerd.sock"))},
		entry{key: "spool", value: mapping(pair("dir", s.Dir+"/spool"))},
		entry{key: "metrics", value: mapping(pair("address", ""))},
		entry{key: "aws", value: aws},
	)
	return "# The sandbox on this machine. On AWS, leave this part out.\n" + strings.Join(all.lines(0), "\n") + "\n"
}

func sourceText(source string) string {
	why := map[string]string{
		config.SourceIMDS:        "The instance's own role, by IMDSv2.",
		config.SourceWebIdentity: "The pod's OpenID Connect token: AWS_WEB_IDENTITY_TOKEN_FILE names its file.",
		config.SourceContainer:   "The container's credentials endpoint, as ECS and EKS Pod Identity set it.",
	}[source]
	switch {
	case source == "" || source == config.SourceDefault:
		return ""
	case why == "":
		return fmt.Sprintf("aws:\n  source: {type: %s}\n", source)
	}
	return fmt.Sprintf("# %s\naws:\n  source: {type: %s}\n", why, source)
}
