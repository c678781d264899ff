package render

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/setup"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	stanza = `
    role: arn:aws:iam::111122223333:role/apps/Up
    bucket: tenant-bucket
    owner: "444455556666"
    region: eu-west-1
    kms_key: arn:aws:kms:eu-west-1:444455556666:key/1234abcd
    key: logs/{host}/{name}-{id}
`
	ec2 = "setup:\n  runs_as: {type: ec2, principal: \"arn:aws:iam::111122223333:role/app-host\"}\n"
)

// configurations that differ in the parts that a renderer has to write.
var configurations = map[string]string{
	"usual": "destinations:\n  audit-logs:" + stanza + "    session: {external_id: tenant-7}\n" + ec2,
	"made-bucket": "destinations:\n  audit-logs:" + stanza +
		ec2 + "  create_bucket: true\n  boundary: arn:aws:iam::111122223333:policy/bound\n  access_logs: {bucket: our-logs, prefix: s3/}\n" +
		"  trail: arn:aws:cloudtrail:eu-west-1:444455556666:trail/all\n",
	"web-identity": "aws: {source: {type: web-identity}}\ndestinations:\n" +
		"  audit-logs:" + stanza + "    session: {duration: 6h}\nsetup:\n  runs_as: {type: web-identity, provider: " +
		"\"arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC\", " +
		"subject: \"system:serviceaccount:logs:uploader\"}\n",
	"pod-identity": "aws: {source: {type: container}}\ndestinations:\n" +
		"  audit-logs:" + stanza + "setup:\n  runs_as: {type: pod-identity, principal: \"arn:aws:iam::111122223333:role/pods\"}\n",
	"chain": "destinations:\n  audit-logs:" + stanza + "    chain:\n      - role: arn:aws:iam::111122223333:role/first\n" +
		"      - role: arn:aws:iam::777788889999:role/hub\n        external_id: hub-1\n" + ec2,
	"tags-and-acl": "destinations:\n  audit-logs:" + stanza + "    bucket_key: false\n    tags: {retention: 7y}\n" +
		"    acl: bucket-owner-full-control\n" + ec2,
	"two": "destinations:\n  audit-logs:" + stanza + "  eu-2:" +
		strings.NewReplacer("eu-west-1", "eu-west-2", "tenant-bucket", "other-bucket", "logs/{host}/{name}-{id}",
			`"{host}/{name}-{id}"`).Replace(stanza) +
		"  same-bucket:" + strings.Replace(stanza, "logs/", "events/", 1) + ec2,
	"china": strings.NewReplacer("arn:aws:", "arn:aws-cn:", "eu-west-1", "cn-north-1").Replace("destinations:\n  audit-logs:" + stanza + ec2),
}

func stateOf(t *testing.T, text string) setup.State {
	t.Helper()
	c, err := config.Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s, err := setup.StateOf(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestGoldenFiles(t *testing.T) {
	seen := map[string]bool{}
	check := func(t *testing.T, name string, f File) {
		t.Helper()
		path := filepath.Join("testdata", name, f.Name)
		seen[path] = true
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(f.Data)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	for name, text := range configurations {
		for _, format := range Formats() {
			t.Run(name+"/"+string(format), func(t *testing.T) {
				files, err := Render(format, stateOf(t, text), Both)
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range files {
					check(t, name, f)
				}
			})
		}
	}
	// Removals: of a destination that shares its role and its key with others, and of all.
	for name, destinations := range map[string][]string{"two": {"audit-logs"}, "made-bucket": {"audit-logs"}, "chain": {"audit-logs"}} {
		t.Run(name+"/removal", func(t *testing.T) {
			for _, account := range []string{"111122223333", "444455556666"} {
				script, err := Removal(stateOf(t, configurations[name]), account, destinations)
				if err != nil {
					t.Fatal(err)
				}
				check(t, name, File{Name: "brokerd-remove-" + account + ".sh", Data: script})
			}
		})
	}
	if script, err := Removal(stateOf(t, configurations["usual"]), "999988887777", []string{"audit-logs"}); err != nil || script != nil {
		t.Errorf("a removal from an account that holds nothing: %v, %d bytes", err, len(script))
	}
	all, err := filepath.Glob("testdata/*/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		if !seen[path] {
			t.Errorf("%s is rendered no more", path)
		}
	}
}

// Each half is the same whether the other is rendered beside it or not, but for
// what waits for the other.
func TestAHalfNamesNothingOfTheOther(t *testing.T) {
	for name, text := range configurations {
		s := stateOf(t, text)
		for _, format := range Formats() {
			for _, half := range []Half{Source, Target} {
				files, err := Render(format, s, half)
				if err != nil {
					t.Fatalf("%s, %s, %s: %v", name, format, half, err)
				}
				other := map[Half]string{Source: "aws.target", Target: "aws_iam_role."}[half]
				for _, f := range files {
					if strings.Contains(string(f.Data), other) {
						t.Errorf("%s, %s: %s refers to the other half: %s", name, format, f.Name, other)
					}
				}
			}
		}
	}
	if _, err := Render(JSON, stateOf(t, configurations["usual"]), "all"); err == nil {
		t.Error("a half that is none was rendered")
	}
	if _, err := Render("pulumi", stateOf(t, configurations["usual"]), Both); err == nil {
		t.Error("a format that is none was rendered")
	}
	if _, err := Render(JSON, setup.State{}, Both); err == nil {
		t.Error("nothing was rendered")
	}
}

// Every format writes the statements of the State, every one of them.
func TestEveryFormatHasEveryStatement(t *testing.T) {
	for name, text := range configurations {
		s := stateOf(t, text)
		var sids []string
		collect := func(p setup.Policy) {
			for _, st := range p.Statement {
				sids = append(sids, st.Sid)
			}
		}
		for _, r := range s.Roles {
			collect(r.Trust)
			collect(r.Inline)
		}
		for _, src := range s.Sources {
			collect(src.Inline)
		}
		for _, k := range s.Keys {
			collect(k.Policy)
		}
		for _, b := range s.Buckets {
			collect(b.Policy)
		}
		for _, format := range Formats() {
			files, err := Render(format, s, Both)
			if err != nil {
				t.Fatal(err)
			}
			var all strings.Builder
			for _, f := range files {
				all.Write(f.Data)
			}
			for _, sid := range sids {
				if !strings.Contains(all.String(), sid) {
					t.Errorf("%s, %s: statement %s is missing", name, format, sid)
				}
			}
			for _, tr := range s.Trails {
				if !strings.Contains(all.String(), tr.ARN) {
					t.Errorf("%s, %s: nothing is said of trail %s", name, format, tr.ARN)
				}
			}
		}
	}
}

// The first checks of cfn-lint: every name that a template refers to exists, and
// the types are known with their required properties. The two forms are equal.
func TestTemplatesAreWhole(t *testing.T) {
	required := map[string][]string{
		"AWS::IAM::Role": {"AssumeRolePolicyDocument"}, "AWS::IAM::RolePolicy": {"RoleName", "PolicyName"},
		"AWS::IAM::UserPolicy": {"UserName", "PolicyName"}, "AWS::Lambda::Function": {"Code", "Role"},
		"Custom::BrokerdStatements": {"ServiceToken"}, "AWS::S3::Bucket": nil, "AWS::S3::BucketPolicy": {"Bucket", "PolicyDocument"},
	}
	for name, text := range configurations {
		asYAML, err := Render(CloudFormation, stateOf(t, text), Both)
		if err != nil {
			t.Fatal(err)
		}
		asJSON, err := Render(CDK, stateOf(t, text), Both)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range asJSON {
			var body, other map[string]any
			if err := json.Unmarshal(f.Data, &body); err != nil {
				t.Fatalf("%s, %s: %v", name, f.Name, err)
			}
			converted, err := yaml.YAMLToJSON(asYAML[i].Data)
			if err != nil {
				t.Fatalf("%s, %s: %v", name, asYAML[i].Name, err)
			}
			if err := json.Unmarshal(converted, &other); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(body, other); diff != "" {
				t.Errorf("%s, %s: the YAML says something else: %s", name, f.Name, diff)
			}
			known := map[string]bool{"AWS::NoValue": true, "AWS::AccountId": true, "AWS::Partition": true, "AWS::Region": true}
			section := func(key string) map[string]any { m, _ := body[key].(map[string]any); return m }
			for _, key := range []string{"Parameters", "Resources", "Conditions"} {
				for k := range section(key) {
					known[k] = true
				}
			}
			if len(section("Resources")) == 0 || len(section("Outputs")) == 0 {
				t.Errorf("%s, %s: a template without resources or outputs", name, f.Name)
			}
			for k, v := range section("Resources") {
				r := v.(map[string]any)
				needs, ok := required[fmt.Sprint(r["Type"])]
				if !ok {
					t.Errorf("%s, %s: %s has the type %v", name, f.Name, k, r["Type"])
				}
				for _, need := range needs {
					if _, ok := r["Properties"].(map[string]any)[need]; !ok {
						t.Errorf("%s, %s: %s has no %s", name, f.Name, k, need)
					}
				}
			}
			walk(body, func(op string, arg any) {
				target := ""
				switch op {
				case "Ref":
					target = fmt.Sprint(arg)
				case "Fn::GetAtt", "Fn::If":
					target = fmt.Sprint(arg.([]any)[0])
				default:
					return
				}
				if !known[target] {
					t.Errorf("%s, %s: %s of %s, which is not there", name, f.Name, op, target)
				}
			})
		}
	}
}

func walk(v any, f func(op string, arg any)) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			f(k, x)
			walk(x, f)
		}
	case []any:
		for _, x := range v {
			walk(x, f)
		}
	}
}

// Nothing that a configuration may hold ends a string of another language.
func TestQuoting(t *testing.T) {
	for in, want := range map[string]string{`a"b\c`: `"a\"b\\c"`, "${x}%{y}": `"$${x}%%{y}"`} {
		if got := quote(in); got != want {
			t.Errorf("HCL: %s, want %s", got, want)
		}
	}
	if got := word("it's $x `y`"); got != `'it'\''s $x `+"`y`'" {
		t.Errorf("shell: %s", got)
	}
}
