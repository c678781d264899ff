package misconfig

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
)

// key makes a mistake in the key's policy.
func key(from, to string) func(context.Context, *testbed.World) error {
	return func(ctx context.Context, w *testbed.World) error {
		return edit(string(w.Docs.Key), from, to, w, func(doc string) error { return w.PutKeyPolicy(ctx, doc) })
	}
}

// withKey names another key, or none, in the request.
func withKey(name func(a *Actor) string) func(context.Context, *Actor) error {
	return func(ctx context.Context, a *Actor) error {
		if err := dropBucketGuards(ctx, a.World); err != nil {
			return err
		}
		return a.Put(ctx, func(in *s3.PutObjectInput) {
			in.SSEKMSKeyId = nil
			if n := name(a); n != "" {
				in.SSEKMSKeyId = aws.String(n)
			}
		})
	}
}

// dropBucketGuards leaves only the role's Allow in the bucket policy, so that
// the request reaches KMS.
func dropBucketGuards(ctx context.Context, w *testbed.World) error {
	return w.PutBucketPolicy(
		ctx,
		fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":%q},`+
			`"Action":["s3:PutObject","s3:AbortMultipartUpload"],"Resource":"arn:aws:s3:::%s/*"}]}`, w.Dest.Role, w.Bucket),
	)
}

func defaultEncryption(keyRef string) func(context.Context, *testbed.World) error {
	return func(ctx context.Context, w *testbed.World) error {
		rule := &s3types.ServerSideEncryptionByDefault{SSEAlgorithm: s3types.ServerSideEncryptionAwsKms}
		if keyRef != "" {
			rule.KMSMasterKeyID = aws.String(keyRef)
		}
		_, err := w.S3.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{Bucket: aws.String(w.Bucket),
			ServerSideEncryptionConfiguration: &s3types.ServerSideEncryptionConfiguration{
				Rules: []s3types.ServerSideEncryptionRule{{ApplyServerSideEncryptionByDefault: rule, BucketKeyEnabled: aws.Bool(true)}},
			}})
		return err
	}
}

func noHeaders(in *s3.PutObjectInput) {
	in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled = "", nil, nil
}

func keyMistakes() []Mistake {
	keyless := keyDenied + opaque
	return []Mistake{
		{Number: 45, Name: "the key policy does not let the role in", Make: key(`"kms:GenerateDataKey"`, `"kms:DescribeKey"`),
			Code: "AccessDenied", Status: 403, Text: keyless, Delivery: true},
		{Number: 45, Name: "the key policy lets the account in, and the role's policy lacks KMS: the key policy is blamed", Delivery: true,
			Code: "AccessDenied", Status: 403, Text: keyless, Make: both(
				key(`:role/ROLENAME"`, `:root"`), identity(`"kms:GenerateDataKey"`, `"kms:DescribeKey"`))},
		{Number: 46, Name: "the key policy lacks kms:Decrypt: small objects are stored", Make: key(`"kms:Decrypt"`, `"kms:DescribeKey"`),
			Delivery: true},
		{Number: 46, Name: "the key policy lacks kms:Decrypt: parts are not", Make: key(`"kms:Decrypt"`, `"kms:DescribeKey"`), Try: part,
			Delivery: true,
			Code:     "AccessDenied", Status: 403, Text: "User: SESSION is not authorized to perform: kms:Decrypt on the resource associated with " +
				"this ciphertext " + opaque},
		{Number: 47, Name: "the key policy is for S3 of another Region", Make: key(`s3.eu-west-1.`, `s3.us-east-1.`), Code: "AccessDenied",
			Status: 403, Text: keyless, Delivery: true},
		{Number: 47, Name: "the key policy wants callers of account B",
			Make: key(`"kms:ViaService":`, `"kms:CallerAccount":"ACCOUNTB","kms:ViaService":`), Code: "AccessDenied", Status: 403, Text: keyless,
			Delivery: true},
		{Number: 48, Name: "the key policy wants the bucket's ARN, and bucket keys are off", Code: "AccessDenied", Status: 403, Text: keyless,
			Try: put(func(in *s3.PutObjectInput) { in.BucketKeyEnabled = aws.Bool(false) })},
		{Number: 48, Name: "the key policy wants the object's ARN, and bucket keys are on",
			Make: key(`:::BUCKET"`, `:::BUCKET/logs/mistake"`), Code: "AccessDenied", Status: 403, Text: keyless, Delivery: true},
		{Number: 49, Name: "the key policy is bound to a network: S3's call comes from none",
			Make: key(`"kms:ViaService":`, `"aws:SourceVpce":"vpce-0a","kms:ViaService":`), Code: "AccessDenied", Status: 403, Text: keyless,
			Delivery: true},
		{Number: 50, Name: "the request names no key: aws/s3 is nobody else's", Code: "AccessDenied", Status: 403, Text: "~" + opaque,
			Try: withKey(func(*Actor) string { return "" })},
		{Number: 50, Name: "the default encryption names no key", Make: defaultEncryption(""), Code: "AccessDenied", Status: 403,
			Text: "~" + opaque, Try: put(noHeaders)},
		{Number: 51, Name: "the request names the key by its id", Code: "KMS.NotFoundException", Status: 400,
			Text: "~Key 'arn:aws:kms:eu-west-1:A:key/", Try: withKey(func(a *Actor) string {
				return a.KeyARN[strings.LastIndex(a.KeyARN,
					"/")+1:]
			})},
		{Number: 51, Name: "the request names an alias: it is looked up in account A", Code: "KMS.NotFoundException", Status: 400,
			Text: "Alias arn:aws:kms:eu-west-1:A:alias/tenant is not found.", Try: withKey(func(*Actor) string { return "alias/tenant" })},
		{Number: 51, Name: "the default encryption names an alias: it is looked up in account A", Make: defaultEncryption("alias/tenant"),
			Code: "KMS.NotFoundException", Status: 400, Text: "Alias arn:aws:kms:eu-west-1:A:alias/tenant is not found.", Try: put(noHeaders)},
		{Number: 52, Name: "the key is disabled", Code: "KMS.DisabledException", Status: 400, Text: "KEY is disabled.", Delivery: true,
			Make: func(ctx context.Context, w *testbed.World) error {
				_, err := w.KMS.DisableKey(ctx, &kms.DisableKeyInput{KeyId: aws.String(w.KeyARN)})
				return err
			}},
		{Number: 53, Name: "the key is pending deletion", Code: "KMS.KMSInvalidStateException", Status: 400, Text: "KEY is pending deletion.",
			Delivery: true, Make: func(ctx context.Context, w *testbed.World) error {
				_, err := w.KMS.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: aws.String(w.KeyARN)})
				return err
			}},
		{Number: 53, Name: "the key waits for its material", Code: "KMS.KMSInvalidStateException", Status: 400, Text: "~ is pending import.",
			Try: madeKey(&kms.CreateKeyInput{Origin: kmstypes.OriginTypeExternal})},
		{Number: 54, Name: "the key is of another Region", Code: "KMS.NotFoundException", Status: 400, Text: "Invalid arn us-east-1",
			Try: withKey(func(a *Actor) string { return strings.Replace(a.KeyARN, "eu-west-1", "us-east-1", 1) })},
		{Number: 54, Name: "there is no key of that id", Code: "KMS.NotFoundException", Status: 400,
			Text: "~Key 'arn:aws:kms:eu-west-1:A:key/00000000-0000-0000-0000-000000000000' does not exist", Try: withKey(func(a *Actor) string {
				return "arn:aws:kms:eu-west-1:" + a.AccountA + ":key/00000000-0000-0000-0000-000000000000"
			})},
		{Number: 54, Name: "the key's name is none", Code: "KMS.NotFoundException", Status: 400, Text: "Invalid keyId 'tenant-key'",
			Try: withKey(func(*Actor) string { return "tenant-key" })},
		{Number: 55, Name: "the key is for message authentication", Code: "KMS.InvalidKeyUsageException", Status: 400, Text: "~",
			Try: madeKey(&kms.CreateKeyInput{KeySpec: kmstypes.KeySpecHmac256, KeyUsage: kmstypes.KeyUsageTypeGenerateVerifyMac})},
		{Number: 56, Name: "KMS throttles S3", Code: "KMS.ThrottlingException", Status: 400, Text: "Rate exceeded",
			Make: func(_ context.Context, w *testbed.World) error {
				return w.Sandbox.AddFault(sandbox.Fault{Operation: "kms:GenerateDataKey", Code: "throttle"})
			}},
		{Number: 57, Name: "access by a grant, and the grant is revoked", Code: "AccessDenied", Status: 403, Text: keyless,
			Make: key(`"kms:GenerateDataKey"`, `"kms:DescribeKey"`), Try: revokedGrant},
	}
}

// madeKey makes another key that the role may use, and asks S3 to seal under it.
func madeKey(in *kms.CreateKeyInput) func(context.Context, *Actor) error {
	return func(ctx context.Context, a *Actor) error {
		tagged := *in
		tagged.Tags = a.KeyTags
		made, err := a.KMS.CreateKey(ctx, &tagged)
		if err != nil {
			return fmt.Errorf("making the key: %s", err.Error())
		}
		arn := aws.ToString(made.KeyMetadata.Arn)
		if _, err := a.KMS.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: aws.String(arn), Policy: aws.String(string(a.Docs.Key))}); err != nil {
			return fmt.Errorf("its policy: %s", err.Error())
		}
		if err := a.PutIdentity(ctx, strings.ReplaceAll(string(a.Docs.Identity), a.KeyARN, arn)); err != nil {
			return err
		}
		return withKey(func(*Actor) string { return arn })(ctx, a)
	}
}

var errGranted = errors.New("under the grant")

func revokedGrant(ctx context.Context, a *Actor) error {
	grant, err := a.KMS.CreateGrant(ctx, &kms.CreateGrantInput{KeyId: aws.String(a.KeyARN), GranteePrincipal: aws.String(a.Dest.Role),
		Operations: []kmstypes.GrantOperation{kmstypes.GrantOperationGenerateDataKey, kmstypes.GrantOperationDecrypt}})
	if err != nil {
		return fmt.Errorf("%w: %s", errGranted, err.Error())
	}
	if err := a.Put(ctx, nil); err != nil {
		return fmt.Errorf("%w: %s", errGranted, err.Error())
	}
	if _, err := a.KMS.RevokeGrant(ctx, &kms.RevokeGrantInput{KeyId: aws.String(a.KeyARN), GrantId: grant.GrantId}); err != nil {
		return err
	}
	return a.Put(ctx, nil)
}
