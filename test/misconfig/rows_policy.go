package misconfig

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
)

const (
	bare   = "Access Denied"
	opaque = "because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy " +
		"explicitly denies access"
	keyDenied  = "User: SESSION is not authorized to perform: kms:GenerateDataKey on resource: KEY "
	partDenied = "User: SESSION is not authorized to perform: kms:Decrypt on resource: KEY "
)

// identity makes a mistake in the role's own policy.
func identity(from, to string) func(context.Context, *testbed.World) error {
	return func(ctx context.Context, w *testbed.World) error {
		return edit(string(w.Docs.Identity), from, to, w, func(doc string) error { return w.PutIdentity(ctx, doc) })
	}
}

var errNothingToEdit = errors.New("the text to be replaced is not in the policy")

// edit replaces the first occurrence of from. In to, KEY, A and B stand for the key's ARN and the accounts.
func edit(doc, from, to string, w *testbed.World, put func(string) error) error {
	expand := expander(w)
	from, to = expand.Replace(from), expand.Replace(to)
	if !strings.Contains(doc, from) {
		return fmt.Errorf("%w: %s in %s", errNothingToEdit, from, doc)
	}
	return put(strings.Replace(doc, from, to, 1))
}

// expander replaces KEY, ACCOUNTA, ACCOUNTB, BUCKET and ROLENAME.
func expander(w *testbed.World) *strings.Replacer {
	return strings.NewReplacer("KEY", w.KeyARN, "ACCOUNTA", w.AccountA, "ACCOUNTB", w.AccountB, "BUCKET", w.Bucket, "ROLENAME", w.RoleName)
}

func part(ctx context.Context, a *Actor) error { return a.Part(ctx) }

func policyMistakes() []Mistake {
	return []Mistake{
		{Number: 14, Name: "the role's policy lacks s3:PutObject", Make: identity(`"s3:PutObject"`, `"s3:GetObject"`), Code: "AccessDenied",
			Status: 403, Text: bare, Delivery: true},
		{Number: 15, Name: "the role's policy is about the bucket, not its objects", Make: identity(`BUCKET/logs/*"`, `BUCKET"`),
			Code: "AccessDenied", Status: 403, Text: bare, Delivery: true},
		{Number: 15, Name: "the role's policy is about another prefix", Make: identity(`BUCKET/logs/*"`, `BUCKET/log/*"`),
			Code: "AccessDenied", Status: 403, Text: bare, Delivery: true},
		{
			Number: 16, Name: "the role's policy lacks kms:GenerateDataKey", Make: identity(`"kms:GenerateDataKey"`,
				`"kms:DescribeKey"`), Delivery: true,
			Code: "AccessDenied", Status: 403, Text: keyDenied + "because no identity-based policy allows the kms:GenerateDataKey action",
		},
		{Number: 17, Name: "the role's policy lacks kms:Decrypt: small objects are stored",
			Make: identity(`"kms:Decrypt"`, `"kms:DescribeKey"`), Delivery: true},
		{
			Number: 17, Name: "the role's policy lacks kms:Decrypt: parts are not", Make: identity(`"kms:Decrypt"`,
				`"kms:DescribeKey"`), Try: part, Delivery: true,
			Code: "AccessDenied", Status: 403, Text: partDenied + "because no identity-based policy allows the kms:Decrypt action",
		},
		{
			Number: 18, Name: "the role's policy names the key by an alias", Make: identity(`"KEY"`,
				`"arn:aws:kms:eu-west-1:ACCOUNTB:alias/tenant"`), Delivery: true,
			Code: "AccessDenied", Status: 403, Text: keyDenied + "because no identity-based policy allows the kms:GenerateDataKey action",
		},
		{
			Number: 19, Name: "the role's boundary knows nothing of KMS",
			Make: boundary(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`), Delivery: true,
			Code: "AccessDenied", Status: 403, Text: keyDenied + "because no permissions boundary allows the kms:GenerateDataKey action",
		},
		{Number: 19, Name: "the role's boundary knows nothing of S3",
			Make: boundary(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}`), Code: "AccessDenied",
			Status: 403, Text: bare, Delivery: true},
		{
			Number: 20, Name: "the session policy knows nothing of KMS",
			Try:  withSessionPolicy(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`),
			Code: "AccessDenied", Status: 403, Text: keyDenied + "because no session policy allows the kms:GenerateDataKey action",
		},
		{
			Number: 21, Name: "an SCP of account A keeps its principals inside their organization",
			Make: guard("a", sandbox.Guardrails{OrganizationID: "o-accountsaaa1", ServiceControl: []string{
				`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}, ` +
					`{"Effect":"Deny","Action":"s3:*","Resource":"*",` +
					`"Condition":{"StringNotEquals":{"aws:ResourceOrgID":"o-accountsaaa1"}}}]}`}}),
			Code: "AccessDenied", Status: 403, Text: bare, Delivery: true,
		},
		{
			Number: 21, Name: "an SCP of account A does not list KMS",
			Make: guard("a", sandbox.Guardrails{OrganizationID: "o-accountsaaa1",
				ServiceControl: []string{`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","sts:*"],"Resource":"*"}]}`}}),
			Code: "AccessDenied", Status: 403, Text: keyDenied +
				"because no service control policy allows the kms:GenerateDataKey action", Delivery: true,
		},
		{
			Number: 23, Name: "the role's policy is bound to a network: S3's call to KMS comes from none",
			Make: identity(`"kms:ViaService":`, `"aws:SourceVpce":"vpce-0a","kms:ViaService":`), Delivery: true,
			Code: "AccessDenied", Status: 403, Text: keyDenied + "because no identity-based policy allows the kms:GenerateDataKey action",
		},
		{
			Number: 24, Name: "the VPC endpoint's policy knows only account A's buckets", Code: "AccessDenied", Status: 403, Text: bare,
			Try: throughEndpoint(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*",` +
				`"Condition":{"StringEquals":{"aws:ResourceAccount":"ACCOUNTA"}}}]}`),
		},
		{Number: 24, Name: "a VPC endpoint without a policy of its own", Try: throughEndpoint("")},
	}
}

func boundary(doc string) func(context.Context, *testbed.World) error {
	return func(ctx context.Context, w *testbed.World) error {
		p, err := w.IAM.CreatePolicy(ctx, &iam.CreatePolicyInput{
			PolicyName: aws.String(w.RoleName + "-boundary"), PolicyDocument: aws.String(doc),
		})
		if err != nil {
			return err
		}
		_, err = w.IAM.PutRolePermissionsBoundary(ctx,
			&iam.PutRolePermissionsBoundaryInput{RoleName: aws.String(w.RoleName), PermissionsBoundary: p.Policy.Arn})
		return err
	}
}

func withSessionPolicy(doc string) func(context.Context, *Actor) error {
	return func(ctx context.Context, a *Actor) error {
		out, err := a.Assume(ctx, func(in *sts.AssumeRoleInput) { in.Policy = aws.String(doc) })
		if err != nil {
			return err
		}
		other := *a
		other.Session = credentials.NewStaticCredentialsProvider(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey,
			*out.Credentials.SessionToken)
		return other.Put(ctx, nil)
	}
}

func guard(account string, g sandbox.Guardrails) func(context.Context, *testbed.World) error {
	return func(_ context.Context, w *testbed.World) error {
		return w.Sandbox.SetGuardrails(map[string]string{"a": w.AccountA, "b": w.AccountB}[account], g)
	}
}

func throughEndpoint(policy string) func(context.Context, *Actor) error {
	return func(ctx context.Context, a *Actor) error {
		url, err := a.Sandbox.AddVPCEndpoint(sandbox.VPCEndpoint{ID: "vpce-0a", VPC: "vpc-0b",
			Policy: strings.ReplaceAll(policy, "ACCOUNTA", a.AccountA)})
		if err != nil {
			return err
		}
		other := *a
		other.Endpoint = url
		return other.Put(ctx, nil)
	}
}

// putConfigured is Put under another configuration of the SDK.
func (a *Actor) putConfigured(ctx context.Context, cfg aws.Config) error {
	_, err := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }).PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(a.Dest.Bucket), Key: aws.String("logs/mistake"), Body: strings.NewReader("a line"),
	})
	return err
}
