package setup

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/brokerd/brokerd/internal/config"
)

var update = flag.Bool("update", false, "write the golden files")

const stanza = `destinations:
  audit-logs:
    role: arn:aws:iam::111122223333:role/Up
    bucket: tenant-bucket
    owner: "444455556666"
    region: eu-west-1
    kms_key: arn:aws:kms:eu-west-1:444455556666:key/1234abcd
    key: logs/{host}/{name}-{id}
    session: {external_id: tenant-7}
`

var regions = strings.NewReplacer("arn:aws:", "arn:aws-cn:", "eu-west-1", "cn-north-1")

func load(t *testing.T, yaml string) *config.Destination {
	t.Helper()
	c, err := config.Parse("f", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	return c.Destinations["audit-logs"]
}

func TestDesired(t *testing.T) {
	for name, c := range map[string]struct{ yaml, source string }{
		"usual":         {stanza, "arn:aws:iam::111122223333:role/app"},
		"china":         {regions.Replace(stanza), "arn:aws-cn:iam::111122223333:user/app"},
		"no-bucket-key": {stanza + "    bucket_key: false\n", "arn:aws:iam::111122223333:role/app"},
		"tagged-session": {strings.Replace(stanza, "{external_id: tenant-7}", "{tags: {team: audit}, source_identity: app1}", 1),
			"arn:aws:sts::111122223333:assumed-role/app/i-1"},
		"peers": {strings.Replace(stanza, "{external_id: tenant-7}", "{peer: {source_identity: unit, tags: {pod: pod}}}", 1),
			"arn:aws:iam::111122223333:role/app"},
	} {
		t.Run(name, func(t *testing.T) {
			docs, err := Desired(load(t, c.yaml), Options{SourcePrincipalARN: c.source})
			if err != nil {
				t.Fatal(err)
			}
			for kind, got := range map[Kind][]byte{KindTrust: docs.Trust, KindIdentity: docs.Identity, KindBucket: docs.Bucket, KindKey: docs.Key} {
				path := filepath.Join("testdata", name, string(kind)+".json")
				if *update {
					if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(path, got, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), string(got)); diff != "" {
					t.Errorf("%s: %s", path, diff)
				}
				var doc Policy
				if err := json.Unmarshal(got, &doc); err != nil {
					t.Fatal(err)
				}
				for _, s := range doc.Statement {
					if !strings.HasPrefix(s.Sid, "Brokerd") || (s.Effect == "Allow" && slices.Contains(s.Principal["AWS"], "*")) {
						t.Errorf("%s: %+v", path, s)
					}
				}
			}
		})
	}
}

func TestStatement(t *testing.T) {
	docs, err := Desired(load(t, stanza), Options{SourcePrincipalARN: "arn:aws:iam::111122223333:role/app"})
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "Sid": "BrokerdWriteObjectsAuditLogs6374ec",
  "Effect": "Allow",
  "Action": [
    "s3:PutObject",
    "s3:AbortMultipartUpload"
  ],
  "Resource": "arn:aws:s3:::tenant-bucket/logs/*"
}
`
	if diff := cmp.Diff(want, string(docs.Statement(KindIdentity, SidWrite))); diff != "" {
		t.Error(diff)
	}
	if docs.Statement(KindKey, SidWrite) != nil || docs.Statement("other", SidWrite) != nil {
		t.Error("a statement that is not there")
	}
}

func TestDesiredRefuses(t *testing.T) {
	dest := load(t, stanza)
	for name, source := range map[string]string{
		"everybody":                    "*",
		"a whole account":              "arn:aws:iam::111122223333:root",
		"a pattern":                    "arn:aws:iam::111122223333:role/*",
		"a principal of another world": "arn:aws-cn:iam::111122223333:role/app",
	} {
		if _, err := Desired(dest, Options{SourcePrincipalARN: source}); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	dest.Compatible = true
	if _, err := Desired(dest, Options{SourcePrincipalARN: "arn:aws:iam::111122223333:role/app"}); err == nil {
		t.Error("a compatible store was accepted")
	}
}

func TestWithoutASourcePrincipalOnlyTheTrustPolicyIsMissing(t *testing.T) {
	docs, err := Desired(load(t, stanza), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if docs.Trust != nil || docs.Statement(KindTrust, SidAssume) != nil || docs.Identity == nil || docs.Bucket == nil || docs.Key == nil {
		t.Errorf("got %+v", docs)
	}
}
