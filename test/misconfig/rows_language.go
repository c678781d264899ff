package misconfig

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
)

const (
	allowsDelivery = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","kms:*","sts:*"],"Resource":"*"}]}`
	endpointOnly   = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":"*"}]}`
	endpointRoot   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::ACCOUNTA:root"},` +
		`"Action":"*","Resource":"*"}]}`
)

// languageMistakes are policies that a reader takes for right, and that by the rules of
// the policy language do not let the delivery through.
func languageMistakes() []Mistake {
	row := func(number int, name string, put func(context.Context, *testbed.World) error) Mistake {
		return Mistake{Number: number, Name: name, Make: put, Code: "AccessDenied", Status: 403, Text: bare, Delivery: true}
	}
	trust := func(name, statements string) Mistake {
		return Mistake{
			Number: 7, Name: name, Code: "AccessDenied", Status: 403, Text: assumeDenied, Delivery: true, Try: assume(nil),
			Make: putTrust(func(_ string, w *testbed.World) string {
				return strings.NewReplacer("USERARN", w.UserARN).Replace(`{"Version":"2012-10-17","Statement":[` + statements + `]}`)
			}),
		}
	}
	allowUser := `{"Sid":"App","Effect":"Allow","Principal":{"AWS":"USERARN"},"Action":"sts:AssumeRole"}`
	return []Mistake{
		row(33, "the bucket policy denies all but the role by NotPrincipal, and the role has a boundary", both(boundary(allowsDelivery),
			bucketStatement(`{"Sid":"Guard","Effect":"Deny","NotPrincipal":{"AWS":["arn:aws:iam::ACCOUNTA:role/ROLENAME",`+
				`"arn:aws:sts::ACCOUNTA:assumed-role/ROLENAME/brokerd","arn:aws:iam::ACCOUNTA:root"]},`+
				`"Action":"s3:PutObject","Resource":"arn:aws:s3:::BUCKET/*"}`))),
		row(15, "the role's policy names the prefix by a tag that the session does not have",
			identity(`BUCKET/logs/*"`, `BUCKET/${aws:PrincipalTag/team}/*"`)),
		row(15, "the role's policy names the prefix by a tag whose value is empty", both(tagRole("team", ""),
			identity(`BUCKET/logs/*"`, `BUCKET/${aws:PrincipalTag/team}*"`))),
		row(33, "the bucket policy denies a tag of the role, whose key it spells in capitals", both(tagRole("team", "logs"),
			bucketStatement(denyAll(`{"StringEquals":{"aws:PrincipalTag/TEAM":"logs"}}`)))),
		row(38, "a statement for users of a social network beside the role's, with RestrictPublicBuckets", both(restrictPublicBuckets,
			bucketStatement(`{"Effect":"Allow","Principal":{"Federated":"graph.facebook.com"},"Action":"s3:GetObject",`+
				`"Resource":"arn:aws:s3:::BUCKET/public/*"}`))),
		row(14, "the role's only statement for S3 is a Deny", func(ctx context.Context, w *testbed.World) error {
			return w.PutIdentity(ctx, `{"Version":"2012-10-17","Statement":[{"Sid":"Guard","Effect":"Deny","Action":"s3:*","Resource":"*"},`+
				`{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}`)
		}),
		{
			Number: 24, Name: "the VPC endpoint's policy names the root of account A, which is the root user alone there", Code: "AccessDenied",
			Status: 403, Text: bare, Try: throughEndpoint(endpointRoot),
		},
		{
			Number: 24, Name: "the VPC endpoint's policy has nothing but a Deny of another action", Code: "AccessDenied", Status: 403, Text: bare,
			Try: throughEndpoint(endpointOnly),
		},
		trust("the trust policy has nothing but a Deny",
			`{"Sid":"Guard","Effect":"Deny","Principal":"*","Action":"sts:AssumeRole","Condition":{"Bool":{"aws:SecureTransport":"false"}}}`),
		trust("the trust policy denies callers outside an organization",
			allowUser+`,{"Sid":"Guard","Effect":"Deny","Principal":"*","Action":"sts:AssumeRole",`+
				`"Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-bucketsorg1"}}}`),
		trust("the trust policy wants MFA, which a daemon does not have",
			strings.Replace(allowUser, `"Action"`, `"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}},"Action"`, 1)),
		{
			Number: 45, Name: "the key policy denies callers outside an organization", Code: "AccessDenied", Status: 403, Text: keyDenied + opaque,
			Delivery: true, Make: keyStatement(`{"Sid":"Guard","Effect":"Deny","Principal":{"AWS":"*"},` +
				`"Action":["kms:GenerateDataKey","kms:Decrypt"],` +
				`"Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-bucketsorg1"},` +
				`"StringEquals":{"kms:ViaService":"s3.eu-west-1.amazonaws.com"}}}`),
		},
		{
			Number: 10, Name: "STS is not active in the Region", Code: "RegionDisabledException", Status: 403,
			Local: "the sandbox gives the answer as a fault", Text: stsDisabled, Try: assume(nil),
			Make: failing(sandbox.Fault{Operation: "sts:AssumeRole", Code: "RegionDisabledException", Message: stsDisabled, Status: 403}),
		},
	}
}

const stsDisabled = "STS is not activated in this region for account:111122223333. " +
	"Your account administrator can activate STS in this region using the IAM Console."

// languageFindings are the findings of languageMistakes.
func languageFindings() map[string]Finding {
	either := func(code, side, kind, statement string) Finding {
		return Finding{
			Code: code, Blind: blindWrite, Side: side, Kind: kind, BlindKind: eitherSide, Statement: statement, Repair: ByStatement,
		}
	}
	trust := func(code, statement string) Finding {
		return Finding{Code: code, Blind: "BRK-ID-020", Side: "A", Kind: "trust", Statement: statement, Repair: ByStatement}
	}
	unseen := func(policy string) Finding {
		return Finding{
			Code: "BRK-POL-010", Blind: blindWrite, Kind: "unseen policy", BlindKind: eitherSide, Repair: ByHand, Stage: throughEndpointOf(policy),
		}
	}
	return map[string]Finding{
		"the bucket policy denies all but the role by NotPrincipal, and the role has a boundary": either(
			"BRK-S3-022",
			"B",
			"bucket-policy",
			"Guard",
		),
		"the role's policy names the prefix by a tag that the session does not have": either("BRK-S3-024", "A", "identity", ""),
		"the role's policy names the prefix by a tag whose value is empty":           either("BRK-S3-024", "A", "identity", ""),
		"the bucket policy denies a tag of the role, whose key it spells in capitals": either(
			"BRK-S3-022",
			"B",
			"bucket-policy",
			"Guard",
		),
		"a statement for users of a social network beside the role's, with RestrictPublicBuckets": either("BRK-POL-006", "B",
			"bucket-policy", ""),
		"the role's only statement for S3 is a Deny": {
			Code: "BRK-S3-022", Blind: blindWrite, Side: "A", Kind: "identity", BlindKind: eitherSide, Statement: "Guard", Repair: ByHand,
		},
		"the VPC endpoint's policy names the root of account A, which is the root user alone there": unseen(endpointRoot),
		"the VPC endpoint's policy has nothing but a Deny of another action":                        unseen(endpointOnly),
		"the trust policy has nothing but a Deny":                                                   trust("BRK-ID-020", ""),
		"the trust policy denies callers outside an organization":                                   trust("BRK-ID-020", "Guard"),
		"the trust policy wants MFA, which a daemon does not have":                                  trust("BRK-ID-020", ""),
		"the key policy denies callers outside an organization": {
			Code: "BRK-KMS-014", Blind: "BRK-KMS-010", Side: "B", Kind: "key-policy", Statement: "Guard", Repair: ByStatement,
		},
		"STS is not active in the Region": {Code: "BRK-ID-052", Side: "A", Kind: "session", Repair: ByHand},
	}
}

func tagRole(key, value string) func(context.Context, *testbed.World) error {
	return func(ctx context.Context, w *testbed.World) error {
		_, err := w.IAM.TagRole(ctx, &iam.TagRoleInput{
			RoleName: aws.String(w.RoleName), Tags: []iamtypes.Tag{{Key: aws.String(key), Value: aws.String(value)}},
		})
		return err
	}
}

func restrictPublicBuckets(ctx context.Context, w *testbed.World) error {
	_, err := w.S3.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: aws.String(w.Bucket),
		PublicAccessBlockConfiguration: &s3types.PublicAccessBlockConfiguration{RestrictPublicBuckets: aws.Bool(true)}})
	return err
}

// keyStatement adds a statement to the key policy.
func keyStatement(statement string) func(context.Context, *testbed.World) error {
	return func(ctx context.Context, w *testbed.World) error {
		doc, err := testbed.AddStatement(string(w.Docs.Key), expander(w).Replace(statement))
		if err != nil {
			return err
		}
		return w.PutKeyPolicy(ctx, doc)
	}
}

// throughEndpointOf sends S3 calls of the daemon through a VPC endpoint with a policy.
func throughEndpointOf(policy string) func(context.Context, *testbed.World) error {
	return func(_ context.Context, w *testbed.World) error {
		url, err := w.Sandbox.AddVPCEndpoint(sandbox.VPCEndpoint{ID: "vpce-0a", VPC: "vpc-0b", Policy: expander(w).Replace(policy)})
		w.Config.AWS.Endpoints.S3 = url
		return err
	}
}
