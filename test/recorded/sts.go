package recorded

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
)

// assumed assumes $ROLE, as the caller "session".
func assumed(in sts.AssumeRoleInput, opts ...Option) Step {
	if in.RoleArn == nil {
		in.RoleArn = str("$ROLE")
	}
	if in.RoleSessionName == nil {
		in.RoleSessionName = str("session")
	}
	return stsDo((*sts.Client).AssumeRole, in, append(opts, becomes("session", "Credentials"))...)
}

func sessionRows() []Row {
	arn := func(arn string) Step { return assumed(sts.AssumeRoleInput{RoleArn: str(arn)}) }
	invalid := func(arn string) Want { return refused(400, "ValidationError", arn+" is invalid") }
	const parameters, tagging = "LocalStack, test_sts_invalid_parameters", "LocalStack, TestSTSAssumeRoleTagging"
	tag := func(k, v string) types.Tag { return types.Tag{Key: str(k), Value: str(v)} }
	validation := func(text string) Want { return refused(400, "ValidationError", text) }
	parameter := func(text string) Want { return refused(400, "InvalidParameterValue", text) }
	identity := func(opts ...Option) Step {
		return stsDo((*sts.Client).GetCallerIdentity, sts.GetCallerIdentityInput{}, opts...)
	}
	denied := refused(403, "AccessDenied",
		"User: … is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::$A:role/$NAME-none")
	long := strings.Repeat("s", 65)
	chain := many(trusting(trustA),
		iamDo((*iam.Client).PutRolePolicy,
			iam.PutRolePolicyInput{RoleName: str("$NAME"), PolicyName: str("p"),
				PolicyDocument: str(policyHead + `{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Resource":"*"}` + policyTail)}))
	rows := []Row{
		row("of a role", assumed(sts.AssumeRoleInput{}),
			answers(200).field("AssumedRoleUser.Arn", "arn:aws:sts::$A:assumed-role/$NAME/session").
				field("AssumedRoleUser.AssumedRoleId", "AROA…:session").field("Credentials.AccessKeyId", "ASIA…").
				field("Credentials.Expiration", "…Z").without("PackedPolicySize", "SourceIdentity"), suite("LocalStack, test_assume_role"),
			trusting(trustA)),
		row("with a session policy says how much of the room it takes", assumed(sts.AssumeRoleInput{Policy: str(allowLists)}),
			answers(200).field("PackedPolicySize", "…"), suite("LocalStack, test_assume_role_with_policy"), trusting(trustA)),
		row("of a role that is not there", arn("arn:aws:iam::$A:role/$NAME-none"), denied, report("answers of STS to a role that is not there")),
		row("with a name that is none",
			assumed(sts.AssumeRoleInput{RoleArn: str("arn:aws:iam::$A:role/r"), RoleSessionName: str("Session1:2")}),
			validation("1 validation error detected: Value 'Session1:2' at 'roleSessionName' failed to satisfy constraint: Member must "+
				"satisfy regular expression pattern: [\\w+=,.@-]*"), suite(parameters)),
		row("with a name of 65 characters",
			assumed(sts.AssumeRoleInput{RoleArn: str("arn:aws:iam::$A:role/r"), RoleSessionName: str(long)}),
			validation("1 validation error detected: Value '"+long+"' at 'roleSessionName' failed to satisfy constraint: Member must have "+
				"length less than or equal to 64"), suite("LocalStack, test_assume_role_session_name_too_long")),
		row("for ten minutes", assumed(sts.AssumeRoleInput{RoleArn: str("arn:aws:iam::$A:role/r"), DurationSeconds: num(600)}),
			validation("1 validation error detected: Value '600' at 'durationSeconds' failed to satisfy constraint: Member must have value "+
				"greater than or equal to 900"), reference("AssumeRole, DurationSeconds")),
		row("for longer than the role allows", assumed(sts.AssumeRoleInput{DurationSeconds: num(7200)}),
			validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role."),
			guide("Troubleshooting IAM roles"), trusting(trustA)),
		row("with tags that differ in case", assumed(sts.AssumeRoleInput{Tags: []types.Tag{tag("name", "1"), tag("Name", "2")}}),
			parameter("Duplicate tag keys found. Please note that Tag keys are case insensitive."), suite(tagging), trusting(trustA)),
		row("with a transitive key that is no tag",
			assumed(sts.AssumeRoleInput{Tags: []types.Tag{tag("name", "1")}, TransitiveTagKeys: []string{"other"}}),
			parameter("The specified transitive tag key must be included in the requested tags."), suite(tagging), trusting(trustA)),
		row("with a transitive tag of the session before",
			assumed(sts.AssumeRoleInput{Tags: []types.Tag{tag("name", "2")}}, as("session")),
			parameter("One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the "+
				"calling session."), suite(tagging),
			append(chain, assumed(sts.AssumeRoleInput{Tags: []types.Tag{tag("name", "1")}, TransitiveTagKeys: []string{"name"}}))...),
		row("with a transitive tag of the session before, in another case",
			assumed(sts.AssumeRoleInput{Tags: []types.Tag{tag("NAME", "2")}}, as("session")),
			parameter("One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the "+
				"calling session."), suite(tagging),
			append(chain, assumed(sts.AssumeRoleInput{Tags: []types.Tag{tag("name", "1")}, TransitiveTagKeys: []string{"name"}}))...),
		row("with tags that the trust policy does not allow", assumed(sts.AssumeRoleInput{Tags: []types.Tag{tag("name", "1")}}),
			refused(403, "AccessDenied", "User: … is not authorized to perform: sts:TagSession on resource: $ROLE"),
			report("answers of STS to session tags"),
			trusting(policyHead+`{"Effect":"Allow","Principal":{"AWS":"$A"},"Action":"sts:AssumeRole"}`+policyTail)),
		row("without the external id", assumed(sts.AssumeRoleInput{}),
			refused(403, "AccessDenied", "User: … is not authorized to perform: sts:AssumeRole on resource: $ROLE"),
			guide("The confused deputy problem"),
			trusting(policyHead+`{"Effect":"Allow","Principal":{"AWS":"$A"},"Action":"sts:AssumeRole",`+
				`"Condition":{"StringEquals":{"sts:ExternalId":"x"}}}`+policyTail)),
		row("for two hours, by a session", assumed(sts.AssumeRoleInput{DurationSeconds: num(7200)}, as("session")),
			validation("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining…"),
			report("answers of STS to role chaining"), append(chain,
				iamDo((*iam.Client).UpdateRole, iam.UpdateRoleInput{RoleName: str("$NAME"), MaxSessionDuration: num(43200)}),
				assumed(sts.AssumeRoleInput{}))...),
		row("with a session policy that is no JSON", assumed(sts.AssumeRoleInput{Policy: str("{invalid")}), malformedDocument("…"),
			reference("AssumeRole, Errors"), trusting(trustA)),

		row("of a session", identity(as("session")),
			answers(200).field("Account", "$A").field("Arn", "arn:aws:sts::$A:assumed-role/$NAME/session").
				field("UserId", "AROA…:session"), suite("LocalStack, test_get_caller_identity_with_assumed_role_credentials"),
			trusting(trustA), assumed(sts.AssumeRoleInput{})),
		row("of a user", identity(as("user")), answers(200).field("Account", "$A").field("Arn", "$USER").field("UserId", "AIDA…"),
			suite("LocalStack, test_get_caller_identity_with_iam_user_credentials"), person(), keyed("user")),
		row("without a signature", raw("sts:GetCallerIdentity", "GET", "sts.$REGION.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
			anonymous()), refused(403, "MissingAuthenticationToken", "Request is missing Authentication Token"),
			report("answers of STS without a signature")),
		row("of an operation that is none",
			raw("sts:FlyToTheMoon", "GET", "sts.$REGION.amazonaws.com/?Action=FlyToTheMoon&Version=2011-06-15"),
			refused(400, "InvalidAction", "Could not find operation FlyToTheMoon for version 2011-06-15"),
			report("answers of STS to an unknown action")),
		row("signed 20 minutes ago", raw("sts:GetCallerIdentity", "GET",
			"sts.$REGION.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15", signedAt(-20*60e9)),
			refused(403, "SignatureDoesNotMatch", "Signature expired: … is now earlier than … (… - 15 min.)"),
			report("answers of STS to a clock that is behind")),
	}
	for _, bad := range [][2]string{
		{"that is no ARN", "nothing-valid-in-here"}, {"without a partition", "arn::b:::something/test-role"},
		{"without a service", "arn:a::::something/test-role"},
		{"with too few colons", "arn:a:::something/test-role"}, {"without a resource", "arn:a:a::aaaaaaaaaa:"},
	} {
		rows = append(rows, row("of a role ARN "+bad[0], arn(bad[1]), invalid(bad[1]), suite(parameters)))
	}
	return rows
}
