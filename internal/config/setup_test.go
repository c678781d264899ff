package config

import (
	"strings"
	"testing"
)

const setupStanza = `destinations:
  audit-logs:
    role: arn:aws:iam::111122223333:role/Up
    bucket: tenant-bucket
    owner: "444455556666"
    region: eu-west-1
    kms_key: arn:aws:kms:eu-west-1:444455556666:key/1234abcd
    key: logs/{name}-{id}
`

func TestSetupOfADestinationGoesBeforeTheFiles(t *testing.T) {
	c, err := Parse("f", []byte(setupStanza+`    setup: {create_bucket: false, boundary: "arn:aws:iam::111122223333:policy/own"}
setup:
  runs_as: {type: ec2, principal: "arn:aws:iam::111122223333:role/app"}
  boundary: arn:aws:iam::111122223333:policy/all
  create_bucket: true
  trail: arn:aws:cloudtrail:eu-west-1:444455556666:trail/main
  endpoints: {iam: "https://127.0.0.1:1"}
`))
	if err != nil {
		t.Fatal(err)
	}
	s := c.SetupOf(c.Destinations["audit-logs"])
	if s.RunsAs.Principal != "arn:aws:iam::111122223333:role/app" || s.Boundary != "arn:aws:iam::111122223333:policy/own" ||
		*s.CreateBucket || s.Trail == "" || s.Endpoints.IAM == "" {
		t.Errorf("%+v", s)
	}
}

func TestSetupRules(t *testing.T) {
	const web = "aws: {source: {type: web-identity}}\n"
	for name, c := range map[string]struct{ yaml, want string }{
		"an unknown runtime": {"setup:\n  runs_as: {type: lambda}\n", `f:10:19: setup.runs_as.type: unknown type "lambda"`},
		"no principal":       {"setup:\n  runs_as: {type: ec2}\n", "setup.runs_as.principal: the principal is missing"},
		"a session": {"setup:\n  runs_as: {type: ec2, principal: \"arn:aws:sts::111122223333:assumed-role/app/i-1\"}\n",
			"the ARN of a session"},
		"a whole account": {"setup:\n  runs_as: {type: role, principal: \"arn:aws:iam::111122223333:root\"}\n",
			"the whole account"},
		"everybody": {"setup:\n  runs_as: {type: role, principal: \"*\"}\n", "is not the ARN of a role"},
		"a pattern": {"setup:\n  runs_as: {type: role, principal: \"arn:aws:iam::111122223333:role/app-*\"}\n",
			"is not the ARN of a role"},
		"a role where a user belongs": {"setup:\n  runs_as: {type: user, principal: \"arn:aws:iam::111122223333:role/app\"}\n",
			"is not the ARN of a user"},
		"the destination's own role": {"setup:\n  runs_as: {type: role, principal: \"arn:aws:iam::111122223333:role/Up\"}\n",
			"the role of destination audit-logs itself"},
		"another partition": {"setup:\n  runs_as: {type: role, principal: \"arn:aws-cn:iam::111122223333:role/app\"}\n",
			"the principal is in partition aws-cn"},
		"a subject without a token": {"setup:\n  runs_as: {type: ecs, principal: \"arn:aws:iam::111122223333:role/app\", subject: x}\n",
			"setup.runs_as.subject: runs_as.type ecs has no use for it"},
		"a token without its source": {"setup:\n  runs_as: {type: web-identity, " +
			"provider: \"arn:aws:iam::111122223333:oidc-provider/x.example.org\", subject: \"system:serviceaccount:a:b\"}\n",
			"only with aws.source.type web-identity"},
		"a source without its token": {web + "setup:\n  runs_as: {type: role, principal: \"arn:aws:iam::111122223333:role/app\"}\n",
			"so the role is assumed with a token"},
		"a subject for everybody": {web + "setup:\n  runs_as: {type: web-identity, " +
			"provider: \"arn:aws:iam::111122223333:oidc-provider/x.example.org\", subject: \"system:serviceaccount:*:*\"}\n",
			"is not the subject of a token"},
		"a provider of another account": {web + "setup:\n  runs_as: {type: web-identity, " +
			"provider: \"arn:aws:iam::999922223333:oidc-provider/x.example.org\", subject: \"system:serviceaccount:a:b\"}\n",
			"the provider is of account 999922223333"},
		"a boundary of another account": {"    setup: {boundary: \"arn:aws:iam::444455556666:policy/b\"}\n",
			"destinations.audit-logs.setup.boundary: the policy is of account 444455556666"},
		"no policy":                 {"setup: {boundary: admin}\n", "is not the ARN of a managed policy"},
		"logs into themselves":      {"    setup: {access_logs: {bucket: tenant-bucket}}\n", "a bucket must not log into itself"},
		"a prefix without a bucket": {"setup: {access_logs: {prefix: x/}}\n", "the bucket of the access logs is missing"},
		"a trail of another account": {"    setup: {trail: \"arn:aws:cloudtrail:eu-west-1:111122223333:trail/main\"}\n",
			"the trail is of account 111122223333"},
		"no trail":                   {"setup: {trail: main}\n", "is not the ARN of a trail"},
		"endpoints of a destination": {"    setup: {endpoints: {iam: \"https://x.example.org\"}}\n", "endpoints of setup are for the whole file"},
		"plain http":                 {"setup: {endpoints: {iam: \"http://x.example.org\"}}\n", "plain http to another host"},
		"a misspelt key":             {"setup: {run_as: {}}\n", "runs_as"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("f", []byte(setupStanza+c.yaml))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// What setup alone goes by is no reason for a running daemon to do anything.
func TestADaemonDoesNotReloadForSetup(t *testing.T) {
	parse := func(more string) *Destination {
		c, err := Parse("f", []byte(setupStanza+more))
		if err != nil {
			t.Fatal(err)
		}
		return c.Destinations["audit-logs"]
	}
	if !parse("").Same(parse("    setup: {create_bucket: true}\n")) {
		t.Error("a destination that is set up differently counts as another one")
	}
}
