package sandbox_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/brokerd/brokerd/internal/sandbox"
)

// conditional allows an action under a condition of one key.
func conditional(action, operator, key, value string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":%q,"Resource":"*","Condition":{%q:{%q:%q}}}}`, action,
		operator, key, value)
}

func TestConditionsOnTheBoundaryOfAnEntity(t *testing.T) {
	sb := start(t, sandbox.Options{})
	root := as(t, sb, sb.RootKeys(accountA))
	ctx := t.Context()
	bound := createPolicy(t, root, "bound", allow("s3:*", "*"))
	createRole(t, root, "free", anyoneIn(accountA))
	createRole(t, root, "bounded", anyoneIn(accountA))
	must[*iam.PutRolePermissionsBoundaryOutput](t)(
		root.iam.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{
			RoleName: aws.String("bounded"), PermissionsBoundary: &bound,
		}),
	)
	admin := newUser(t, root, "admin", conditional("iam:*", "StringEquals", "iam:PermissionsBoundary", bound))
	for name, row := range map[string]struct{ role, code string }{"with the boundary": {"bounded", ""}, "without": {"free", "AccessDenied"}} {
		if _, err := admin.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
			RoleName: &row.role, PolicyName: aws.String("p"), PolicyDocument: aws.String(allow("s3:*", "*")),
		}); code(err) != row.code {
			t.Errorf("PutRolePolicy on a role %s: %v", name, err)
		}
		if _, err := admin.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: &row.role, PolicyArn: &bound}); code(err) != row.code {
			t.Errorf("AttachRolePolicy on a role %s: %v", name, err)
		}
		// The key does not come with every action.
		if _, err := admin.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &row.role}); code(err) != "AccessDenied" {
			t.Errorf("GetRole of a role %s: %v", name, err)
		}
	}
	other := createPolicy(t, root, "other", allow("s3:*", "*"))
	if _, err := admin.iam.PutRolePermissionsBoundary(ctx,
		&iam.PutRolePermissionsBoundaryInput{RoleName: aws.String("bounded"), PermissionsBoundary: &other}); code(err) != "AccessDenied" {
		t.Errorf("another boundary: %v", err)
	}
}

func TestConditionsOnWhatIsAttached(t *testing.T) {
	sb := start(t, sandbox.Options{})
	root := as(t, sb, sb.RootKeys(accountA))
	ctx := t.Context()
	one, two := createPolicy(t, root, "one", allow("s3:*", "*")), createPolicy(t, root, "two", allow("s3:*", "*"))
	admin := newUser(t, root, "admin", conditional("iam:*", "ArnEquals", "iam:PolicyARN", one))
	for arn, want := range map[string]string{one: "", two: "AccessDenied"} {
		if _, err := admin.iam.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{
			UserName: aws.String("admin"), PolicyArn: &arn,
		}); code(err) != want {
			t.Errorf("attaching %s: %v", arn, err)
		}
	}
	if _, err := admin.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &one}); code(err) != "AccessDenied" {
		t.Errorf("GetPolicy, which has no such key: %v", err)
	}
}

func TestConditionsOnTagsOfIAMResources(t *testing.T) {
	sb := start(t, sandbox.Options{})
	root := as(t, sb, sb.RootKeys(accountA))
	ctx := t.Context()
	policy := createPolicy(t, root, "p", allow("s3:*", "*"))
	must[*iam.CreateInstanceProfileOutput](t)(
		root.iam.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{InstanceProfileName: aws.String("box")}),
	)
	oidc := provider(t, root, clusterIssuer, "a")
	createRole(t, root, "r", anyoneIn(accountA))
	admin := newUser(t, root, "admin", conditional("iam:*", "StringEquals", "aws:RequestTag/team", "a"))
	reader := newUser(t, root, "reader", conditional("iam:Get*", "StringEquals", "aws:ResourceTag/team", "a"))
	tags := func(value string) []iamtypes.Tag { return []iamtypes.Tag{{Key: aws.String("team"), Value: &value}} }
	for name, tag := range map[string]func(value string) error{
		"policy": func(v string) error {
			_, err := admin.iam.TagPolicy(ctx, &iam.TagPolicyInput{PolicyArn: &policy, Tags: tags(v)})
			return err
		},
		"instance profile": func(v string) error {
			_, err := admin.iam.TagInstanceProfile(ctx, &iam.TagInstanceProfileInput{InstanceProfileName: aws.String("box"), Tags: tags(v)})
			return err
		},
		"identity provider": func(v string) error {
			_, err := admin.iam.TagOpenIDConnectProvider(ctx, &iam.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: &oidc, Tags: tags(v)})
			return err
		},
		"role": func(v string) error {
			_, err := admin.iam.TagRole(ctx, &iam.TagRoleInput{RoleName: aws.String("r"), Tags: tags(v)})
			return err
		},
	} {
		if err := tag("b"); code(err) != "AccessDenied" {
			t.Errorf("a %s with another value: %v", name, err)
		}
		if _, err := reader.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("r")}); name == "role" && code(err) != "AccessDenied" {
			t.Errorf("reading the untagged role: %v", err)
		}
		if err := tag("a"); err != nil {
			t.Errorf("a %s with the value: %v", name, err)
		}
	}
	must[*iam.GetRoleOutput](t)(reader.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("r")}))
	must[*iam.GetPolicyOutput](t)(reader.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &policy}))
}
