package render

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// merge runs the merge of the scripts with jq.
func merge(t *testing.T, kind, old, ours string) (same bool, document string) {
	t.Helper()
	jq, err := exec.LookPath("jq")
	if err != nil {
		t.Skip("jq is not installed: the rendered scripts need it")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"merge.jq": mergeScript, "old": old, "ours": ours} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), jq, "-n", "--arg", "kind", kind, "--slurpfile", "old", "old", "--slurpfile", "ours", "ours",
		"-f", "merge.jq")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var result struct {
		Same     bool
		Document json.RawMessage
	}
	if err := json.Unmarshal(out, &result); err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(result.Document, &v); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(v) // sorted keys, no white space
	if err != nil {
		t.Fatal(err)
	}
	return result.Same, string(text)
}

func TestMergeOfTheScripts(t *testing.T) {
	const (
		theirs  = `{"Sid":"Theirs","Effect":"Allow"}`
		unnamed = `{"Effect":"Deny"}`
		ours    = `{"Sid":"Ours","Effect":"Allow","Action":["a","b"]}`
	)
	for name, c := range map[string]struct {
		kind, old, ours string
		same            bool
		want            string
	}{
		"no policy yet": {"policy", `null`, `[` + ours + `]`, false, `{"Statement":[` + ours + `],"Version":"2012-10-17"}`},
		"next to others": {"policy", `{"Id":"x","Statement":[` + theirs + `,` + unnamed + `]}`, `[` + ours + `]`, false,
			`{"Id":"x","Statement":[` + theirs + `,` + unnamed + `,` + ours + `]}`},
		"a statement for a list": {"policy", `{"Statement":` + theirs + `}`, `[` + ours + `]`, false,
			`{"Statement":[` + theirs + `,` + ours + `]}`},
		"an older one of ours": {"policy", `{"Statement":[{"Sid":"Ours","Effect":"Deny"},` + theirs + `]}`, `[` + ours + `]`, false,
			`{"Statement":[` + theirs + `,` + ours + `]}`},
		"as it is, in other words": {"policy", `{"Statement":[{"Effect":["Allow"],"Action":["b","a"],"Sid":"Ours"}]}`, `[` + ours + `]`, true,
			`{"Statement":[` + ours + `]}`},
		"ours twice": {"policy", `{"Statement":[` + ours + `,` + ours + `]}`, `[` + ours + `]`, false, `{"Statement":[` + ours + `]}`},

		"taken out": {"without", `{"Statement":[` + theirs + `,` + ours + `]}`, `{"sids":["Ours"],"keep":[]}`, false,
			`{"Statement":[` + theirs + `]}`},
		"taken out before": {"without", `{"Statement":[` + theirs + `]}`, `{"sids":["Ours"],"keep":[]}`, true,
			`{"Statement":[` + theirs + `]}`},
		"a part is kept": {"without", `{"Statement":[` + ours + `]}`, `{"sids":["Ours"],"keep":[{"Sid":"Next"}]}`, false,
			`{"Statement":[{"Sid":"Next"}]}`},
		"a part was kept": {"without", `{"Statement":[{"Sid":"Next"}]}`, `{"sids":["Ours"],"keep":[{"Sid":"Next"}]}`, true,
			`{"Statement":[{"Sid":"Next"}]}`},
		"kept under its own id": {"without", `{"Statement":[{"Sid":"Ours","Action":"a"}]}`,
			`{"sids":["Ours"],"keep":[{"Sid":"Ours","Action":"a"}]}`, true, `{"Statement":[{"Action":"a","Sid":"Ours"}]}`},

		"a setting of AWS with more in it": {"setting", `{"Rules":[{"A":1,"B":2}]}`, `{"Rules":[{"A":1}]}`, true, `{"Rules":[{"A":1}]}`},
		"another setting":                  {"setting", `{"Rules":[{"A":2}]}`, `{"Rules":[{"A":1}]}`, false, `{"Rules":[{"A":1}]}`},
		"no setting":                       {"setting", `null`, `{"Rules":[]}`, false, `{"Rules":[]}`},

		"a rule next to others": {"lifecycle", `{"Rules":[{"ID":"t"}]}`, `{"Rules":[{"ID":"o"}]}`, false, `{"Rules":[{"ID":"t"},{"ID":"o"}]}`},
		"a rule that is there": {"lifecycle", `{"Rules":[{"ID":"o"},{"ID":"t"}]}`, `{"Rules":[{"ID":"o"}]}`, true,
			`{"Rules":[{"ID":"t"},{"ID":"o"}]}`},
		"a rule taken out":    {"unlifecycle", `{"Rules":[{"ID":"o"},{"ID":"t"}]}`, `["o"]`, false, `{"Rules":[{"ID":"t"}]}`},
		"no rule to take out": {"unlifecycle", `{"Rules":[{"ID":"t"}]}`, `["o"]`, true, `{"Rules":[{"ID":"t"}]}`},

		"a trail that records all of it": {"trail", `{"EventSelectors":[{"ReadWriteType":"All",` +
			`"DataResources":[{"Type":"AWS::S3::Object","Values":["x"]}]}]}`,
			`{"Name":"brokerd","Objects":["x"]}`, true, `{"EventSelectors":[{"DataResources":[{"Type":"AWS::S3::Object","Values":["x"]}],` +
				`"ReadWriteType":"All"},` +
				`{"DataResources":[{"Type":"AWS::S3::Object","Values":[]}],"IncludeManagementEvents":false,"ReadWriteType":"WriteOnly"}]}`},
		"objects of another destination stay": {"untrail",
			`{"EventSelectors":[{"ReadWriteType":"WriteOnly","IncludeManagementEvents":false,` +
				`"DataResources":[{"Type":"AWS::S3::Object","Values":["x","y"]}]}]}`,
			`{"Name":"brokerd","Objects":["x"]}`, false,
			`{"EventSelectors":[{"DataResources":[{"Type":"AWS::S3::Object","Values":["y"]}],"IncludeManagementEvents":false,` +
				`"ReadWriteType":"WriteOnly"}]}`},
		"an advanced selector goes": {"untrail", `{"AdvancedEventSelectors":[{"Name":"t"},` +
			`{"Name":"brokerd","FieldSelectors":[{"Field":"resources.ARN","StartsWith":["x"]}]}]}`,
			`{"Name":"brokerd","Objects":["x"]}`, false, `{"AdvancedEventSelectors":[{"Name":"t"}]}`},
		"no selector of ours": {"untrail", `{"AdvancedEventSelectors":[{"Name":"t"}]}`, `{"Name":"brokerd","Objects":["x"]}`, true,
			`{"AdvancedEventSelectors":[{"Name":"t"}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			same, document := merge(t, c.kind, c.old, c.ours)
			var v any
			if err := json.Unmarshal([]byte(c.want), &v); err != nil {
				t.Fatal(err)
			}
			want, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), document); same != c.same || diff != "" {
				t.Errorf("same %t, want %t; %s", same, c.same, diff)
			}
		})
	}
}
