package recorded

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

func policyRows() []Row {
	const lifecycle, versions, tags = "LocalStack, test_policy_lifecycle", "LocalStack, test_policy_version_errors",
		"LocalStack, test_policy_tag_create_errors"
	read := iamDo((*iam.Client).GetPolicy, iam.GetPolicyInput{PolicyArn: str("$POLICY")})
	version := iamDo((*iam.Client).CreatePolicyVersion,
		iam.CreatePolicyVersionInput{PolicyArn: str("$POLICY"), PolicyDocument: str(allowLists)})
	create := func(in iam.CreatePolicyInput) Step {
		in.PolicyName, in.PolicyDocument = str("$NAME"), str(allowLists)
		return iamDo((*iam.Client).CreatePolicy, in, keep("POLICY", "Policy.Arn"))
	}
	tag := func(k, v string) types.Tag { return types.Tag{Key: str(k), Value: str(v)} }
	var many51 []types.Tag
	for i := range 51 {
		many51 = append(many51, tag(fmt.Sprintf("k%d", i), "v"))
	}
	tooLong := func(path string, limit int) Want {
		return refused(400, "ValidationError",
			fmt.Sprintf("1 validation error detected: Value at '%s' failed to satisfy constraint: Member must have length less than or "+
				"equal to %d", path, limit))
	}
	gone := func(version string) Want {
		return noSuchEntity("Policy $POLICY version " + version + " does not exist or is not attachable.")
	}
	const badPattern = "1 validation error detected: Value at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy " +
		"regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+"
	return []Row{
		row("of a policy", managed(allowLists),
			answers(200).field("Policy.Arn", "arn:aws:iam::$A:policy/$NAME").field("Policy.AttachmentCount", "0").
				field("Policy.DefaultVersionId", "v1").field("Policy.IsAttachable", "true").field("Policy.Path", "/").
				field("Policy.PermissionsBoundaryUsageCount", "0").field("Policy.PolicyId", "ANPA…").without("#Policy.Tags"), suite(lifecycle)),
		row("with a description", create(iam.CreatePolicyInput{Description: str("testing")}), answers(200).without("Policy.Description"),
			suite("LocalStack, test_policy_tag_lifecycle, create-with-tags")),
		row("with a description", read, answers(200).field("Policy.Description", "testing"),
			suite("LocalStack, test_policy_tag_lifecycle, get-with-tags"), create(iam.CreatePolicyInput{Description: str("testing")})),
		row("without tags", read, answers(200).field("Policy.Tags", "").field("Policy.AttachmentCount", "0"), suite(lifecycle),
			managed(allowLists)),
		row("with tags", create(iam.CreatePolicyInput{Tags: []types.Tag{tag("somekey", "somevalue")}}),
			answers(200).field("Policy.Tags.member.Key", "somekey").field("Policy.Tags.member.Value", "somevalue"),
			suite("LocalStack, test_policy_tag_lifecycle")),
		row("with tags that differ in case",
			create(iam.CreatePolicyInput{Tags: []types.Tag{tag("a", "lowercase"), tag("A", "uppercase")}}),
			answers(200).field("Policy.Tags.member#2.Key", "A"), suite("LocalStack, test_policy_tag_lifecycle")),
		row("with a tag twice", create(iam.CreatePolicyInput{Tags: []types.Tag{tag("a", "1"), tag("a", "2")}}),
			refused(400, "InvalidInput", "Duplicate tag keys found."), suite(tags)),
		row("with 51 tags", create(iam.CreatePolicyInput{Tags: many51}), tooLong("tags", 50), suite(tags)),
		row("with a tag key of 129 characters", create(iam.CreatePolicyInput{Tags: []types.Tag{tag(strings.Repeat("k", 129), "v")}}),
			tooLong("tags.1.member.key", 128), suite(tags)),
		row("with a tag value of 257 characters", create(iam.CreatePolicyInput{Tags: []types.Tag{tag("k", strings.Repeat("v", 257))}}),
			tooLong("tags.1.member.value", 256), suite(tags)),
		row("with a tag key that is none", create(iam.CreatePolicyInput{Tags: []types.Tag{tag("a<b", "v")}}),
			refused(400, "ValidationError", badPattern), suite(tags)),
		row("twice", managed(allowLists),
			refused(409, "EntityAlreadyExists", "A policy called $NAME already exists. Duplicate names are not allowed."),
			suite("LocalStack, test_policy_errors"), managed(allowLists)),
		row("that is no JSON", managed("{invalid"), malformedDocument("Syntax errors in policy."),
			suite("LocalStack, managed policies that are no JSON")),
		row("of a policy that is not there",
			iamDo((*iam.Client).TagPolicy,
				iam.TagPolicyInput{PolicyArn: str("arn:aws:iam::$A:policy/$NAME-none"), Tags: []types.Tag{tag("a", "b")}}),
			noSuchEntity("Policy arn:aws:iam::$A:policy/$NAME-none was not found."), suite("LocalStack, test_policy_tag_update_errors")),
		row("that is not there", iamDo((*iam.Client).GetPolicy, iam.GetPolicyInput{PolicyArn: str("arn:aws:iam::$A:policy/$NAME-none")}),
			noSuchEntity("Policy arn:aws:iam::$A:policy/$NAME-none was not found."), report("answers of IAM to GetPolicy")),
		row("that is attached", iamDo((*iam.Client).DeletePolicy, iam.DeletePolicyInput{PolicyArn: str("$POLICY")}),
			refused(409, "DeleteConflict", "Cannot delete a policy attached to entities."), suite("LocalStack, TestRoleManagedPolicies"),
			managed(allowLists), trusting(trustEC2),
			iamDo((*iam.Client).AttachRolePolicy, iam.AttachRolePolicyInput{RoleName: str("$NAME"), PolicyArn: str("$POLICY")})),

		row("of a policy", version, answers(200).field("PolicyVersion.VersionId", "v2").field("PolicyVersion.IsDefaultVersion", "false").
			without("PolicyVersion.Document"), suite("LocalStack, test_policy_version_lifecycle"), managed(allowLists)),
		row("of a sixth version", version,
			refused(409, "LimitExceeded",
				"A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version."),
			suite("LocalStack, test_policy_version_limit"), managed(allowLists), version, version, version, version),
		row("in their order", iamDo((*iam.Client).ListPolicyVersions, iam.ListPolicyVersionsInput{PolicyArn: str("$POLICY")}),
			answers(200).field("Versions.member.VersionId", "v2").field("Versions.member#2.VersionId", "v1").
				field("Versions.member#2.IsDefaultVersion", "true").without("Versions.member.Document"),
			suite("LocalStack, test_policy_version_set_default"), managed(allowLists), version),
		row("that is not there", iamDo((*iam.Client).GetPolicyVersion,
			iam.GetPolicyVersionInput{PolicyArn: str("$POLICY"), VersionId: str("v9")}), gone("v9"), suite(versions), managed(allowLists)),
		row("that is not there", iamDo((*iam.Client).DeletePolicyVersion,
			iam.DeletePolicyVersionInput{PolicyArn: str("$POLICY"), VersionId: str("v9")}), gone("v9"), suite(versions),
			managed(allowLists)),
		row("that is the default", iamDo((*iam.Client).DeletePolicyVersion,
			iam.DeletePolicyVersionInput{PolicyArn: str("$POLICY"), VersionId: str("v1")}),
			refused(409, "DeleteConflict", "Cannot delete the default version of a policy."), suite(versions), managed(allowLists)),
		row("that is not there", iamDo((*iam.Client).SetDefaultPolicyVersion,
			iam.SetDefaultPolicyVersionInput{PolicyArn: str("$POLICY"), VersionId: str("v4")}), gone("v4"), suite(versions),
			managed(allowLists)),
		row("that is no version", iamDo((*iam.Client).SetDefaultPolicyVersion,
			iam.SetDefaultPolicyVersionInput{PolicyArn: str("$POLICY"), VersionId: str("invalid")}),
			refused(400, "ValidationError",
				"1 validation error detected: Value at 'versionId' failed to satisfy constraint: Member must satisfy regular expression "+
					"pattern: v[1-9][0-9]*(\\.[A-Za-z0-9-]*)?"), suite(versions), managed(allowLists)),
	}
}
