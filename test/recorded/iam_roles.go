package recorded

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// The documents that rows store.
const (
	trustEC2   = policyHead + `{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}` + policyTail
	trustA     = policyHead + `{"Effect":"Allow","Principal":{"AWS":"$A"},"Action":["sts:AssumeRole","sts:TagSession"]}` + policyTail
	allowLists = policyHead + `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}` + policyTail
)

// trusting creates the role $NAME with a trust policy. Its ARN is $ROLE.
func trusting(document string) Step {
	return iamDo((*iam.Client).CreateRole, iam.CreateRoleInput{RoleName: str("$NAME"), AssumeRolePolicyDocument: str(document)},
		keep("ROLE", "Role.Arn"))
}

// managed creates the policy $NAME, whose ARN is $POLICY.
func managed(document string) Step {
	return iamDo((*iam.Client).CreatePolicy, iam.CreatePolicyInput{PolicyName: str("$NAME"), PolicyDocument: str(document)},
		keep("POLICY", "Policy.Arn"))
}

func noSuchEntity(text string) Want { return refused(404, "NoSuchEntity", text) }

func malformedDocument(text string) Want { return refused(400, "MalformedPolicyDocument", text) }

func roleRows() []Row {
	const errors, trust, inline = "LocalStack, test_role_errors", "LocalStack, test_update_assume_role_policy_errors",
		"LocalStack, test_role_inline_policy_lifecycle"
	none := noSuchEntity("The role with name $NAME-none cannot be found.")
	update := func(document string) Step {
		return iamDo((*iam.Client).UpdateAssumeRolePolicy, iam.UpdateAssumeRolePolicyInput{RoleName: str("$NAME"), PolicyDocument: str(document)})
	}
	attach := func(arn string) Step {
		return iamDo((*iam.Client).AttachRolePolicy, iam.AttachRolePolicyInput{RoleName: str("$NAME"), PolicyArn: str(arn)})
	}
	inlined := iamDo((*iam.Client).PutRolePolicy,
		iam.PutRolePolicyInput{RoleName: str("$NAME"), PolicyName: str("p"), PolicyDocument: str(allowLists)})
	remove := iamDo((*iam.Client).DeleteRole, iam.DeleteRoleInput{RoleName: str("$NAME")})
	unparsed := refused(400, "ValidationError", "Invalid ARN:  Could not be parsed!")
	return []Row{
		row("of a role", trusting(trustEC2),
			answers(200).field("Role.RoleName", "$NAME").field("Role.Path", "/").field("Role.Arn", "arn:aws:iam::$A:role/$NAME").
				field("Role.RoleId", "AROA…").without("Role.MaxSessionDuration", "Role.RoleLastUsed", "Role.Description"),
			suite("LocalStack, test_create_role_defaults")),
		row("of a role", iamDo((*iam.Client).GetRole, iam.GetRoleInput{RoleName: str("$NAME")}),
			answers(200).field("Role.MaxSessionDuration", "3600").field("Role.RoleLastUsed", "").
				field("Role.AssumeRolePolicyDocument", "%7B%22Version%22%3A…"), suite("LocalStack, test_create_role_defaults"),
			trusting(trustEC2)),
		row("twice", trusting(trustEC2), refused(409, "EntityAlreadyExists", "Role with name $NAME already exists."), suite(errors),
			trusting(trustEC2)),
		row("that is not there", iamDo((*iam.Client).GetRole, iam.GetRoleInput{RoleName: str("$NAME-none")}), none, suite(errors)),
		row("that is not there", iamDo((*iam.Client).UpdateRole,
			iam.UpdateRoleInput{RoleName: str("$NAME-none"), Description: str("x")}), none, suite(errors)),
		row("that is not there", iamDo((*iam.Client).DeleteRole, iam.DeleteRoleInput{RoleName: str("$NAME-none")}), none, suite(errors)),
		row("with an attached policy", remove, refused(409, "DeleteConflict", "Cannot delete entity, must detach all policies first."),
			suite("LocalStack, test_delete_role_with_attached_policy"), trusting(trustEC2), managed(allowLists), attach("$POLICY")),
		row("with an inline policy", remove, refused(409, "DeleteConflict", "Cannot delete entity, must delete policies first."),
			suite("LocalStack, test_delete_role_with_inline_policy"), trusting(trustEC2), inlined),
		row("says no longest session",
			iamDo((*iam.Client).UpdateRoleDescription, iam.UpdateRoleDescriptionInput{RoleName: str("$NAME"), Description: str("other")}),
			answers(200).field("Role.Description", "other").without("Role.MaxSessionDuration", "Role.RoleLastUsed"),
			suite("LocalStack, test_update_role"), trusting(trustEC2)),
		row("says the longest session", iamDo((*iam.Client).ListRoles, iam.ListRolesInput{PathPrefix: str("/$NAME/")}),
			answers(200).field("IsTruncated", "false").field("Roles.member.MaxSessionDuration", "3600").
				without("Roles.member.RoleLastUsed"), suite("LocalStack, test_create_describe_role"),
			iamDo((*iam.Client).CreateRole,
				iam.CreateRoleInput{RoleName: str("$NAME"), Path: str("/$NAME/"), AssumeRolePolicyDocument: str(trustEC2)})),

		row("that is no JSON", trusting("{invalid"), malformedDocument("This policy contains invalid Json"),
			suite("LocalStack, test_create_role_with_malformed_assume_role_policy_document")),
		row("that is no JSON", update("{invalid"), malformedDocument("This policy contains invalid Json"), suite(trust), trusting(trustEC2)),
		row("of another action",
			update(policyHead+`{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"ec2:RunInstances"}`+policyTail),
			malformedDocument("AssumeRole policy may only specify STS AssumeRole actions."), suite(trust), trusting(trustEC2)),
		row("with a resource",
			update(policyHead+`{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole","Resource":"*"}`+policyTail),
			malformedDocument("Has prohibited field Resource"), suite(trust), trusting(trustEC2)),
		row("for a principal that is not there",
			update(policyHead+`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::$A:user/$NAME-none"},"Action":"sts:AssumeRole"}`+policyTail),
			malformedDocument("Invalid principal in policy: \"AWS\":\"arn:aws:iam::$A:user/$NAME-none\""),
			report("answers of IAM to a principal that is not there"), trusting(trustEC2)),
		row("of a role that is not there",
			iamDo((*iam.Client).UpdateAssumeRolePolicy,
				iam.UpdateAssumeRolePolicyInput{RoleName: str("$NAME-none"), PolicyDocument: str(trustEC2)}), none, suite(errors)),
		row("with a name that is none",
			iamDo((*iam.Client).CreateRole, iam.CreateRoleInput{RoleName: str("a b"), AssumeRolePolicyDocument: str(trustEC2)}),
			refused(400, "ValidationError",
				"The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"),
			report("answers of IAM to a role name")),
		row("with a name of 65 characters",
			iamDo((*iam.Client).CreateRole,
				iam.CreateRoleInput{RoleName: str(strings.Repeat("a", 65)), AssumeRolePolicyDocument: str(trustEC2)}),
			refused(400, "ValidationError",
				"1 validation error detected: Value at 'roleName' failed to satisfy constraint: Member must have length less than or "+
					"equal to 64"), report("answers of IAM to a role name")),
		row("for 13 hours", iamDo((*iam.Client).CreateRole,
			iam.CreateRoleInput{RoleName: str("$NAME"), AssumeRolePolicyDocument: str(trustEC2), MaxSessionDuration: num(46800)}),
			refused(400, "ValidationError",
				"1 validation error detected: Value at 'maxSessionDuration' failed to satisfy constraint: Member must have value less than or "+
					"equal to 43200"), reference("CreateRole, MaxSessionDuration")),

		row("by no ARN", attach("longpolicynamebutnoarn"), unparsed, suite("LocalStack, test_role_attach_policy"), trusting(trustEC2)),
		row("that is not there", attach("arn:aws:iam::$A:policy/$NAME-none"),
			noSuchEntity("Policy arn:aws:iam::$A:policy/$NAME-none does not exist or is not attachable."),
			suite("LocalStack, test_role_attach_policy"), trusting(trustEC2)),
		row("to a role that is not there",
			iamDo((*iam.Client).AttachRolePolicy, iam.AttachRolePolicyInput{RoleName: str("$NAME-none"), PolicyArn: str("$POLICY")}), none,
			suite("LocalStack, TestRoleManagedPolicies"), managed(allowLists)),
		row("twice", attach("$POLICY"), answers(200), suite("LocalStack, TestRoleManagedPolicies"), trusting(trustEC2),
			managed(allowLists), attach("$POLICY")),
		row("that is not attached", iamDo((*iam.Client).DetachRolePolicy,
			iam.DetachRolePolicyInput{RoleName: str("$NAME"), PolicyArn: str("$POLICY")}), noSuchEntity("Policy $POLICY was not found."),
			suite("LocalStack, TestRoleManagedPolicies"), trusting(trustEC2), managed(allowLists)),
		row("of a role", iamDo((*iam.Client).ListAttachedRolePolicies, iam.ListAttachedRolePoliciesInput{RoleName: str("$NAME")}),
			answers(200).field("AttachedPolicies.member.PolicyArn", "$POLICY").field("AttachedPolicies.member.PolicyName", "$NAME").
				field("IsTruncated", "false"), suite("LocalStack, test_role_managed_policy_lifecycle"), trusting(trustEC2),
			managed(allowLists), attach("$POLICY")),
		row("of a role", iamDo((*iam.Client).GetRolePolicy, iam.GetRolePolicyInput{RoleName: str("$NAME"), PolicyName: str("p")}),
			answers(200).field("PolicyName", "p").field("RoleName", "$NAME").field("PolicyDocument", "%7B%22Version%22%3A…"),
			suite(inline), trusting(trustEC2), inlined),
		row("that is not there", iamDo((*iam.Client).GetRolePolicy,
			iam.GetRolePolicyInput{RoleName: str("$NAME"), PolicyName: str("p")}),
			noSuchEntity("The role policy with name p cannot be found."), suite(inline), trusting(trustEC2)),
		row("that is not there", iamDo((*iam.Client).DeleteRolePolicy,
			iam.DeleteRolePolicyInput{RoleName: str("$NAME"), PolicyName: str("p")}),
			noSuchEntity("The role policy with name p cannot be found."), suite(inline), trusting(trustEC2)),
		row("that is no JSON", iamDo((*iam.Client).PutRolePolicy,
			iam.PutRolePolicyInput{RoleName: str("$NAME"), PolicyName: str("p"), PolicyDocument: str("{invalid")}),
			malformedDocument("Syntax errors in policy."), suite("LocalStack, inline policies that are no JSON"), trusting(trustEC2)),
	}
}
