package config

import (
	"strings"
	"testing"
)

const chained = `    chain:
      - role: arn:aws:iam::111122223333:role/hub
        external_id: hub-7
        tags: {team: audit}
        transitive_tags: [team]
        duration: 4h
      - role: arn:aws:iam::111122223333:role/spoke
    session:
      external_id: tenant-7
`

const plainSession = "    session:\n      external_id: tenant-7\n"

func TestChainIsRead(t *testing.T) {
	c, err := Parse("f", []byte(replace(t, plainSession, chained)))
	if err != nil {
		t.Fatal(err)
	}
	hops := c.Destinations["audit-logs"].Chain
	if len(hops) != 2 || hops[0].ExternalID != "hub-7" || hops[0].Duration.String() != "4h0m0s" || hops[0].TransitiveTags[0] != "team" ||
		hops[1].Duration.String() != "1h0m0s" {
		t.Errorf("got %+v", hops)
	}
}

func TestChainAndSourceFaults(t *testing.T) {
	base := replace(t, plainSession, chained)
	aws := func(text string) string { return replace(t, "destinations:\n", "aws:\n"+text+"destinations:\n") }
	in := func(old, with string) string {
		if !strings.Contains(base, old) {
			t.Fatalf("no %q in the chained configuration", old)
		}
		return strings.Replace(base, old, with, 1)
	}
	for name, tc := range map[string]struct{ text, want string }{
		"the role itself in its chain": {in("role/spoke", "role/CrossAccountS3Uploader"),
			"chain[1].role: this role is role already: the chain is a cycle"},
		"a role twice in a chain": {in("role/spoke", "role/hub"), "chain[1].role: this role is chain[0] already"},
		"a user in a chain":       {in("role/spoke", "user/spoke"), "chain[1].role: this is the ARN of a user"},
		"a hop without a role": {in("- role: arn:aws:iam::111122223333:role/spoke", "- external_id: abc"),
			"chain[1].role: the role is missing"},
		"four hours behind a role": {in("role/spoke\n", "role/spoke\n        duration: 4h\n"),
			"chain[1].duration: 4h0m0s: a role that is assumed by a role lasts an hour at most"},
		"an unknown key in a hop":        {in("external_id: hub-7", "external: x"), "chain[0].external: unknown key"},
		"a bad external id of a hop":     {in("hub-7", `"a b"`), "chain[0].external_id: this is not an external id"},
		"a transitive tag that is none":  {in("[team]", "[cost]"), `chain[0].transitive_tags[0]: there is no tag "cost" here`},
		"an unknown scope":               {replace(t, "external_id: tenant-7", "scope: prefix"), `session.scope: unknown scope "prefix"`},
		"an unknown source":              {aws("  source: {type: imd}\n"), "did you mean imds?"},
		"a process without a command":    {aws("  source: {type: process}\n"), "aws.source.command: the command is missing"},
		"a static source without a file": {aws("  source: {type: static}\n"), "aws.credentials_file: the file with the keys is missing"},
		"a profile source without one":   {aws("  source: {type: profile}\n"), "aws.profile: the profile is missing"},
		"a command nobody runs":          {aws("  source: {command: x}\n"), "aws.source.command: aws.source.type default has no use for it"},
		"a token nobody reads": {aws("  source: {type: imds, token_file: /x}\n"),
			"aws.source.token_file: aws.source.type imds has no use for it"},
		"a url nobody calls": {aws("  source: {url: \"https://x\"}\n"), "aws.source.url: aws.source.type default has no use for it"},
		"a profile for a process": {aws("  profile: x\n  source: {type: process, command: x}\n"),
			"aws.profile: aws.source.type process has no use for it"},
		"a container endpoint elsewhere": {aws("  source: {type: container, url: \"http://10.0.0.1/x\"}\n"),
			"aws.source.url: plain http to another host"},
		"a relative token file": {aws("  source: {type: web-identity, token_file: token}\n"),
			"aws.source.token_file: \"token\" is not an absolute path"},
		"an external id with a token": {aws("  source: {type: web-identity}\n"),
			"session.external_id: AssumeRoleWithWebIdentity does not take it"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("f", []byte(tc.text))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v\nwant it to contain %q", err, tc.want)
			}
		})
	}
}

func TestSourcesThatAreRight(t *testing.T) {
	for name, text := range map[string]string{
		"EKS Pod Identity": "  source: {type: container, url: \"http://169.254.170.23/v1/credentials\", token_file: /var/run/token}\n",
		"over IPv6":        "  source: {type: container, url: \"http://[fd00:ec2::23]/v1/credentials\"}\n",
		"static":           "  credentials_file: /run/credentials/keys\n  profile: x\n  source: {type: static}\n",
		"Roles Anywhere":   "  source: {type: process, command: \"aws_signing_helper credential-process --certificate /etc/c.pem\"}\n",
		"instance":         "  source: {type: imds}\n",
	} {
		if _, err := Parse("f", []byte(replace(t, "destinations:\n", "aws:\n"+text+"destinations:\n"))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
