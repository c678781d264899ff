//go:build interop

package interop

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The journey of an operator with Terraform: init, render, the check of the format, and the
// comparison with the plan. Then the commands that init printed, and a plan without changes.
func TestTheFirstHourOfAnOperatorWithTerraform(t *testing.T) {
	t.Parallel()
	onPath(t, "bash", "terraform")
	dir, err := os.MkdirTemp("", "oper") // short, as in prepare
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := prepared{dir, append(sandboxProcess(t), "AWS_EC2_METADATA_DISABLED=true", "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1")}
	p.run(t, `eval "$(brokerctl sandbox env --wait 10s)"
brokerctl init -y --bucket my-own-logs > next.txt
sed -i '1,/^Next, in the sandbox:$/d' next.txt
brokerctl setup render --config brokerd.yaml --format terraform --output-dir tf > /dev/null
(cd tf && terraform fmt -check -diff)
set +e
brokerctl setup plan --config brokerd.yaml --source-profile account-a --target-profile account-b -o json > plan.json
code=$?
set -e
[ $code = 2 ] || { echo "setup plan exits $code before the first apply"; exit 1; }`)
	t.Run("the plan has the rendered statements", p.rendersThePlan)
	t.Run("validate", func(t *testing.T) {
		if out, err := shell(t, filepath.Join(dir, "tf"), p.env, "terraform init -no-color -input=false -backend=false"); err != nil {
			t.Skipf("the provider cannot be installed: %v\n%s", err, out)
		}
		p.run(t, "cd tf && terraform validate -no-color")
	})
	p.run(t, `eval "$(brokerctl sandbox env)"; eval "$(head -n 1 next.txt)"`)
	p.planned(t)
	out := p.run(t, `eval "$(brokerctl sandbox env)"
trap 'kill $(jobs -p); wait' EXIT
eval "$(tail -n +2 next.txt)" 2> daemon.log || { cat daemon.log; exit 1; }`)
	if !regexp.MustCompile(`(?m)^hello\.txt -> s3://my-own-logs/logs/`).MatchString(out) {
		t.Errorf("the upload printed %q", out)
	}
}

// grant is a statement of a policy, with its lists in order and without its Sid.
type grant struct {
	Effect                        string
	Actions, Resources, Principal []string
	Conditions                    map[string][]string // by operator and key
}

// rendersThePlan compares each policy document of the rendered module with that of the plan.
func (p prepared) rendersThePlan(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(p.dir, "plan.json"))
	if err != nil {
		t.Fatal(err)
	}
	var plan struct {
		Changes []struct {
			Kind, ARN  string
			Statements []struct{ Op, Sid, After string }
		}
	}
	if err := json.Unmarshal(text, &plan); err != nil {
		t.Fatal(err)
	}
	documents := renderedDocuments(t, filepath.Join(p.dir, "tf"), func() string {
		for _, c := range plan.Changes {
			if c.Kind == "trust" {
				return c.ARN
			}
		}
		t.Fatal("the plan makes no role")
		return ""
	}())
	compared := 0
	for _, c := range plan.Changes {
		if len(c.Statements) == 0 {
			continue
		}
		got, want, kept := documents[c.Kind], map[string]grant{}, []grant{}
		for _, s := range c.Statements {
			if s.Op == "foreign" {
				kept = append(kept, plannedGrant(t, s.After))
			} else {
				want[s.Sid] = plannedGrant(t, s.After)
			}
		}
		// A module does not know the policy of the key. The plan does, and does not add a
		// second statement with the same meaning.
		const admin = "BrokerdKeepAccountAdmin"
		if g, ok := got[admin]; ok && slices.ContainsFunc(kept, func(k grant) bool { return reflect.DeepEqual(k, g) }) {
			delete(got, admin)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s of %s: the module has\n%v\nand the plan adds\n%v", c.Kind, c.ARN, got, want)
		}
		compared++
		delete(documents, c.Kind)
	}
	if compared != 4 || len(documents) > 0 {
		t.Errorf("%d documents were compared, want the four; only the module has %v", compared, slices.Collect(maps.Keys(documents)))
	}
}

func plannedGrant(t *testing.T, text string) grant {
	t.Helper()
	var s struct {
		Effect                      string
		Action, Resource, Principal any
		Condition                   map[string]map[string]any
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	g := grant{Effect: s.Effect, Actions: ordered(s.Action), Resources: ordered(s.Resource), Conditions: map[string][]string{}}
	if by, ok := s.Principal.(map[string]any); ok {
		for kind, names := range by {
			for _, name := range ordered(names) {
				g.Principal = append(g.Principal, kind+" "+name)
			}
		}
		slices.Sort(g.Principal)
	}
	for operator, keys := range s.Condition {
		for key, values := range keys {
			g.Conditions[operator+" "+key] = ordered(values)
		}
	}
	return g
}

// ordered returns the values of an element that is one string or a list.
func ordered(element any) (values []string) {
	switch e := element.(type) {
	case string:
		return []string{e}
	case []any:
		for _, v := range e {
			values = append(values, v.(string))
		}
	}
	slices.Sort(values)
	return values
}

// The module is in the canonical format, which terraform fmt has checked: a block ends at
// the first closing bracket with the indentation of its first line.
var (
	documentBlock  = regexp.MustCompile(`(?ms)^data "aws_iam_policy_document" "(\w+)" \{\n(.*?)^\}`)
	statementBlock = regexp.MustCompile(`(?ms)^  statement \{\n(.*?)^  \}`)
	innerBlock     = regexp.MustCompile(`(?ms)^    (\w+) \{\n(.*?)^    \}\n`)
	attribute      = regexp.MustCompile(`(?m)^ +(\w+) += (.+)$`)
	useOfDocument  = regexp.MustCompile(`(?ms)^resource "(\w+)" "\w+" \{\n[^}]*?` +
		`^  (?:assume_role_)?policy += data\.aws_iam_policy_document\.(\w+)\.json$`)
	roleReference = regexp.MustCompile(`aws_iam_role\.\w+\.arn`)
)

// renderedDocuments returns the statements of the module's documents by the kind of the
// plan's change, and by Sid. A reference to the role is its ARN.
func renderedDocuments(t *testing.T, dir, role string) map[string]map[string]grant {
	t.Helper()
	var module strings.Builder
	files, err := filepath.Glob(filepath.Join(dir, "*.tf"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		module.Write(text)
	}
	kinds := map[string]string{
		"aws_iam_role": "trust", "aws_iam_role_policy": "identity", "aws_kms_key_policy": "key-policy", "aws_s3_bucket_policy": "bucket-policy",
	}
	kindOf := map[string]string{}
	for _, use := range useOfDocument.FindAllStringSubmatch(module.String(), -1) {
		kindOf[use[2]] = kinds[use[1]]
	}
	out := map[string]map[string]grant{}
	for _, document := range documentBlock.FindAllStringSubmatch(module.String(), -1) {
		statements := map[string]grant{}
		for _, s := range statementBlock.FindAllStringSubmatch(document[2], -1) {
			sid, g := renderedGrant(t, roleReference.ReplaceAllString(s[1], `"`+role+`"`))
			statements[sid] = g
		}
		if kindOf[document[1]] == "" || out[kindOf[document[1]]] != nil {
			t.Errorf("the document %s has no use, or not its own", document[1])
		}
		out[kindOf[document[1]]] = statements
	}
	return out
}

func renderedGrant(t *testing.T, text string) (sid string, g grant) {
	t.Helper()
	attributes := func(text string) map[string][]string {
		out := map[string][]string{}
		for _, a := range attribute.FindAllStringSubmatch(text, -1) {
			var v any
			if err := json.Unmarshal([]byte(a[2]), &v); err != nil {
				t.Fatalf("%s: %v in %s", a[1], err, a[2])
			}
			out[a[1]] = ordered(v)
		}
		return out
	}
	own := attributes(innerBlock.ReplaceAllString(text, ""))
	g = grant{Effect: own["effect"][0], Actions: own["actions"], Resources: own["resources"], Conditions: map[string][]string{}}
	for _, b := range innerBlock.FindAllStringSubmatch(text, -1) {
		switch inner := attributes(b[2]); b[1] {
		case "principals":
			for _, name := range inner["identifiers"] {
				g.Principal = append(g.Principal, inner["type"][0]+" "+name)
			}
		case "condition":
			g.Conditions[inner["test"][0]+" "+inner["variable"][0]] = inner["values"]
		default:
			t.Errorf("a statement has a block %s", b[1])
		}
	}
	slices.Sort(g.Principal)
	return own["sid"][0], g
}
