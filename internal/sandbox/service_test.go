package sandbox_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/brokerd/brokerd/internal/sandbox"
)

func userKey(t testing.TB, root *clients, name string) sandbox.Credentials {
	t.Helper()
	k := must[*iam.CreateAccessKeyOutput](t)(
		root.iam.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: aws.String(name)}),
	).AccessKey
	return sandbox.Credentials{AccessKeyID: *k.AccessKeyId, SecretAccessKey: *k.SecretAccessKey}
}

func TestIAM(t *testing.T) {
	w := newWorld(t)
	ctx, api, role := t.Context(), w.rootA.iam, aws.String("CrossAccountS3Uploader")
	got := must[*iam.GetRolePolicyOutput](t)(api.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: role, PolicyName: aws.String("upload")}))
	if doc, err := url.QueryUnescape(*got.PolicyDocument); err != nil || doc != w.identityPolicy {
		t.Errorf("policy came back as %q, %v", doc, err)
	}
	if l := must[*iam.ListRolePoliciesOutput](t)(api.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: role})); len(l.PolicyNames) !=
		1 || l.PolicyNames[0] != "upload" {
		t.Errorf("policies: %v", l.PolicyNames)
	}
	if l := must[*iam.ListRolesOutput](t)(api.ListRoles(ctx, &iam.ListRolesInput{})); len(l.Roles) != 1 || *l.Roles[0].Arn != w.role ||
		!strings.HasPrefix(*l.Roles[0].RoleId, "AROA") {
		t.Errorf("roles: %+v", l.Roles)
	}
	if l := must[*iam.ListAccessKeysOutput](t)(
		api.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: aws.String("app")}),
	); len(l.AccessKeyMetadata) != 1 {
		t.Errorf("keys: %+v", l.AccessKeyMetadata)
	}
}

func TestWhatIAMRefuses(t *testing.T) {
	w := newWorld(t)
	ctx, api, role := t.Context(), w.rootA.iam, aws.String("CrossAccountS3Uploader")
	document := func(text string) *string { return aws.String(text) }
	for name, row := range map[string]struct {
		call   func() error
		code   string
		status int
		text   string
	}{
		"a second role of the name": {func() error {
			_, err := api.CreateRole(ctx, &iam.CreateRoleInput{
				RoleName: role, AssumeRolePolicyDocument: document(trustPolicy("arn:aws:iam::" + accountA + ":root")),
			})
			return err
		}, "EntityAlreadyExists", 409, ""},
		"deleting a role with policies": {func() error {
			_, err := api.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: role})
			return err
		}, "DeleteConflict", 409, ""},
		"a role that does not exist": {func() error {
			_, err := api.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("none")})
			return err
		}, "NoSuchEntity", 404, ""},
		"a bad policy": {func() error {
			_, err := api.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
				RoleName: role, PolicyName: aws.String("p"), PolicyDocument: document(`{"Statement":[{"Effect":"Perhaps"}]}`),
			})
			return err
		}, "MalformedPolicyDocument", 400, ""},
		"a trust policy for S3": {func() error {
			_, err := api.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: document(
				`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"s3:*"}}`)})
			return err
		}, "MalformedPolicyDocument", 400, ""},
		"a user without rights": {func() error {
			_, err := w.app.iam.ListRoles(ctx, &iam.ListRolesInput{})
			return err
		}, "AccessDenied", 403, "because no identity-based policy allows the iam:ListRoles action"},
		"an operation that is not modelled": {func() error {
			_, err := api.GetCredentialReport(ctx, &iam.GetCredentialReportInput{})
			return err
		}, "NotImplemented", 501, ""},
	} {
		if err := row.call(); code(err) != row.code || status(err) != row.status || !strings.Contains(message(err), row.text) {
			t.Errorf("%s: got %v, want %d %s %s", name, err, row.status, row.code, row.text)
		}
	}
}

func TestADeletedAccessKeyStopsWorking(t *testing.T) {
	w := newWorld(t)
	ctx, api := t.Context(), w.rootA.iam
	k := must[*iam.ListAccessKeysOutput](t)(
		api.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: aws.String("app")}),
	).AccessKeyMetadata[0]
	must[*iam.DeleteAccessKeyOutput](t)(
		api.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: aws.String("app"), AccessKeyId: k.AccessKeyId}),
	)
	if _, err := w.app.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}); code(err) != "InvalidClientTokenId" {
		t.Errorf("a deleted key: %v", err)
	}
	must[*iam.GetUserPolicyOutput](t)(
		api.GetUserPolicy(ctx, &iam.GetUserPolicyInput{UserName: aws.String("app"), PolicyName: aws.String("assume")}),
	)
	must[*iam.DeleteUserPolicyOutput](t)(
		api.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: aws.String("app"), PolicyName: aws.String("assume")}),
	)
	must[*iam.GetUserOutput](t)(api.GetUser(ctx, &iam.GetUserInput{UserName: aws.String("app")}))
	must[*iam.DeleteUserOutput](t)(api.DeleteUser(ctx, &iam.DeleteUserInput{UserName: aws.String("app")}))
}

func TestAssumeRole(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	if _, err := w.rootA.sts.AssumeRole(ctx, w.assumeInput()); code(err) != "AccessDenied" ||
		message(err) != "Roles may not be assumed by root accounts." {
		t.Errorf("as root: %v", err)
	}
	for name, row := range map[string]struct {
		seconds int32
		code    string
	}{"too short": {899, "ValidationError"}, "shortest": {900, ""}, "role's maximum": {3600, ""},
		"over the role's maximum": {3601, "ValidationError"}} {
		in := w.assumeInput()
		in.DurationSeconds = aws.Int32(row.seconds)
		out, err := w.app.sts.AssumeRole(ctx, in)
		if code(err) != row.code {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			if left := time.Until(*out.Credentials.Expiration); left > time.Duration(row.seconds)*time.Second ||
				left < time.Duration(row.seconds-10)*time.Second {
				t.Errorf("%s: %v left", name, left)
			}
		}
	}
	// Tags need the trust policy's leave too.
	in := w.assumeInput()
	in.Tags = []ststypes.Tag{{Key: aws.String("tenant"), Value: aws.String("7")}}
	if _, err := w.app.sts.AssumeRole(ctx, in); code(err) != "AccessDenied" || !strings.Contains(message(err), "sts:TagSession") {
		t.Errorf("tags that the trust policy does not allow: %v", err)
	}
	// A session policy narrows.
	in = w.assumeInput()
	in.Policy = aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`)
	narrow := as(t, w.sb, sessionOf(must[*sts.AssumeRoleOutput](t)(w.app.sts.AssumeRole(ctx, in))))
	if _, err := narrow.s3.PutObject(ctx, w.put("logs/x", []byte("x"))); code(err) != "AccessDenied" ||
		!strings.Contains(message(err), "because no session policy allows the kms:GenerateDataKey action") {
		t.Errorf("a session policy without kms: %v", err)
	}
	if n := w.sb.CountCalls("sts", "AssumeRole"); n != 1+1+4+1+1 {
		t.Errorf("%d AssumeRole calls recorded", n)
	}
}

func TestKMS(t *testing.T) {
	w := newWorld(t)
	ctx, api := t.Context(), w.rootB.kms
	ec := map[string]string{"purpose": "test"}
	enc := must[*kms.EncryptOutput](t)(api.Encrypt(ctx, &kms.EncryptInput{KeyId: &w.key, Plaintext: []byte("secret"), EncryptionContext: ec}))
	dec := must[*kms.DecryptOutput](t)(api.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: enc.CiphertextBlob, EncryptionContext: ec}))
	if string(dec.Plaintext) != "secret" || *dec.KeyId != w.key {
		t.Errorf("decrypted %q with %s", dec.Plaintext, *dec.KeyId)
	}
	if _, err := api.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: enc.CiphertextBlob}); code(err) != "InvalidCiphertextException" {
		t.Errorf("another context: %v", err)
	}
	data := must[*kms.GenerateDataKeyOutput](t)(
		api.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &w.key, KeySpec: kmstypes.DataKeySpecAes256}),
	)
	if back := must[*kms.DecryptOutput](t)(
		api.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: data.CiphertextBlob}),
	); !bytes.Equal(back.Plaintext, data.Plaintext) || len(data.Plaintext) != 32 {
		t.Error("the data key does not come back")
	}
	must[*kms.GenerateDataKeyWithoutPlaintextOutput](t)(
		api.GenerateDataKeyWithoutPlaintext(ctx, &kms.GenerateDataKeyWithoutPlaintextInput{KeyId: &w.key, NumberOfBytes: aws.Int32(32)}),
	)
	if _, err := api.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{
		KeyId: &w.key, NumberOfBytes: aws.Int32(32), DryRun: aws.Bool(true),
	}); code(err) != "DryRunOperationException" {
		t.Errorf("dry run: %v", err)
	}
	// The uploader may use the key through S3 only.
	_, err := w.uploader.kms.GenerateDataKey(ctx,
		&kms.GenerateDataKeyInput{KeyId: &w.key, NumberOfBytes: aws.Int32(32), DryRun: aws.Bool(true)})
	if code(err) != "AccessDeniedException" || status(err) != 400 {
		t.Errorf("direct use past kms:ViaService: %v", err)
	}
	must[*kms.CreateAliasOutput](t)(api.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/tenant"), TargetKeyId: &w.key}))
	if d := must[*kms.DescribeKeyOutput](t)(
		api.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String("alias/tenant")}),
	); *d.KeyMetadata.Arn != w.key || d.KeyMetadata.KeyState != kmstypes.KeyStateEnabled {
		t.Errorf("described %+v", d.KeyMetadata)
	}
	if l := must[*kms.ListAliasesOutput](t)(api.ListAliases(ctx, &kms.ListAliasesInput{})); len(l.Aliases) != 1 ||
		*l.Aliases[0].AliasName != "alias/tenant" {
		t.Errorf("aliases: %+v", l.Aliases)
	}
	must[*kms.ScheduleKeyDeletionOutput](t)(
		api.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &w.key, PendingWindowInDays: aws.Int32(7)}),
	)
	if _, err := api.Encrypt(ctx, &kms.EncryptInput{KeyId: &w.key, Plaintext: []byte("x")}); code(err) != "KMSInvalidStateException" {
		t.Errorf("a key that is going: %v", err)
	}
	must[*kms.CancelKeyDeletionOutput](t)(api.CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: &w.key}))
	if _, err := api.Encrypt(ctx, &kms.EncryptInput{KeyId: &w.key, Plaintext: []byte("x")}); code(err) != "DisabledException" {
		t.Errorf("a key that came back: %v", err)
	}
}

func TestBucketConfiguration(t *testing.T) {
	w := newWorld(t)
	ctx, api, b := t.Context(), w.rootB.s3, aws.String(bucketB)
	must[*s3.PutBucketEncryptionOutput](t)(api.PutBucketEncryption(ctx,
		&s3.PutBucketEncryptionInput{Bucket: b, ServerSideEncryptionConfiguration: &s3types.ServerSideEncryptionConfiguration{
			Rules: []s3types.ServerSideEncryptionRule{
				{
					BucketKeyEnabled: aws.Bool(true),
					ApplyServerSideEncryptionByDefault: &s3types.ServerSideEncryptionByDefault{SSEAlgorithm: s3types.ServerSideEncryptionAwsKms,
						KMSMasterKeyID: &w.key},
				},
			},
		}}))
	rule := must[*s3.GetBucketEncryptionOutput](t)(
		api.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: b}),
	).ServerSideEncryptionConfiguration.Rules[0]
	if *rule.ApplyServerSideEncryptionByDefault.KMSMasterKeyID != w.key || !*rule.BucketKeyEnabled {
		t.Errorf("encryption: %+v", rule)
	}
	out := must[*s3.PutObjectOutput](t)(
		w.uploader.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: aws.String("logs/default"), Body: strings.NewReader("x")}),
	)
	if aws.ToString(out.SSEKMSKeyId) != w.key || !aws.ToBool(out.BucketKeyEnabled) {
		t.Errorf("default encryption was not used: %+v", out)
	}
	must[*s3.DeleteBucketEncryptionOutput](t)(api.DeleteBucketEncryption(ctx, &s3.DeleteBucketEncryptionInput{Bucket: b}))
	if o := must[*s3.GetBucketOwnershipControlsOutput](t)(
		api.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: b}),
	); o.OwnershipControls.Rules[0].ObjectOwnership != s3types.ObjectOwnershipBucketOwnerEnforced {
		t.Errorf("ownership: %+v", o.OwnershipControls)
	}
	must[*s3.PutBucketOwnershipControlsOutput](t)(api.PutBucketOwnershipControls(ctx,
		&s3.PutBucketOwnershipControlsInput{Bucket: b, OwnershipControls: &s3types.OwnershipControls{
			Rules: []s3types.OwnershipControlsRule{{ObjectOwnership: s3types.ObjectOwnershipObjectWriter}}}}))
	// 37: the bucket's account cannot read objects that the writer's account owns.
	must[*s3.PutObjectOutput](t)(w.uploader.s3.PutObject(ctx, w.put("logs/theirs", []byte("x"))))
	if _, err := api.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: aws.String("logs/theirs")}); code(err) != "AccessDenied" {
		t.Errorf("an object of the writer's account: %v", err)
	}
	must[*s3.DeleteBucketOwnershipControlsOutput](t)(api.DeleteBucketOwnershipControls(ctx, &s3.DeleteBucketOwnershipControlsInput{Bucket: b}))
	if p := must[*s3.GetPublicAccessBlockOutput](t)(
		api.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: b}),
	); !*p.PublicAccessBlockConfiguration.RestrictPublicBuckets {
		t.Error("a new bucket does not block public access")
	}
	must[*s3.PutPublicAccessBlockOutput](t)(
		api.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{
			Bucket: b, PublicAccessBlockConfiguration: &s3types.PublicAccessBlockConfiguration{BlockPublicAcls: aws.Bool(true)},
		}),
	)
	must[*s3.DeletePublicAccessBlockOutput](t)(api.DeletePublicAccessBlock(ctx, &s3.DeletePublicAccessBlockInput{Bucket: b}))
	if _, err := api.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: b}); code(err) != "NoSuchPublicAccessBlockConfiguration" {
		t.Errorf("after deletion: %v", err)
	}
	if l := must[*s3.GetBucketLocationOutput](t)(
		api.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: b}),
	); l.LocationConstraint != region {
		t.Errorf("location %s", l.LocationConstraint)
	}
	if l := must[*s3.ListBucketsOutput](t)(api.ListBuckets(ctx, &s3.ListBucketsInput{})); len(l.Buckets) != 1 ||
		*l.Buckets[0].Name != bucketB {
		t.Errorf("buckets: %+v", l.Buckets)
	}
	if h := must[*s3.HeadBucketOutput](t)(api.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: b})); aws.ToString(h.BucketRegion) != region {
		t.Errorf("region of the bucket: %s", aws.ToString(h.BucketRegion))
	}
	must[*s3.DeleteBucketPolicyOutput](t)(api.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: b}))
	if _, err := api.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: b}); code(err) != "NoSuchBucketPolicy" {
		t.Errorf("after deletion: %v", err)
	}
	if _, err := api.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: b}); code(err) != "BucketNotEmpty" {
		t.Errorf("deleting a full bucket: %v", err)
	}
	if _, err := api.PutBucketAccelerateConfiguration(ctx, &s3.PutBucketAccelerateConfigurationInput{
		Bucket: b, AccelerateConfiguration: &s3types.AccelerateConfiguration{Status: s3types.BucketAccelerateStatusEnabled},
	}); code(err) != "NotImplemented" {
		t.Errorf("an operation that is not modelled: %v", err)
	}
	if _, err := w.rootA.s3.CreateBucket(ctx, &s3.CreateBucketInput{
		Bucket: b, CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: region},
	}); code(err) != "BucketAlreadyExists" {
		t.Errorf("a name that is taken: %v", err)
	}
}

func TestFaults(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.sb.SetFaults([]sandbox.Fault{
		{Operation: "s3:PutObject", Code: "SlowDown", Times: 1}, {Operation: "sts:*", Reset: sandbox.ResetBeforeBody, Times: 1},
	})
	if _, err := w.uploader.s3.PutObject(ctx, w.put("logs/x", []byte("x"))); code(err) != "SlowDown" || status(err) != 503 {
		t.Errorf("the first put: %v", err)
	}
	must[*s3.PutObjectOutput](t)(w.uploader.s3.PutObject(ctx, w.put("logs/x", []byte("x"))))
	if _, err := w.uploader.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}); err == nil || status(err) != 0 {
		t.Errorf("a reset connection: %v", err)
	}
	must[*sts.GetCallerIdentityOutput](t)(w.uploader.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}))
}

func TestManyAtOnce(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	var wg sync.WaitGroup
	errs := make(chan error, 64)
	for i := range 16 {
		wg.Go(func() {
			key := fmt.Sprintf("logs/%d", i%4)
			_, err := w.uploader.s3.PutObject(ctx, w.put(key, bytes.Repeat([]byte{byte(i)}, 2<<20)))
			errs <- err
			_, err = w.rootB.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucketB), Key: aws.String(key)},
				func(o *s3.Options) { o.DisableLogOutputChecksumValidationSkipped = true })
			errs <- err
			_, err = w.rootB.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(bucketB), Key: aws.String(key)})
			errs <- err
			w.sb.Calls()
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil && code(err) != "NoSuchKey" {
			t.Error(err)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]sandbox.Options{
		"short account":        {AccountA: "1"},
		"the same account":     {AccountA: accountB},
		"bad region":           {Region: "Ireland"},
		"open to the network":  {Addr: "0.0.0.0:0"},
		"keys for a third one": {RootKeys: map[string]sandbox.Credentials{"999999999999": {AccessKeyID: "a", SecretAccessKey: "b"}}},
	} {
		if sb, err := sandbox.New(o); err == nil {
			t.Errorf("%s: accepted", name)
			if err := sb.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if _, _, err := start(t, sandbox.Options{}).Object("none", "none"); !errors.Is(err, sandbox.ErrNotFound) {
		t.Errorf("an unknown object: %v", err)
	}
}
