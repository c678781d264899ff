package recorded

import (
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// person creates the user $NAME, whose ARN is $USER.
func person() Step {
	return iamDo((*iam.Client).CreateUser, iam.CreateUserInput{UserName: str("$NAME")}, keep("USER", "User.Arn"))
}

// keyed makes a key of the user $NAME, for the caller of that name.
func keyed(caller string) Step {
	return iamDo((*iam.Client).CreateAccessKey, iam.CreateAccessKeyInput{UserName: str("$NAME")}, becomes(caller, "AccessKey"))
}

func userRows() []Row {
	const errors, keys = "LocalStack, test_user_errors", "LocalStack, test_access_key_errors"
	none := noSuchEntity("The user with name $NAME-none cannot be found.")
	attach := func(arn string) Step {
		return iamDo((*iam.Client).AttachUserPolicy, iam.AttachUserPolicyInput{UserName: str("$NAME"), PolicyArn: str(arn)})
	}
	key := iamDo((*iam.Client).CreateAccessKey, iam.CreateAccessKeyInput{UserName: str("$NAME")}, keep("KEYOFUSER", "AccessKey.AccessKeyId"))
	remove := iamDo((*iam.Client).DeleteUser, iam.DeleteUserInput{UserName: str("$NAME")})
	tagged := iamDo((*iam.Client).CreateUser,
		iam.CreateUserInput{UserName: str("$NAME"), Tags: []types.Tag{{Key: str("Environment"), Value: str("Test")}}})
	group := iamDo((*iam.Client).CreateGroup, iam.CreateGroupInput{GroupName: str("$NAME")})
	return []Row{
		row("of a user", person(), answers(200).field("User.Arn", "arn:aws:iam::$A:user/$NAME").field("User.Path", "/").
			field("User.UserId", "AIDA…").field("User.UserName", "$NAME").without("#User.Tags"), suite("LocalStack, test_user_lifecycle")),
		row("of a user", iamDo((*iam.Client).GetUser, iam.GetUserInput{UserName: str("$NAME")}),
			answers(200).field("User.UserName", "$NAME").without("#User.Tags"), suite("LocalStack, test_user_lifecycle"), person()),
		row("with tags", tagged, answers(200).field("User.Tags.member.Key", "Environment").field("User.Tags.member.Value", "Test"),
			suite("LocalStack, test_user_tag_lifecycle")),
		row("twice", person(), refused(409, "EntityAlreadyExists", "User with name $NAME already exists."), suite(errors), person()),
		row("that is not there", iamDo((*iam.Client).GetUser, iam.GetUserInput{UserName: str("$NAME-none")}), none, suite(errors)),
		row("that is not there", iamDo((*iam.Client).UpdateUser, iam.UpdateUserInput{UserName: str("$NAME-none"), NewPath: str("/x/")}),
			none, suite(errors)),
		row("that is not there", iamDo((*iam.Client).DeleteUser, iam.DeleteUserInput{UserName: str("$NAME-none")}), none, suite(errors)),
		row("that is not there", iamDo((*iam.Client).ListUserTags, iam.ListUserTagsInput{UserName: str("$NAME-none")}), none,
			suite("LocalStack, test_user_tag_errors")),
		row("that is not there", iamDo((*iam.Client).TagUser,
			iam.TagUserInput{UserName: str("$NAME-none"), Tags: []types.Tag{{Key: str("a"), Value: str("b")}}}), none,
			suite("LocalStack, test_user_tag_errors")),
		row("with an attached policy", remove, refused(409, "DeleteConflict", "Cannot delete entity, must detach all policies first."),
			suite("LocalStack, test_delete_user_with_attached_policy"), person(), managed(allowLists), attach("$POLICY")),
		row("with an inline policy", remove, refused(409, "DeleteConflict", "Cannot delete entity, must delete policies first."),
			suite("LocalStack, test_delete_user_with_inline_policy"), person(),
			iamDo((*iam.Client).PutUserPolicy,
				iam.PutUserPolicyInput{UserName: str("$NAME"), PolicyName: str("p"), PolicyDocument: str(allowLists)})),
		row("of a user", key, answers(200).field("AccessKey.UserName", "$NAME").field("AccessKey.Status", "Active").
			field("AccessKey.AccessKeyId", "AKIA…").field("AccessKey.SecretAccessKey", "…"),
			suite("LocalStack, test_access_key_lifecycle"), person()),
		row("of a third", key, refused(409, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2"),
			suite("LocalStack, test_access_key_limit"), person(), key, key),
		row("of a user that is not there", iamDo((*iam.Client).CreateAccessKey, iam.CreateAccessKeyInput{UserName: str("$NAME-none")}),
			none, suite(keys)),
		row("that is not there", iamDo((*iam.Client).UpdateAccessKey,
			iam.UpdateAccessKeyInput{UserName: str("$NAME"), AccessKeyId: str("AKIAIOSFODNN7EXAMPLE"), Status: types.StatusTypeInactive}),
			noSuchEntity("The Access Key with id AKIAIOSFODNN7EXAMPLE cannot be found."), suite(keys), person()),
		row("of a key that is not there",
			iamDo((*iam.Client).GetAccessKeyLastUsed, iam.GetAccessKeyLastUsedInput{AccessKeyId: str("AKIAIOSFODNN7EXAMPLE")}),
			refused(403, "AccessDenied",
				"User: … is not authorized to perform iam:GetAccessKeyLastUsed on resource: access key AKIAIOSFODNN7EXAMPLE"),
			suite(keys)),
		row("that was never used", iamDo((*iam.Client).GetAccessKeyLastUsed,
			iam.GetAccessKeyLastUsedInput{AccessKeyId: str("$KEYOFUSER")}),
			answers(200).field("AccessKeyLastUsed.Region", "N/A").field("AccessKeyLastUsed.ServiceName", "N/A").field("UserName", "$NAME").
				without("AccessKeyLastUsed.LastUsedDate"), suite("LocalStack, test_access_key_last_used"), person(), key),
		row("by no ARN", attach("longpolicynamebutnoarn"), refused(400, "ValidationError", "Invalid ARN:  Could not be parsed!"),
			suite("LocalStack, test_user_attach_policy"), person()),
		row("that is not there", attach("arn:aws:iam::$A:policy/$NAME-none"),
			noSuchEntity("Policy arn:aws:iam::$A:policy/$NAME-none does not exist or is not attachable."),
			suite("LocalStack, test_user_managed_policy_errors"), person()),
		row("that is not attached", iamDo((*iam.Client).DetachUserPolicy,
			iam.DetachUserPolicyInput{UserName: str("$NAME"), PolicyArn: str("$POLICY")}), noSuchEntity("Policy $POLICY was not found."),
			suite("LocalStack, test_user_managed_policy_errors"), person(), managed(allowLists)),
		row("of a user without one", iamDo((*iam.Client).ListUserPolicies, iam.ListUserPoliciesInput{UserName: str("$NAME")}),
			answers(200).field("IsTruncated", "false").field("PolicyNames", ""), suite("LocalStack, test_user_inline_policy_lifecycle"),
			person()),
		row("of a group", group, answers(200).field("Group.Arn", "arn:aws:iam::$A:group/$NAME").field("Group.GroupId", "AGPA…").
			field("Group.Path", "/"), suite("LocalStack, test_user_group_membership")),
		row("that is not there", iamDo((*iam.Client).GetGroup, iam.GetGroupInput{GroupName: str("$NAME-none")}),
			noSuchEntity("The group with name $NAME-none cannot be found."), suite("LocalStack, test_iam_groups.py")),
		row("of a user", iamDo((*iam.Client).ListGroupsForUser, iam.ListGroupsForUserInput{UserName: str("$NAME")}),
			answers(200).field("Groups.member.GroupName", "$NAME").field("IsTruncated", "false"),
			suite("LocalStack, test_user_group_membership"), person(), group,
			iamDo((*iam.Client).AddUserToGroup, iam.AddUserToGroupInput{GroupName: str("$NAME"), UserName: str("$NAME")})),
	}
}

func simulationRows() []Row {
	simulate := func(source, action string) Step {
		return iamDo((*iam.Client).SimulatePrincipalPolicy,
			iam.SimulatePrincipalPolicyInput{PolicySourceArn: str(source), ActionNames: []string{action},
				ResourceArns: []string{"arn:aws:s3:::$NAME"}})
	}
	document := str(`{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}}`)
	user := many(person(), iamDo((*iam.Client).PutUserPolicy,
		iam.PutUserPolicyInput{UserName: str("$NAME"), PolicyName: str("p"), PolicyDocument: document}))
	role := many(trusting(trustEC2),
		iamDo((*iam.Client).PutRolePolicy,
			iam.PutRolePolicyInput{RoleName: str("$NAME"), PolicyName: str("p"), PolicyDocument: document}))
	group := many(iamDo((*iam.Client).CreateGroup, iam.CreateGroupInput{GroupName: str("$NAME")}, keep("GROUP", "Group.Arn")),
		iamDo((*iam.Client).PutGroupPolicy,
			iam.PutGroupPolicyInput{GroupName: str("$NAME"), PolicyName: str("p"), PolicyDocument: document}))
	const source = "LocalStack, test_simulate_principle_policy"
	const result, statement = "EvaluationResults.member.", "EvaluationResults.member.MatchedStatements.member."
	allowed := answers(200).field(result+"EvalDecision", "allowed").field(result+"EvalActionName", "s3:ListBucket").
		field(result+"EvalResourceName", "arn:aws:s3:::$NAME")
	denied := answers(200).field(result+"EvalDecision", "implicitDeny").without(statement + "SourcePolicyId")
	const custom = "PolicyInputList of SimulateCustomPolicy, answers of AWS"
	return []Row{
		row("of a user, allowed", simulate("$USER", "s3:ListBucket"), allowed, suite(source), user...),
		row("of a user, denied", simulate("$USER", "s3:PutObject"), denied, suite(source), user...),
		row("of a role, allowed", simulate("$ROLE", "s3:ListBucket"), allowed, suite(source), role...),
		row("of a role, denied", simulate("$ROLE", "s3:PutObject"), denied, suite(source), role...),
		row("of a group, allowed", simulate("$GROUP", "s3:ListBucket"), allowed, suite(source), group...),
		row("of a group, denied", simulate("$GROUP", "s3:PutObject"), denied, suite(source), group...),
		row("of a user, in its whole shape", simulate("$USER", "s3:ListBucket"),
			allowed.field(result+"EvalDecisionDetails", "").field(result+"MissingContextValues", "").field(statement+"SourcePolicyId", "…").
				field(statement+"SourcePolicyType", "IAM Policy").
				field(statement+"StartPosition.Line", "1").field(statement+"StartPosition.Column", "41").
				field(statement+"EndPosition.Line", "1").field(statement+"EndPosition.Column", "…").
				field(result+"ResourceSpecificResults.member.EvalResourceDecision", "allowed").
				field(result+"ResourceSpecificResults.member.EvalResourceName", "arn:aws:s3:::$NAME").field("IsTruncated", "false"),
			suite(source), user...),
		row("of a document", iamDo((*iam.Client).SimulateCustomPolicy,
			iam.SimulateCustomPolicyInput{PolicyInputList: []string{*document}, ActionNames: []string{"s3:ListBucket"},
				ResourceArns: []string{"arn:aws:s3:::$NAME"}}),
			allowed.field(statement+"SourcePolicyId", "PolicyInputList.1").field(statement+"SourcePolicyType", "IAM Policy").
				field(statement+"StartPosition.Column", "41").field(statement+"EndPosition.Line", "1").field(result+"EvalDecisionDetails", ""),
			report(custom)),
		row("of a principal that is not there", simulate("arn:aws:iam::$A:role/$NAME-none", "s3:ListBucket"),
			refused(404, "NoSuchEntity", ""), reference("SimulatePrincipalPolicy, Errors")),
	}
}
