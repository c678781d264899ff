package iampolicy

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

const statementOK = `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`

// TestParseRefuses: what AWS refuses to store is an error with its place.
func TestParseRefuses(t *testing.T) {
	cases := []struct {
		name, text string
		line, col  int
		message    string
	}{
		{"nothing", "", 1, 1, "ends too early"},
		{"white space", " \n ", 2, 2, "ends too early"},
		{"no object", `[]`, 1, 1, "a policy is an object"},
		{"cut off", `{"Version":`, 1, 12, "ends too early"},
		{"text after the end", policy12(statementOK) + "x", 1, 89, "text after the end"},
		{"trailing comma", `{"Version":"2012-10-17",}`, 1, 25, "quoted name"},
		{"single quotes", `{'Version':1}`, 1, 2, "quoted name"},
		{"duplicate element", "{\"Statement\":[],\n\"Statement\":[]}", 2, 1, "duplicate key"},
		{"duplicate element by escape", `{"Statement":[],"\u0053tatement":[]}`, 1, 17, "duplicate key"},
		{"NUL byte", "{\"Version\x00\":1}", 1, 10, "NUL"},
		{"NUL escape", `{"Id":"a\u0000"}`, 1, 9, "NUL"},
		{"control character", "{\"Id\":\"a\tb\"}", 1, 9, "control character"},
		{"invalid UTF-8", "{\"Id\":\"\xff\"}", 1, 8, "invalid UTF-8"},
		{"lone surrogate", `{"Id":"\ud800"}`, 1, 8, "escape"},
		{"unknown escape", `{"Id":"\q"}`, 1, 8, "escape"},
		{"leading zero", `{"Id":01}`, 1, 7, "malformed number"},
		{"unknown version", `{"Version":"2020-01-01","Statement":[]}`, 1, 12, "version"},
		{"version as a number", `{"Version":2012,"Statement":[]}`, 1, 12, "version"},
		{"no statement", `{"Version":"2012-10-17"}`, 1, 1, "Statement is missing"},
		{"statement as text", `{"Statement":"x"}`, 1, 14, "want a statement"},
		{"statement null", `{"Statement":null}`, 1, 14, "want a statement"},
		{"unknown element", `{"Statement":[],"Comment":"x"}`, 1, 17, "unknown element"},
		{"element in lower case", `{"statement":[]}`, 1, 2, `spelled "Statement"`},
		{"unknown element in a statement", "{\"Statement\":[{\"Effect\":\"Allow\",\n\"Actions\":\"*\"}]}", 2, 1, "unknown element"},
		{"no effect", `{"Statement":[{"Action":"*","Resource":"*"}]}`, 1, 15, "Effect is missing"},
		{"effect in lower case", `{"Statement":{"Effect":"allow","Action":"*"}}`, 1, 24, "effect"},
		{"no action", `{"Statement":{"Effect":"Allow","Resource":"*"}}`, 1, 14, "Action is missing"},
		{"action as a number", `{"Statement":{"Effect":"Allow","Action":1}}`, 1, 41, "want a string"},
		{"number among actions", `{"Statement":{"Effect":"Allow","Action":["*",1]}}`, 1, 46, "want a string"},
		{"action and its negation", `{"Statement":{"Effect":"Allow","Action":"*","NotAction":"*"}}`, 1, 45, "not both"},
		{"resource and its negation", `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","NotResource":"*"}}`, 1, 60, "not both"},
		{"principal and its negation", `{"Statement":{"Effect":"Allow","Action":"*","Principal":"*","NotPrincipal":"*"}}`, 1, 61, "not both"},
		{"principal as an ARN", `{"Statement":{"Effect":"Allow","Action":"*","Principal":"arn:aws:iam::111122223333:root"}}`, 1, 57,
			"a principal is"},
		{"unknown kind of principal", `{"Statement":{"Effect":"Allow","Action":"*","Principal":{"aws":"*"}}}`, 1, 58, `spelled "AWS"`},
		{"unknown operator", `{"Statement":{"Effect":"Allow","Action":"*","Condition":{"StringIs":{"a:b":"c"}}}}`, 1, 58,
			"unknown condition operator"},
		{"operator in lower case", `{"Statement":{"Effect":"Allow","Action":"*","Condition":{"stringequals":{"a:b":"c"}}}}`, 1, 58,
			`spelled "StringEquals"`},
		{"NullIfExists", `{"Statement":{"Effect":"Allow","Action":"*","Condition":{"NullIfExists":{"a:b":"true"}}}}`, 1, 58,
			"unknown condition operator"},
		{"operator without keys", `{"Statement":{"Effect":"Allow","Action":"*","Condition":{"Bool":"true"}}}`, 1, 65, "object of condition keys"},
		{"null as a value", `{"Statement":{"Effect":"Allow","Action":"*","Condition":{"Bool":{"a:b":null}}}}`, 1, 72, "want a string"},
		{"condition as a list", `{"Statement":{"Effect":"Allow","Action":"*","Condition":[]}}`, 1, 57, "want an object"},
		{"deep nesting", strings.Repeat("[", 100000), 1, 33, "nested deeper"},
		{"a megabyte", `{"Id":"` + strings.Repeat("x", 1<<20) + `","Statement":[]}`, 1, policytext.MaxBytes + 1, "the limit is"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.text))
			var syntax *policytext.SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("got %v, want a syntax error", err)
			}
			if syntax.Line != c.line || syntax.Column != c.col || !strings.Contains(err.Error(), c.message) {
				t.Errorf("got %v, want %d:%d %s", err, c.line, c.col, c.message)
			}
		})
	}
}

func TestParseKeepsPlaces(t *testing.T) {
	d := mustParse(t, "{\n \"Statement\": [\n  "+statementOK+",\n\t"+statementOK+"]}")
	for i, want := range []string{"3:3", "4:2"} {
		text, line, column := d.StatementText(i)
		if got := fmt.Sprintf("%d:%d", line, column); got != want || text != statementOK {
			t.Errorf("statement %d at %s %q, want %s", i, got, text, want)
		}
	}
}

// TestScenarioRefuses: a scenario that is not understood is an error, and a
// denial when it is evaluated all the same.
func TestScenarioRefuses(t *testing.T) {
	request := func(principal, action, resource, rest string) string {
		return fmt.Sprintf(`{"request":{"principal":%q,"action":%q,"resource":%q%s},"policies":{"identity":[{"policy":%s}],"resource":%s}}`,
			principal, action, resource, rest, policy12(allowAll), policy12(everyone))
	}
	cases := []struct{ name, text, message string }{
		{"no JSON", `{`, "line 1, column 2"},
		{"list", `[]`, "scenario"},
		{"duplicate key", `{"name":"a","name":"b"}`, "duplicate key"},
		{"unknown field", "{\n\"nam\":\"a\"}", "line 2, column 1"},
		{"unknown field of the request", `{"request":{"principle":"*"}}`, "unknown field"},
		{"name as a number", "{\n\"name\":1}", "line 2"},
		{"empty principal", request("", "s3:GetObject", object, ""), "principal"},
		{"principal without account", request("arn:aws:iam:::role/x", "s3:GetObject", object, ""), "principal"},
		{"principal of an unknown partition", request("arn:aws-mars:iam::111122223333:role/x", "s3:GetObject", object, ""), "principal"},
		{"session without name", request("arn:aws:sts::111122223333:assumed-role/x", "s3:GetObject", object, ""), "principal"},
		{"role of another session", request(sessionA, "s3:GetObject", object, `,"role_arn":"arn:aws:iam::111122223333:role/other"`), "role_arn"},
		{"action without service", request(sessionA, "GetObject", object, ""), "action"},
		{"action with a wildcard", request(sessionA, "s3:Get*", object, ""), "action"},
		{"resource that is no ARN", request(sessionA, "s3:GetObject", "bucket/key", ""), "resource"},
		{"resource of an unknown partition", request(sessionA, "s3:GetObject", "arn:aws-mars:s3:::b/k", ""), "partition"},
		{"owner that is no account", request(sessionA, "s3:GetObject", object, `,"resource_account":"44"`), "resource_account"},
		{"context of objects", request(sessionA, "s3:GetObject", object, `,"context":{"a:b":{}}`), "context"},
		{"unknown layer", `{"request":{"principal":"*","action":"s3:GetObject","resource":"*"},"policies":{},"not_supplied":["scp"]}`,
			"unknown layer"},
		{"named policy without document", `{"request":{"principal":"*","action":"s3:GetObject","resource":"*"},` +
			`"policies":{"identity":[{"name":"x"}]}}`, "policy is missing"},
		{"broken policy further down", "{\"policies\":{\n\"resource\":{\n \"Statement\":{\"Effect\":\"Maybe\"}}}}", "line 3, column 24"},
		{"broken policy within", `{"request":{"principal":"*","action":"s3:GetObject","resource":"*"},` +
			`"policies":{"resource":{"Statement":[{"Effect":"Allow"}]}}}`, "Action is missing"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := DecodeScenario([]byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.message) {
				t.Fatalf("got %v, want an error with %q", err, c.message)
			}
		})
	}
	for _, principal := range []string{"", "nobody", "arn:aws:iam::111122223333:group/x"} {
		r := Evaluate(Scenario{
			Request:  Request{Principal: principal, Action: "s3:GetObject", Resource: object},
			Policies: PolicySet{Resource: mustParse(t, policy12(everyone))},
		})
		if r.Decision != ImplicitDeny || len(r.Assumptions) == 0 {
			t.Errorf("%q: got %+v, want a denial with a reason", principal, r)
		}
	}
}
