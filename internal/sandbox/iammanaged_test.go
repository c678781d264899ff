package sandbox_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/brokerd/brokerd/internal/sandbox"
)

func statement(effect, action, resource string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":%q,"Action":%q,"Resource":%q}}`, effect, action, resource)
}

func allow(action, resource string) string { return statement("Allow", action, resource) }

// anyoneIn is a trust policy for an account.
func anyoneIn(account string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":%q},`+
		`"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}}`, account)
}

func createPolicy(t testing.TB, c *clients, name, doc string) (arn string) {
	t.Helper()
	return *must[*iam.CreatePolicyOutput](t)(
		c.iam.CreatePolicy(t.Context(), &iam.CreatePolicyInput{PolicyName: &name, PolicyDocument: &doc}),
	).Policy.Arn
}

func createRole(t testing.TB, c *clients, name, trust string) (arn string) {
	t.Helper()
	return *must[*iam.CreateRoleOutput](t)(
		c.iam.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust}),
	).Role.Arn
}

// newUser makes a user with one inline policy, empty for none.
func newUser(t testing.TB, root *clients, name, doc string) *clients {
	t.Helper()
	must[*iam.CreateUserOutput](t)(root.iam.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name}))
	if doc != "" {
		must[*iam.PutUserPolicyOutput](t)(
			root.iam.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("inline"), PolicyDocument: &doc}),
		)
	}
	return as(t, root.sb, userKey(t, root, name))
}

// mayList tells whether a call that needs s3:ListAllMyBuckets is let through.
func mayList(t testing.TB, c *clients) bool {
	t.Helper()
	_, err := c.s3.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	if err != nil && code(err) != "AccessDenied" {
		t.Fatal(err)
	}
	return err == nil
}

func TestManagedPoliciesDecide(t *testing.T) {
	sb := start(t, sandbox.Options{})
	root := as(t, sb, sb.RootKeys(accountA))
	ctx := t.Context()
	app := newUser(t, root, "app", "")
	arn := createPolicy(t, root, "list", allow("s3:ListAllMyBuckets", "*"))
	expect := func(what string, want bool) {
		t.Helper()
		if mayList(t, app) != want {
			t.Errorf("%s: allowed is not %v", what, want)
		}
	}
	expect("before anything is attached", false)
	must[*iam.AttachUserPolicyOutput](t)(
		root.iam.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: aws.String("app"), PolicyArn: &arn}),
	)
	expect("attached", true)

	v2 := must[*iam.CreatePolicyVersionOutput](t)(
		root.iam.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: &arn, PolicyDocument: aws.String(allow("s3:GetObject", "*"))}),
	).PolicyVersion
	expect("a new version that is not the default", true)
	must[*iam.SetDefaultPolicyVersionOutput](t)(
		root.iam.SetDefaultPolicyVersion(ctx, &iam.SetDefaultPolicyVersionInput{PolicyArn: &arn, VersionId: v2.VersionId}),
	)
	expect("the new version as the default", false)
	if _, err := root.iam.DeletePolicyVersion(ctx,
		&iam.DeletePolicyVersionInput{PolicyArn: &arn, VersionId: v2.VersionId}); code(err) != "DeleteConflict" {
		t.Errorf("deleting the default version: %v", err)
	}
	must[*iam.SetDefaultPolicyVersionOutput](t)(
		root.iam.SetDefaultPolicyVersion(ctx, &iam.SetDefaultPolicyVersionInput{PolicyArn: &arn, VersionId: aws.String("v1")}),
	)
	must[*iam.DetachUserPolicyOutput](t)(
		root.iam.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: aws.String("app"), PolicyArn: &arn}),
	)
	expect("detached", false)

	must[*iam.CreateGroupOutput](t)(root.iam.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: aws.String("listers")}))
	must[*iam.AttachGroupPolicyOutput](t)(
		root.iam.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyInput{GroupName: aws.String("listers"), PolicyArn: &arn}),
	)
	must[*iam.AddUserToGroupOutput](t)(
		root.iam.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: aws.String("listers"), UserName: aws.String("app")}),
	)
	expect("by its group", true)

	// AWS's own policies can be attached and not be changed.
	own := aws.String("arn:aws:iam::aws:policy/AWSDenyAll")
	must[*iam.AttachUserPolicyOutput](t)(
		root.iam.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: aws.String("app"), PolicyArn: own}),
	)
	expect("with AWSDenyAll", false)
	if _, err := root.iam.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: own}); code(err) != "AccessDenied" {
		t.Errorf("deleting a policy of AWS's own: %v", err)
	}
	if got := must[*iam.GetPolicyOutput](t)(root.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &arn})).Policy; *got.AttachmentCount !=
		1 || *got.DefaultVersionId != "v1" {
		t.Errorf("the policy: %+v", got)
	}
}

func TestABoundaryLimitsAndGrantsNothing(t *testing.T) {
	sb := start(t, sandbox.Options{})
	root := as(t, sb, sb.RootKeys(accountA))
	ctx := t.Context()
	app := newUser(t, root, "app", allow("s3:*", "*"))
	bound := createPolicy(t, root, "bound", allow("kms:*", "*"))
	if !mayList(t, app) {
		t.Error("denied without a boundary")
	}
	must[*iam.PutUserPermissionsBoundaryOutput](t)(
		root.iam.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryInput{UserName: aws.String("app"), PermissionsBoundary: &bound}),
	)
	if mayList(t, app) {
		t.Error("allowed outside the boundary")
	}
	if b := must[*iam.GetUserOutput](t)(root.iam.GetUser(ctx, &iam.GetUserInput{UserName: aws.String("app")})).User.PermissionsBoundary; b ==
		nil || *b.PermissionsBoundaryArn != bound {
		t.Errorf("the user's boundary: %+v", b)
	}
	if _, err := root.iam.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: &bound}); code(err) != "DeleteConflict" {
		t.Errorf("deleting a boundary in use: %v", err)
	}
	must[*iam.CreatePolicyVersionOutput](t)(
		root.iam.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{
			PolicyArn: &bound, PolicyDocument: aws.String(allow("s3:*", "*")), SetAsDefault: true,
		}),
	)
	if !mayList(t, app) {
		t.Error("denied inside the boundary")
	}
	by := must[*iam.ListEntitiesForPolicyOutput](t)(
		root.iam.ListEntitiesForPolicy(ctx, &iam.ListEntitiesForPolicyInput{
			PolicyArn: &bound, PolicyUsageFilter: iamtypes.PolicyUsageTypePermissionsBoundary,
		}),
	)
	if len(by.PolicyUsers) != 1 {
		t.Errorf("bounded users: %+v", by.PolicyUsers)
	}
	must[*iam.DeleteUserPermissionsBoundaryOutput](t)(
		root.iam.DeleteUserPermissionsBoundary(ctx, &iam.DeleteUserPermissionsBoundaryInput{UserName: aws.String("app")}),
	)
	if !mayList(t, app) {
		t.Error("denied after the boundary was removed")
	}
	// Who may only make bounded roles cannot make others.
	admin := newUser(
		t, root, "admin",
		fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:CreateRole","Resource":"*",`+
			`"Condition":{"StringEquals":{"iam:PermissionsBoundary":%q}}}}`, bound),
	)
	in := &iam.CreateRoleInput{RoleName: aws.String("made"), AssumeRolePolicyDocument: aws.String(anyoneIn(accountA))}
	if _, err := admin.iam.CreateRole(ctx, in); code(err) != "AccessDenied" {
		t.Errorf("a role without the boundary: %v", err)
	}
	in.PermissionsBoundary = &bound
	must[*iam.CreateRoleOutput](t)(admin.iam.CreateRole(ctx, in))
}

func TestInstanceProfiles(t *testing.T) {
	sb := start(t, sandbox.Options{})
	root := as(t, sb, sb.RootKeys(accountA))
	ctx, name := t.Context(), aws.String("box")
	arn := createRole(t, root, "inside", anyoneIn(accountA))
	createRole(t, root, "second", anyoneIn(accountA))
	must[*iam.CreateInstanceProfileOutput](t)(root.iam.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{InstanceProfileName: name}))

	// Putting a role in takes the right to pass it to EC2.
	app := newUser(t, root, "app", allow("iam:AddRoleToInstanceProfile", "*"))
	add := &iam.AddRoleToInstanceProfileInput{InstanceProfileName: name, RoleName: aws.String("inside")}
	if _, err := app.iam.AddRoleToInstanceProfile(ctx, add); code(err) != "AccessDenied" {
		t.Errorf("without iam:PassRole: %v", err)
	}
	must[*iam.PutUserPolicyOutput](t)(root.iam.PutUserPolicy(ctx,
		&iam.PutUserPolicyInput{UserName: aws.String("app"), PolicyName: aws.String("pass"), PolicyDocument: aws.String(
			fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:PassRole","Resource":%q,`+
				`"Condition":{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}}}`, arn))}))
	must[*iam.AddRoleToInstanceProfileOutput](t)(app.iam.AddRoleToInstanceProfile(ctx, add))

	if _, err := root.iam.AddRoleToInstanceProfile(ctx,
		&iam.AddRoleToInstanceProfileInput{InstanceProfileName: name, RoleName: aws.String("second")}); code(err) != "LimitExceeded" {
		t.Errorf("a second role: %v", err)
	}
	if p := must[*iam.GetInstanceProfileOutput](t)(
		root.iam.GetInstanceProfile(ctx, &iam.GetInstanceProfileInput{InstanceProfileName: name}),
	).InstanceProfile; len(p.Roles) != 1 || *p.Roles[0].Arn != arn {
		t.Errorf("the profile: %+v", p)
	}
	if l := must[*iam.ListInstanceProfilesForRoleOutput](t)(
		root.iam.ListInstanceProfilesForRole(ctx, &iam.ListInstanceProfilesForRoleInput{RoleName: aws.String("second")}),
	); len(l.InstanceProfiles) != 0 {
		t.Errorf("profiles of a role in none: %+v", l.InstanceProfiles)
	}
	if _, err := root.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: aws.String("inside")}); code(err) != "DeleteConflict" {
		t.Errorf("deleting the role: %v", err)
	}
	if _, err := root.iam.DeleteInstanceProfile(ctx,
		&iam.DeleteInstanceProfileInput{InstanceProfileName: name}); code(err) != "DeleteConflict" {
		t.Errorf("deleting the profile: %v", err)
	}
	must[*iam.RemoveRoleFromInstanceProfileOutput](t)(
		root.iam.RemoveRoleFromInstanceProfile(ctx, &iam.RemoveRoleFromInstanceProfileInput{
			InstanceProfileName: name, RoleName: aws.String("inside"),
		}),
	)
	must[*iam.DeleteInstanceProfileOutput](t)(root.iam.DeleteInstanceProfile(ctx, &iam.DeleteInstanceProfileInput{InstanceProfileName: name}))
	must[*iam.DeleteRoleOutput](t)(root.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: aws.String("inside")}))
	if _, err := root.iam.GetInstanceProfile(ctx, &iam.GetInstanceProfileInput{InstanceProfileName: name}); code(err) != "NoSuchEntity" ||
		message(err) != "Instance Profile box cannot be found." {
		t.Errorf("after deletion: %v", err)
	}
}

func TestAnEntityWithoutTagsShowsNone(t *testing.T) {
	sb := start(t, sandbox.Options{})
	c := as(t, sb, sb.RootKeys(accountA))
	ctx := t.Context()
	made := must[*iam.CreateUserOutput](t)(c.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("app")}))
	if made.User.Tags != nil {
		t.Errorf("tags: %#v", made.User.Tags)
	}
	must[*iam.TagUserOutput](t)(
		c.iam.TagUser(ctx, &iam.TagUserInput{
			UserName: aws.String("app"), Tags: []iamtypes.Tag{{Key: aws.String("Team"), Value: aws.String("a")}},
		}),
	)
	must[*iam.TagUserOutput](t)(
		c.iam.TagUser(ctx, &iam.TagUserInput{
			UserName: aws.String("app"), Tags: []iamtypes.Tag{{Key: aws.String("team"), Value: aws.String("b")}},
		}),
	)
	if got := must[*iam.GetUserOutput](t)(c.iam.GetUser(ctx, &iam.GetUserInput{UserName: aws.String("app")})).User.Tags; len(got) != 1 ||
		*got[0].Value != "b" {
		t.Errorf("keys of a user that differ in case: %+v", got)
	}
	// Policies tell keys apart by case.
	arn := createPolicy(t, c, "p", allow("s3:*", "*"))
	must[*iam.TagPolicyOutput](t)(
		c.iam.TagPolicy(ctx, &iam.TagPolicyInput{
			PolicyArn: &arn,
			Tags:      []iamtypes.Tag{{Key: aws.String("Team"), Value: aws.String("a")}, {Key: aws.String("team"), Value: aws.String("b")}},
		}),
	)
	if got := must[*iam.ListPolicyTagsOutput](t)(c.iam.ListPolicyTags(ctx, &iam.ListPolicyTagsInput{PolicyArn: &arn})).Tags; len(got) != 2 {
		t.Errorf("tags of a policy: %+v", got)
	}
	must[*iam.UntagPolicyOutput](t)(c.iam.UntagPolicy(ctx, &iam.UntagPolicyInput{PolicyArn: &arn, TagKeys: []string{"team"}}))
	if got := must[*iam.GetPolicyOutput](t)(c.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &arn})).Policy.Tags; len(got) != 1 ||
		*got[0].Key != "Team" {
		t.Errorf("after untagging: %+v", got)
	}
}
