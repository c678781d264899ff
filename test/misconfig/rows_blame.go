package misconfig

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
)

// onlyBucketPolicy replaces the bucket policy by an Allow statement with a condition,
// and by further statements.
func onlyBucketPolicy(condition, more string) func(context.Context, *testbed.World) error {
	return func(ctx context.Context, w *testbed.World) error {
		return w.PutBucketPolicy(ctx, expander(w).Replace(fmt.Sprintf(`{"Version":"2012-10-17","Statement":[`+
			`{"Sid":"Writers","Effect":"Allow","Principal":{"AWS":%[1]q},"Action":"s3:PutObject","Resource":"arn:aws:s3:::BUCKET/*"%[2]s},`+
			`{"Sid":"Aborts","Effect":"Allow","Principal":{"AWS":%[1]q},"Action":"s3:AbortMultipartUpload",`+
			`"Resource":"arn:aws:s3:::BUCKET/*"}%[3]s]}`,
			w.Dest.Role, condition, more)))
	}
}

// denyWrite is a Deny statement for the objects of the bucket, to follow another one.
func denyWrite(sid, condition string) string {
	return fmt.Sprintf(`,{"Sid":%q,"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::BUCKET/*",`+
		`"Condition":%s}`, sid, condition)
}

// identityStatement adds a policy to the role.
func identityStatement(statement string) func(context.Context, *testbed.World) error {
	return func(ctx context.Context, w *testbed.World) error {
		_, err := w.IAM.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
			RoleName: aws.String(w.RoleName), PolicyName: aws.String("guard"),
			PolicyDocument: aws.String(expander(w).Replace(`{"Version":"2012-10-17","Statement":[` + statement + `]}`)),
		})
		return err
	}
}

const onlyDeny = `{"Version":"2012-10-17","Statement":[{"Sid":"Guard","Effect":"Deny","Action":"s3:*","Resource":"*"}]}`

// blameMistakes are mistakes whose error suggests another cause than the true one.
func blameMistakes() []Mistake {
	row := func(number int, name string, put func(context.Context, *testbed.World) error) Mistake {
		return Mistake{Number: number, Name: name, Make: put, Code: "AccessDenied", Status: 403, Text: bare, Delivery: true}
	}
	parts := func(number int, name string, put func(context.Context, *testbed.World) error) Mistake {
		m := row(number, name, put)
		m.Try = part
		return m
	}
	return []Mistake{
		row(31, "the bucket policy denies all but AES256",
			onlyBucketPolicy("", denyWrite("Guard", `{"StringNotEquals":{"s3:x-amz-server-side-encryption":"AES256"}}`))),
		row(31, "the bucket policy allows AES256 alone",
			onlyBucketPolicy(`,"Condition":{"StringEquals":{"s3:x-amz-server-side-encryption":"AES256"}}`, "")),
		row(
			31, "the bucket policy denies aws:kms",
			onlyBucketPolicy("", denyWrite("Guard", `{"StringEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}`)),
		),
		row(31, "the bucket policy denies every kind of aws:kms",
			onlyBucketPolicy("", denyWrite("Guard", `{"StringLike":{"s3:x-amz-server-side-encryption":"aws:kms*"}}`))),
		row(31, "the role's policy denies aws:kms",
			both(
				dropBucketGuards,
				identityStatement(`{"Sid":"Guard","Effect":"Deny","Action":"s3:PutObject","Resource":"*",`+
					`"Condition":{"StringEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}}`),
			)),
		row(32, "the bucket policy denies other keys where one is named", onlyBucketPolicy("",
			denyWrite(
				"Guard",
				`{"StringNotEquals":`+
					`{"s3:x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:eu-west-1:ACCOUNTB:key/00000000-0000-0000-0000-000000000000"},`+
					`"Null":{"s3:x-amz-server-side-encryption-aws-kms-key-id":"false"}}`,
			))),
		row(32, "the bucket policy names the key by an alias", onlyBucketPolicy("",
			denyWrite(
				"Guard", `{"StringNotEquals":{"s3:x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:eu-west-1:ACCOUNTB:alias/tenant"}}`,
			))),
		row(32, "the role's policy denies other keys where one is named",
			both(
				dropBucketGuards,
				identityStatement(`{"Sid":"Guard","Effect":"Deny","Action":"s3:PutObject","Resource":"*","Condition":{"StringNotEquals":`+
					`{"s3:x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:eu-west-1:ACCOUNTB:key/00000000-0000-0000-0000-000000000000"},`+
					`"Null":{"s3:x-amz-server-side-encryption-aws-kms-key-id":"false"}}}`),
			)),
		parts(31, "a pair of Deny statements wants the encryption header on every request", onlyBucketPolicy("",
			denyWrite("Guard", `{"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}`)+
				denyWrite("Absent", `{"Null":{"s3:x-amz-server-side-encryption":"true"}}`))),
		parts(31, "the role's policy wants the encryption header on every request",
			both(
				dropBucketGuards,
				identityStatement(`{"Sid":"Guard","Effect":"Deny","Action":"s3:PutObject","Resource":"*",`+
					`"Condition":{"Null":{"s3:x-amz-server-side-encryption":"true"}}}`),
			)),
		parts(32, "the bucket policy wants the key on every request", onlyBucketPolicy("",
			denyWrite("Guard", `{"Null":{"s3:x-amz-server-side-encryption-aws-kms-key-id":"true"}}`))),
		parts(31, "the bucket policy allows requests with the encryption header alone",
			onlyBucketPolicy(`,"Condition":{"StringEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}`, "")),
		row(19, "the role's boundary has nothing but a Deny", boundary(onlyDeny)),
		row(29, "the bucket policy allows another role", onlyBucketPolicyFor("arn:aws:iam::ACCOUNTA:root",
			`,"Condition":{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::ACCOUNTA:role/Other"}}`)),
		row(33, "the bucket policy allows its own organization alone",
			onlyBucketPolicy(`,"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-bucketsorg1"}}`, "")),
		row(33, "the bucket policy allows a VPC endpoint alone",
			onlyBucketPolicy(`,"Condition":{"StringEquals":{"aws:SourceVpce":"vpce-0a"}}`, "")),
	}
}

// onlyBucketPolicyFor is a bucket policy for one principal.
func onlyBucketPolicyFor(principal, condition string) func(context.Context, *testbed.World) error {
	return func(ctx context.Context, w *testbed.World) error {
		return w.PutBucketPolicy(ctx, expander(w).Replace(fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Sid":"Writers","Effect":"Allow",`+
			`"Principal":{"AWS":%q},"Action":["s3:PutObject","s3:AbortMultipartUpload"],"Resource":"arn:aws:s3:::BUCKET/*"%s}]}`,
			principal, condition)))
	}
}

// blameFindings are the findings of blameMistakes, and of answers that only a fault gives.
func blameFindings() map[string]Finding {
	either := func(code, blind, side, kind, statement string) Finding {
		return Finding{Code: code, Blind: blind, Side: side, Kind: kind, BlindKind: eitherSide, Statement: statement, Repair: ByStatement}
	}
	// A Deny in the role's own policy cannot be narrowed for the role.
	unproven := func(code, blind, side, kind, statement string) Finding {
		f := either(code, blind, side, kind, statement)
		f.Repair = ByHand
		return f
	}
	byHand := func(code, side, kind string) Finding {
		return Finding{Code: code, Side: side, Kind: kind, Repair: ByHand}
	}
	return map[string]Finding{
		"the bucket policy denies all but AES256": either("BRK-S3-041", "BRK-S3-041", "B",
			"bucket-policy", "Guard"),
		"the bucket policy allows AES256 alone": either("BRK-S3-021", "BRK-S3-041", "B", "bucket-policy", ""),
		"the bucket policy denies aws:kms": either("BRK-S3-041", "BRK-S3-041", "B",
			"bucket-policy", "Guard"),
		"the bucket policy denies every kind of aws:kms": either("BRK-S3-041", "BRK-S3-041", "B",
			"bucket-policy", "Guard"),
		"the role's policy denies aws:kms": unproven("BRK-S3-022", "BRK-S3-041", "A", "identity", "Guard"),
		"the bucket policy denies other keys where one is named": either("BRK-S3-042", "BRK-S3-042", "B",
			"bucket-policy", "Guard"),
		"the bucket policy names the key by an alias":            either("BRK-S3-042", blindWrite, "B", "bucket-policy", "Guard"),
		"the role's policy denies other keys where one is named": unproven("BRK-S3-022", "BRK-S3-042", "A", "identity", "Guard"),
		"a pair of Deny statements wants the encryption header on every request": either("BRK-S3-041", "BRK-S3-049", "B",
			"bucket-policy", "Guard"),
		"the role's policy wants the encryption header on every request":     either("BRK-S3-022", "BRK-S3-049", "A", "identity", "Guard"),
		"the bucket policy wants the key on every request":                   either("BRK-S3-042", "BRK-S3-049", "B", "bucket-policy", "Guard"),
		"the bucket policy allows requests with the encryption header alone": either("BRK-S3-021", "BRK-S3-049", "B", "bucket-policy", ""),
		"the role's boundary has nothing but a Deny":                         unproven("BRK-POL-001", blindWrite, "A", "boundary", ""),
		"the bucket policy allows another role":                              either("BRK-S3-021", blindWrite, "B", "bucket-policy", ""),
		"the bucket policy allows its own organization alone":                either("BRK-S3-043", blindWrite, "B", "bucket-policy", ""),
		"the bucket policy allows a VPC endpoint alone":                      either("BRK-S3-043", blindWrite, "B", "bucket-policy", ""),

		"STS refuses the length of the session":         byHand("BRK-ID-022", "A", "session"),
		"STS refuses the length of a chained session":   byHand("BRK-ID-022", "A", "session"),
		"STS refuses the role's ARN":                    byHand("BRK-CFG-010", "A", "config"),
		"STS refuses the name of the session":           byHand("BRK-ID-028", "A", "session"),
		"STS refuses a tag of the session":              byHand("BRK-ID-028", "A", "session"),
		"STS refuses the source identity":               byHand("BRK-ID-028", "A", "session"),
		"S3 has disabled the bucket":                    byHand("BRK-S3-014", "B", "bucket"),
		"the session policy and the tags are too large": byHand("BRK-ID-025", "A", "session-policy"),
	}
}

// faultMistakes are answers of AWS that the sandbox gives only as a fault.
func faultMistakes() []Mistake {
	sts := func(name, code, text string) Mistake {
		return Mistake{
			Number: 10, Name: name, Code: code, Status: 400, Text: text, Local: "the sandbox gives the answer as a fault",
			Make: failing(sandbox.Fault{Operation: "sts:AssumeRole", Code: code, Message: text, Status: 400}), Try: assume(nil),
		}
	}
	const disabled = "All access to this object has been disabled"
	return []Mistake{
		sts("STS refuses the length of the session", "ValidationError",
			"The requested DurationSeconds exceeds the MaxSessionDuration set for this role."),
		sts("STS refuses the length of a chained session", "ValidationError",
			"The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."),
		sts("STS refuses the role's ARN", "ValidationError", "arn:aws:iam::ACCOUNTA:role/ is invalid"),
		sts("STS refuses the name of the session", "ValidationError",
			"1 validation error detected: Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular "+
				"expression pattern"),
		sts("STS refuses a tag of the session", "ValidationError",
			"1 validation error detected: Value at 'tags.1.member.key' failed to satisfy constraint: Member must have length greater than "+
				"or equal to 1"),
		sts("STS refuses the source identity", "ValidationError",
			"1 validation error detected: Value 'x y' at 'sourceIdentity' failed to satisfy constraint"),
		sts("the session policy and the tags are too large", "PackedPolicyTooLarge",
			"Packed size of session tags consumes 102% of allotted space."),
		{
			Number: 40, Name: "S3 has disabled the bucket", Code: "AllAccessDisabled", Status: 403, Text: disabled, Try: part,
			Make: create("AllAccessDisabled", disabled, 403), Local: "the sandbox gives the answer as a fault",
		},
	}
}
