package setup

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/brokerd/brokerd/internal/config"
)

const asRole = "setup:\n  runs_as: {type: role, principal: \"arn:aws:iam::111122223333:role/app\"}\n"

func loadConfig(t testing.TB, yaml string) *config.Config {
	t.Helper()
	c, err := config.Parse("f", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// stateOf is the state of destinations that run as a role of the same account.
func stateOf(t testing.TB, destinations string) State {
	t.Helper()
	s, err := StateOf(loadConfig(t, destinations+asRole))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// dump is a state as people would write it down, for the golden files.
func dump(s State) string {
	var b strings.Builder
	policy := func(what string, p Policy) {
		if p.Empty() {
			return
		}
		fmt.Fprintf(&b, "  %s\n", what)
		for _, st := range p.Statement {
			fmt.Fprintf(&b, "    %s\n", compact(st))
		}
	}
	for _, r := range s.Roles {
		fmt.Fprintf(&b, "role %s path %s max %s boundary %q for %v\n", r.Name, r.Path, r.MaxSession, r.Boundary, r.Destinations)
		policy("trust", r.Trust)
		policy("inline", r.Inline)
	}
	for _, src := range s.Sources {
		fmt.Fprintf(&b, "source %s %s for %v\n", src.Type, src.ARN, src.Destinations)
		policy("inline", src.Inline)
	}
	for _, k := range s.Keys {
		fmt.Fprintf(&b, "key %s for %v\n", k.ARN, k.Destinations)
		policy("policy", k.Policy)
	}
	for _, k := range s.Buckets {
		fmt.Fprintf(&b, "bucket %s create %v encryption %+v lifecycle %d logging %v for %v\n", k.Name, k.Create, k.Encryption, len(k.Lifecycle),
			k.Logging != nil, k.Destinations)
		policy("policy", k.Policy)
	}
	for _, k := range s.Trails {
		fmt.Fprintf(&b, "trail %s records %v\n", k.ARN, k.Objects)
	}
	return b.String()
}

var updateStates = flag.Bool("update-states", false, "write the golden files of states")

func TestStates(t *testing.T) {
	const other = `  metrics:
    role: arn:aws:iam::111122223333:role/Up
    bucket: tenant-bucket
    owner: "444455556666"
    region: eu-west-1
    kms_key: arn:aws:kms:eu-west-1:444455556666:key/1234abcd
    key: metrics/{name}-{id}
    tags: {kept: 7y}
    session: {external_id: tenant-7}
`
	chained := strings.Replace(stanza, "    bucket:",
		"    chain:\n      - {role: \"arn:aws:iam::777788889999:role/net/hub\", external_id: hub-7, tags: {team: a}, transitive_tags: [team]}\n"+
			"    bucket:", 1)
	for name, yaml := range map[string]string{
		"one":    stanza + asRole,
		"shared": stanza + other + asRole,
		"chain":  chained + strings.Replace(asRole, "111122223333", "999900001111", 1),
		"pod-identity": chained + "setup:\n  runs_as: {type: pod-identity, principal: \"arn:aws:iam::777788889999:role/pod\"}\n" +
			"  boundary: arn:aws:iam::777788889999:policy/b\n",
		"web-identity": "aws: {source: {type: web-identity}}\n" +
			strings.Replace(stanza, "session: {external_id: tenant-7}", "session: {duration: 4h}", 1) +
			"setup:\n  runs_as: {type: web-identity, provider: \"arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/E\", " +
			"subject: \"system:serviceaccount:logging:brokerd\"}\n",
		"everything else": stanza + "    setup: {access_logs: {bucket: logs-of-b, prefix: s3/}, " +
			"trail: \"arn:aws:cloudtrail:eu-west-1:444455556666:trail/main\"}\n" + "setup:\n  runs_as: {type: user, " +
			"principal: \"arn:aws:iam::111122223333:user/app\"}\n  create_bucket: true\n",
	} {
		t.Run(name, func(t *testing.T) {
			s, err := StateOf(loadConfig(t, yaml))
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", "states", strings.ReplaceAll(name, " ", "-")+".txt")
			got := dump(s)
			if *updateStates {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestNobodyIsTrustedByDefault(t *testing.T) {
	_, err := StateOf(loadConfig(t, stanza))
	if err == nil || !strings.Contains(err.Error(), "setup.runs_as") || !strings.HasPrefix(err.Error(), "f:2:") {
		t.Errorf("got %v", err)
	}
}

// One role, bucket or key cannot be two things at once.
func TestDestinationsThatContradictEachOther(t *testing.T) {
	other := func(change ...string) string {
		return strings.NewReplacer(
			append([]string{"destinations:\n", "", "audit-logs:", "metrics:", "logs/", "metrics/"}, change...)...,
		).Replace(stanza)
	}
	for name, c := range map[string]struct{ yaml, want string }{
		"two boundaries": {stanza + "    setup: {boundary: \"arn:aws:iam::111122223333:policy/a\"}\n" +
			other() + "    setup: {boundary: \"arn:aws:iam::111122223333:policy/b\"}\n",
			"role arn:aws:iam::111122223333:role/Up has the boundary arn:aws:iam::111122223333:policy/a for one destination and " +
				"arn:aws:iam::111122223333:policy/b for another"},
		"two Regions": {stanza + other("eu-west-1", "eu-west-2"), "bucket tenant-bucket is in account 444455556666 and Region eu-west-1"},
		"two targets of access logs": {stanza + "    setup: {access_logs: {bucket: logs-a}}\n" +
			other() + "    setup: {access_logs: {bucket: logs-b}}\n",
			"the access logs of bucket tenant-bucket go to logs-a for one destination and to logs-b for another"},
	} {
		_, err := StateOf(loadConfig(t, c.yaml+asRole))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "destination metrics: ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// The default encryption of a bucket with two keys is the first destination's; the
// other one's uploads name their own key.
func TestTwoKeysInOneBucket(t *testing.T) {
	two := strings.NewReplacer("destinations:\n", "", "audit-logs:", "metrics:", "logs/", "metrics/", "key/1234abcd",
		"key/5678").Replace(stanza)
	s := stateOf(t, stanza+two)
	if b := s.Buckets[0]; len(s.Buckets) != 1 || len(s.Keys) != 2 || !strings.HasSuffix(b.Encryption.KeyARN, "key/1234abcd") {
		t.Errorf("%+v", s.Buckets)
	}
	for _, c := range prove(s, arranged(t, s, nil), &Plan{}, nil) {
		if c.Verdict != Holds {
			t.Errorf("%+v", c)
		}
	}
}
