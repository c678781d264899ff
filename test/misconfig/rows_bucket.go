package misconfig

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
)

// bucket makes a mistake in the bucket's policy.
func bucket(from, to string) func(context.Context, *testbed.World) error {
	return func(ctx context.Context, w *testbed.World) error {
		return edit(string(w.Docs.Bucket), from, to, w, func(doc string) error { return w.PutBucketPolicy(ctx, doc) })
	}
}

// bucketStatement adds a statement to the bucket's policy.
func bucketStatement(statement string) func(context.Context, *testbed.World) error {
	return func(ctx context.Context, w *testbed.World) error {
		doc, err := testbed.AddStatement(string(w.Docs.Bucket), expander(w).Replace(statement))
		if err != nil {
			return err
		}
		return w.PutBucketPolicy(ctx, doc)
	}
}

func denyAll(condition string) string {
	return `{"Sid":"Guard","Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::BUCKET/*","Condition":` +
		condition + `}`
}

// both makes several mistakes, or one that has several parts.
func both(all ...func(context.Context, *testbed.World) error) func(context.Context, *testbed.World) error {
	return func(ctx context.Context, w *testbed.World) error {
		for _, f := range all {
			if err := f(ctx, w); err != nil {
				return err
			}
		}
		return nil
	}
}

func put(change func(in *s3.PutObjectInput)) func(context.Context, *Actor) error {
	return func(ctx context.Context, a *Actor) error { return a.Put(ctx, change) }
}

func bucketMistakes() []Mistake {
	return []Mistake{
		{Number: 26, Name: "the bucket policy does not let the role write", Make: bucket(`"s3:PutObject"`, `"s3:GetObject"`),
			Code: "AccessDenied", Status: 403, Text: bare, Delivery: true},
		{Number: 26, Name: "there is no bucket policy", Code: "AccessDenied", Status: 403, Text: bare, Delivery: true,
			Make: func(ctx context.Context, w *testbed.World) error {
				_, err := w.S3.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: aws.String(w.Bucket)})
				return err
			}},
		{Number: 27, Name: "the role was deleted and made again", Code: "AccessDenied", Status: 403, Text: bare, Delivery: true,
			Make: recreateRole, Try: func(ctx context.Context, a *Actor) error {
				again, err := a.renewed(ctx)
				if err != nil {
					return err
				}
				return again.Put(ctx, nil)
			}},
		{Number: 27, Name: "a session of a role that was deleted", Code: "InvalidAccessKeyId", Status: 403,
			Text: "The AWS Access Key Id you provided does not exist in our records.", Make: recreateRole},
		{Number: 28, Name: "the bucket policy names a role that is not there yet", Code: "MalformedPolicy", Status: 400,
			Text: "Invalid principal in policy", Try: func(ctx context.Context, a *Actor) error {
				return a.PutBucketPolicy(ctx, strings.ReplaceAll(string(a.Docs.Bucket), a.RoleName, "Ghost"))
			}},
		{Number: 29, Name: "the bucket policy is about the bucket, not its objects", Make: bucket(`BUCKET/logs/*"`, `BUCKET"`),
			Code: "MalformedPolicy", Status: 400, Text: "Action does not apply to any resource(s) in statement", Try: func(ctx context.Context,
				a *Actor) error {
				return edit(string(a.Docs.Bucket), `BUCKET/logs/*"`, `BUCKET"`, a.World, func(doc string) error { return a.PutBucketPolicy(ctx, doc) })
			}},
		{Number: 29, Name: "the bucket policy is about another prefix", Make: bucket(`BUCKET/logs/*"`, `BUCKET/log/*"`), Code: "AccessDenied",
			Status: 403, Text: bare, Delivery: true},
		{Number: 30, Name: "the bucket policy wants a newer TLS than there is",
			Make: bucketStatement(denyAll(`{"NumericLessThan":{"s3:TlsVersion":"1.4"}}`)), Code: "AccessDenied", Status: 403, Text: bare,
			Delivery: true},
		{Number: 30, Name: "the bucket policy wants another signature version",
			Make: bucketStatement(denyAll(`{"StringNotEquals":{"s3:signatureversion":"AWS"}}`)), Code: "AccessDenied", Status: 403, Text: bare,
			Delivery: true},
		{Number: 33, Name: "the bucket policy wants a VPC endpoint",
			Make: bucketStatement(denyAll(`{"StringNotEquals":{"aws:SourceVpce":"vpce-0a"}}`)), Code: "AccessDenied", Status: 403, Text: bare,
			Delivery: true},
		{Number: 33, Name: "the bucket policy wants another network",
			Make: bucketStatement(denyAll(`{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`)), Code: "AccessDenied", Status: 403, Text: bare,
			Delivery: true},
		{Number: 33, Name: "the bucket policy wants the bucket's organization",
			Make: bucketStatement(denyAll(`{"StringNotEquals":{"aws:PrincipalOrgID":"o-bucketsorg1"}}`)), Code: "AccessDenied", Status: 403,
			Text: bare, Delivery: true},
		{Number: 34, Name: "a legacy policy wants the ACL bucket-owner-full-control",
			Make: bucketStatement(denyAll(`{"StringNotEquals":{"s3:x-amz-acl":"bucket-owner-full-control"}}`)), Code: "AccessDenied", Status: 403,
			Text: bare, Delivery: true},
		{Number: 34, Name: "the same, and it is sent",
			Make: both(bucketStatement(denyAll(`{"StringNotEquals":{"s3:x-amz-acl":"bucket-owner-full-control"}}`)),
				allowACL), Try: put(func(in *s3.PutObjectInput) { in.ACL = s3types.ObjectCannedACLBucketOwnerFullControl })},
		{Number: 37, Name: "the bucket lets writers own their objects: the write succeeds", Make: objectWriter},
		{Number: 37, Name: "the bucket lets writers own their objects: its owner cannot read them", Make: objectWriter, Code: "AccessDenied",
			Status: 403, Text: bare, Try: func(ctx context.Context, a *Actor) error {
				if err := a.Put(ctx, nil); err != nil {
					return fmt.Errorf("the write: %s", err.Error())
				}
				_, err := a.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(a.Bucket), Key: aws.String("logs/mistake")})
				return err
			}},
		{Number: 38, Name: "a public statement beside the role's, with RestrictPublicBuckets", Delivery: true, Code: "AccessDenied",
			Status: 403, Text: bare, Make: both(func(ctx context.Context, w *testbed.World) error {
				_, err := w.S3.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: aws.String(w.Bucket),
					PublicAccessBlockConfiguration: &s3types.PublicAccessBlockConfiguration{RestrictPublicBuckets: aws.Bool(true)}})
				return err
			}, bucketStatement(`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::BUCKET/public/*"}`))},
		{Number: 40, Name: "the bucket was deleted", Code: "NoSuchBucket", Status: 404, Text: "The specified bucket does not exist",
			Delivery: true, Make: func(ctx context.Context, w *testbed.World) error {
				_, err := w.S3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String(w.Bucket)})
				return err
			}},
		{Number: 42, Name: "the bucket makes its requesters pay", Code: "AccessDenied", Status: 403, Text: bare, Delivery: true,
			Make: func(ctx context.Context, w *testbed.World) error {
				_, err := w.S3.PutBucketRequestPayment(ctx,
					&s3.PutBucketRequestPaymentInput{Bucket: aws.String(w.Bucket),
						RequestPaymentConfiguration: &s3types.RequestPaymentConfiguration{Payer: s3types.PayerRequester}})
				return err
			}},
		{Number: 43, Name: "an RCP of account B keeps others out of its buckets", Code: "AccessDenied", Status: 403, Text: bare,
			Delivery: true, Make: guard("b", sandbox.Guardrails{OrganizationID: "o-bucketsorg1", ResourceControl: []string{
				`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*","Condition":` +
					`{"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-bucketsorg1"},"BoolIfExists":{"aws:PrincipalIsAWSService":"false"}}}]}`}})},
		{Number: 43, Name: "an RCP of account B keeps others away from its keys", Code: "AccessDenied", Status: 403,
			Text: "~kms:GenerateDataKey", Delivery: true, Make: guard("b",
				sandbox.Guardrails{OrganizationID: "o-bucketsorg1", ResourceControl: []string{
					`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*",` +
						`"Condition":{"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-bucketsorg1"}}}]}`}})},
		{Number: 44, Name: "S3 asks to slow down", Code: "SlowDown", Status: 503, Text: "Please reduce your request rate.",
			Make: func(_ context.Context, w *testbed.World) error {
				return w.Sandbox.AddFault(sandbox.Fault{Operation: "s3:PutObject", Code: "throttle"})
			}},
		{Number: 58, Name: "a principal of another partition", Code: "MalformedPolicy", Status: 400, Text: "Invalid principal in policy",
			Try: func(ctx context.Context, a *Actor) error {
				return a.PutBucketPolicy(ctx, strings.ReplaceAll(string(a.Docs.Bucket), "arn:aws:iam:", "arn:aws-cn:iam:"))
			}},
	}
}

func allowACL(ctx context.Context, w *testbed.World) error {
	doc, err := w.S3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: aws.String(w.Bucket)})
	if err != nil {
		return err
	}
	if err := w.PutBucketPolicy(ctx, strings.Replace(*doc.Policy, `"s3:AbortMultipartUpload"`,
		`"s3:AbortMultipartUpload","s3:PutObjectAcl"`, 1)); err != nil {
		return err
	}
	return w.PutIdentity(ctx, strings.Replace(string(w.Docs.Identity), `"s3:AbortMultipartUpload"`,
		`"s3:AbortMultipartUpload","s3:PutObjectAcl"`, 1))
}

func objectWriter(ctx context.Context, w *testbed.World) error {
	_, err := w.S3.PutBucketOwnershipControls(ctx,
		&s3.PutBucketOwnershipControlsInput{Bucket: aws.String(w.Bucket), OwnershipControls: &s3types.OwnershipControls{
			Rules: []s3types.OwnershipControlsRule{{ObjectOwnership: s3types.ObjectOwnershipObjectWriter}},
		}})
	return err
}

// recreateRole deletes the role and makes another one of the name with the same policies.
func recreateRole(ctx context.Context, w *testbed.World) error {
	name := aws.String(w.RoleName)
	list, err := w.IAM.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: name})
	if err != nil {
		return err
	}
	for _, p := range list.PolicyNames {
		if _, err := w.IAM.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String(p)}); err != nil {
			return err
		}
	}
	if _, err := w.IAM.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name}); err != nil {
		return err
	}
	if _, err := w.IAM.CreateRole(ctx, &iam.CreateRoleInput{RoleName: name,
		AssumeRolePolicyDocument: aws.String(string(w.Docs.Trust))}); err != nil {
		return err
	}
	return w.PutIdentity(ctx, string(w.Docs.Identity))
}

// renewed returns the actor with a new session.
func (a *Actor) renewed(ctx context.Context) (*Actor, error) {
	out, err := a.Assume(ctx, nil)
	if err != nil {
		return nil, err
	}
	again := *a
	again.Session = credentials.NewStaticCredentialsProvider(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey,
		*out.Credentials.SessionToken)
	return &again, nil
}

var lockUntil = func(in *s3.PutObjectInput, at time.Time) {
	in.ObjectLockMode, in.ObjectLockRetainUntilDate = s3types.ObjectLockModeGovernance, aws.Time(at)
}
