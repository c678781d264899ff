package sandbox_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/brokerd/brokerd/internal/sandbox"
)

func TestSimulateCustomPolicy(t *testing.T) {
	sb := start(t, sandbox.Options{})
	c := as(t, sb, sb.RootKeys(accountA))
	put, get := "s3:PutObject", "s3:GetObject"
	conditional := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*",` +
		`"Condition":{"StringEquals":{"aws:PrincipalTag/team":"a"}}}}`
	entry := func(value string) []iamtypes.ContextEntry {
		return []iamtypes.ContextEntry{
			{ContextKeyName: aws.String("aws:PrincipalTag/team"), ContextKeyType: iamtypes.ContextKeyTypeEnumString,
				ContextKeyValues: []string{value}},
		}
	}
	for name, row := range map[string]struct {
		in      iam.SimulateCustomPolicyInput
		want    iamtypes.PolicyEvaluationDecisionType
		missing string
	}{
		"allowed":   {iam.SimulateCustomPolicyInput{PolicyInputList: []string{allow(get, "*")}}, "allowed", ""},
		"not named": {iam.SimulateCustomPolicyInput{PolicyInputList: []string{allow(put, "*")}}, "implicitDeny", ""},
		"denied": {iam.SimulateCustomPolicyInput{PolicyInputList: []string{allow("*", "*"), statement("Deny", get, "*")}},
			"explicitDeny", ""},
		"another resource": {
			iam.SimulateCustomPolicyInput{PolicyInputList: []string{allow(get, "arn:aws:s3:::a/*")}, ResourceArns: []string{"arn:aws:s3:::b/x"}},
			"implicitDeny", "",
		},
		"outside the boundary": {
			iam.SimulateCustomPolicyInput{PolicyInputList: []string{allow("*", "*")},
				PermissionsBoundaryPolicyInputList: []string{allow(put, "*")}}, "implicitDeny", "",
		},
		"a key not given": {iam.SimulateCustomPolicyInput{PolicyInputList: []string{conditional}}, "implicitDeny", "aws:PrincipalTag/team"},
		"the key as it should": {iam.SimulateCustomPolicyInput{PolicyInputList: []string{conditional}, ContextEntries: entry("a")},
			"allowed", ""},
		"the key otherwise": {iam.SimulateCustomPolicyInput{PolicyInputList: []string{conditional}, ContextEntries: entry("b")},
			"implicitDeny", ""},
	} {
		t.Run(name, func(t *testing.T) {
			row.in.ActionNames = []string{get}
			out := must[*iam.SimulateCustomPolicyOutput](t)(c.iam.SimulateCustomPolicy(t.Context(), &row.in))
			if len(out.EvaluationResults) != 1 {
				t.Fatalf("results: %+v", out.EvaluationResults)
			}
			r := out.EvaluationResults[0]
			if r.EvalDecision != row.want || *r.EvalActionName != get {
				t.Errorf("%s is %s", *r.EvalActionName, r.EvalDecision)
			}
			switch {
			case row.missing == "" && len(r.MissingContextValues) > 0:
				t.Errorf("missing: %v", r.MissingContextValues)
			case row.missing != "" && (len(r.MissingContextValues) != 1 || r.MissingContextValues[0] != row.missing):
				t.Errorf("missing: %v, want %s", r.MissingContextValues, row.missing)
			}
		})
	}
	if _, err := c.iam.SimulateCustomPolicy(t.Context(),
		&iam.SimulateCustomPolicyInput{PolicyInputList: []string{"{"}, ActionNames: []string{get}}); code(err) != "InvalidInput" {
		t.Errorf("a spoiled policy: %v", err)
	}
}

func TestSimulatePrincipalPolicy(t *testing.T) {
	sb := start(t, sandbox.Options{})
	root := as(t, sb, sb.RootKeys(accountA))
	ctx := t.Context()
	app := newUser(t, root, "app", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","iam:SimulatePrincipalPolicy"],`+
		`"Resource":"*"},{"Effect":"Deny","Action":"s3:DeleteObject","Resource":"*"}]}`)
	user := "arn:aws:iam::" + accountA + ":user/app"
	decisions := func() map[string]iamtypes.PolicyEvaluationDecisionType {
		t.Helper()
		got := map[string]iamtypes.PolicyEvaluationDecisionType{}
		for p := iam.NewSimulatePrincipalPolicyPaginator(app.iam, &iam.SimulatePrincipalPolicyInput{
			PolicySourceArn: &user, ActionNames: []string{"sts:AssumeRole", "s3:GetObject", "s3:DeleteObject"}, MaxItems: aws.Int32(1),
		}); p.HasMorePages(); {
			for _, r := range must[*iam.SimulatePrincipalPolicyOutput](t)(p.NextPage(ctx)).EvaluationResults {
				got[*r.EvalActionName] = r.EvalDecision
			}
		}
		return got
	}
	if got := decisions(); len(got) != 3 || got["s3:GetObject"] != "allowed" || got["s3:DeleteObject"] != "explicitDeny" ||
		got["sts:AssumeRole"] != "implicitDeny" {
		t.Errorf("decisions: %v", got)
	}
	if err := sb.SetGuardrails(accountA, sandbox.Guardrails{
		OrganizationID: organization, ServiceControl: []string{allow("*", "*"), statement("Deny", "s3:GetObject", "*")},
	}); err != nil {
		t.Fatal(err)
	}
	out := must[*iam.SimulatePrincipalPolicyOutput](t)(
		app.iam.SimulatePrincipalPolicy(ctx, &iam.SimulatePrincipalPolicyInput{PolicySourceArn: &user, ActionNames: []string{"s3:GetObject"}}),
	)
	if r := out.EvaluationResults[0]; r.EvalDecision == "allowed" || r.OrganizationsDecisionDetail == nil ||
		r.OrganizationsDecisionDetail.AllowedByOrganizations {
		t.Errorf("under a service control policy: %s, %+v", r.EvalDecision, r.OrganizationsDecisionDetail)
	}
	if _, err := root.iam.SimulatePrincipalPolicy(ctx,
		&iam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String("arn:aws:iam::" + accountA + ":user/none"),
			ActionNames: []string{"s3:GetObject"}}); code(err) != "NoSuchEntity" {
		t.Errorf("a missing entity: %v", err)
	}
	if got := must[*iam.CreateRoleOutput](t)(
		root.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: aws.String(anyoneIn(accountA))}),
	); got.Role == nil {
		t.Error("no role")
	}
	role := must[*iam.SimulatePrincipalPolicyOutput](t)(root.iam.SimulatePrincipalPolicy(ctx, &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: aws.String("arn:aws:iam::" + accountA + ":role/r"), ActionNames: []string{"s3:PutObject"},
		PolicyInputList: []string{allow("s3:PutObject", "*")},
	}))
	if r := role.EvaluationResults[0]; r.EvalDecision != "allowed" {
		t.Errorf("a role with one more policy: %s", r.EvalDecision)
	}
}
