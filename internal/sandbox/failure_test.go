package sandbox_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const opaque = "because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access"

// Each row breaks one thing and says what the client must see.
func TestWhatGoesWrongAcrossAccounts(t *testing.T) {
	put := func(t *testing.T, w *world) error {
		_, err := w.uploader.s3.PutObject(t.Context(), w.put("logs/x", []byte("x")))
		return err
	}
	part := func(t *testing.T, w *world) error {
		out, err := w.uploader.s3.CreateMultipartUpload(t.Context(), w.create("logs/x"))
		if err != nil {
			t.Fatalf("create is expected to work: %v", err)
		}
		_, err = w.uploader.s3.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: aws.String(bucketB), Key: aws.String("logs/x"), UploadId: out.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("1")})
		return err
	}
	assume := func(t *testing.T, w *world) error {
		_, err := w.app.sts.AssumeRole(t.Context(), w.assumeInput())
		return err
	}
	rows := []struct {
		name    string
		breakIt func(*testing.T, *world)
		do      func(*testing.T, *world) error
		code    string
		status  int
		text    string // exact when it ends in "$", else contained
	}{
		{"7 the trust policy names somebody else", func(t *testing.T, w *world) {
			must[*iam.UpdateAssumeRolePolicyOutput](t)(w.rootA.iam.UpdateAssumeRolePolicy(t.Context(), &iam.UpdateAssumeRolePolicyInput{
				RoleName: aws.String("CrossAccountS3Uploader"), PolicyDocument: aws.String(trustPolicy("arn:aws:iam::" + accountB + ":root"))}))
		}, assume, "AccessDenied", 403, "is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/CrossAccountS3Uploader$"},
		{"7 the role is not there: the same text", nil, func(t *testing.T, w *world) error {
			in := w.assumeInput()
			in.RoleArn = aws.String("arn:aws:iam::111122223333:role/NoSuchRole")
			_, err := w.app.sts.AssumeRole(t.Context(), in)
			return err
		}, "AccessDenied", 403, "User: arn:aws:iam::111122223333:user/app is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/NoSuchRole$"},
		{"8 the external id is missing", nil, func(t *testing.T, w *world) error {
			in := w.assumeInput()
			in.ExternalId = nil
			_, err := w.app.sts.AssumeRole(t.Context(), in)
			return err
		}, "AccessDenied", 403, "sts:AssumeRole on resource"},
		{"14 identity policy without s3:PutObject", func(t *testing.T, w *world) {
			w.putIdentity(t, strings.Replace(w.identityPolicy, "s3:PutObject", "s3:GetObject", 1))
		}, put, "AccessDenied", 403, "Access Denied$"},
		{"16 identity policy without kms:GenerateDataKey", func(t *testing.T, w *world) {
			w.putIdentity(t, strings.Replace(w.identityPolicy, "kms:GenerateDataKey", "kms:DescribeKey", 1))
		}, put, "AccessDenied", 403, "User: arn:aws:sts::111122223333:assumed-role/CrossAccountS3Uploader/brokerd is not authorized to perform: kms:GenerateDataKey on resource: KEY because no identity-based policy allows the kms:GenerateDataKey action$"},
		{"17 identity policy without kms:Decrypt: one put works", func(t *testing.T, w *world) {
			w.putIdentity(t, strings.Replace(w.identityPolicy, "kms:Decrypt", "kms:DescribeKey", 1))
		}, put, "", 0, ""},
		{"17 identity policy without kms:Decrypt: a part fails", func(t *testing.T, w *world) {
			w.putIdentity(t, strings.Replace(w.identityPolicy, "kms:Decrypt", "kms:DescribeKey", 1))
		}, part, "AccessDenied", 403, "is not authorized to perform: kms:Decrypt on resource: KEY because no identity-based policy allows"},
		{"23 identity policy bound to a source address: S3's call to KMS has none", func(t *testing.T, w *world) {
			w.putIdentity(t, strings.Replace(w.identityPolicy, `"StringEquals":{"kms:ViaService"`, `"IpAddress":{"aws:SourceIp":"127.0.0.1/32"},"StringEquals":{"kms:ViaService"`, 1))
		}, put, "AccessDenied", 403, "no identity-based policy allows the kms:GenerateDataKey action"},
		{"26 bucket policy without the role", func(t *testing.T, w *world) {
			w.putBucketPolicy(t, bucketPolicy("arn:aws:iam::"+accountA+":user/app"))
		}, put, "AccessDenied", 403, "Access Denied$"},
		{"29 bucket policy for another prefix", func(t *testing.T, w *world) {
			w.putBucketPolicy(t, strings.Replace(w.bucketPolicy, "/logs/*", "/other/*", 1))
		}, put, "AccessDenied", 403, "Access Denied$"},
		{"39 expected bucket owner is somebody else", nil, func(t *testing.T, w *world) error {
			in := w.put("logs/x", []byte("x"))
			in.ExpectedBucketOwner = aws.String(accountA)
			_, err := w.uploader.s3.PutObject(t.Context(), in)
			return err
		}, "AccessDenied", 403, "Access Denied$"},
		{"40 no such bucket", nil, func(t *testing.T, w *world) error {
			in := w.put("logs/x", []byte("x"))
			in.Bucket = aws.String("no-such-bucket")
			_, err := w.uploader.s3.PutObject(t.Context(), in)
			return err
		}, "NoSuchBucket", 404, "The specified bucket does not exist"},
		{"41 signed for the wrong Region", nil, func(t *testing.T, w *world) error {
			_, err := asIn(t, w.sb, w.session, "eu-central-1").s3.PutObject(t.Context(), w.put("logs/x", []byte("x")))
			return err
		}, "PermanentRedirect", 301, "must be addressed using the specified endpoint"},
		{"41 signed for the global endpoint", nil, func(t *testing.T, w *world) error {
			_, err := asIn(t, w.sb, w.session, "us-east-1").s3.PutObject(t.Context(), w.put("logs/x", []byte("x")))
			return err
		}, "AuthorizationHeaderMalformed", 400, "the region 'us-east-1' is wrong; expecting 'eu-west-1'"},
		{"45 key policy without the role", func(t *testing.T, w *world) {
			w.putKeyPolicy(t, keyPolicy("arn:aws:iam::"+accountA+":user/app"))
		}, put, "AccessDenied", 403, "User: arn:aws:sts::111122223333:assumed-role/CrossAccountS3Uploader/brokerd is not authorized to perform: kms:GenerateDataKey on resource: KEY " + opaque + "$"},
		{"46 key policy with GenerateDataKey only: a part fails", func(t *testing.T, w *world) {
			w.putKeyPolicy(t, strings.Replace(w.keyPolicy, `"kms:Decrypt"`, `"kms:DescribeKey"`, 1))
		}, part, "AccessDenied", 403, "kms:Decrypt on the resource associated with this ciphertext " + opaque},
		{"47 key policy for the wrong Region's S3", func(t *testing.T, w *world) {
			w.putKeyPolicy(t, strings.Replace(w.keyPolicy, "s3."+region+".", "s3.us-east-1.", 1))
		}, put, "AccessDenied", 403, opaque},
		{"48 key policy wants the object's ARN although bucket keys are on", func(t *testing.T, w *world) {
			w.putKeyPolicy(t, strings.Replace(w.keyPolicy, `"StringEquals":{"kms:ViaService"`, `"StringLike":{"kms:EncryptionContext:aws:s3:arn":"arn:aws:s3:::`+bucketB+`/logs/*"},"StringEquals":{"kms:ViaService"`, 1))
		}, put, "AccessDenied", 403, opaque},
		{"48 the same policy with bucket keys off", func(t *testing.T, w *world) {
			w.putKeyPolicy(t, strings.Replace(w.keyPolicy, `"StringEquals":{"kms:ViaService"`, `"StringLike":{"kms:EncryptionContext:aws:s3:arn":"arn:aws:s3:::`+bucketB+`/logs/*"},"StringEquals":{"kms:ViaService"`, 1))
		}, func(t *testing.T, w *world) error {
			in := w.put("logs/x", []byte("x"))
			in.BucketKeyEnabled = aws.Bool(false)
			_, err := w.uploader.s3.PutObject(t.Context(), in)
			return err
		}, "", 0, ""},
		{"50 aws:kms without a key is aws/s3, which no other account can use", nil, func(t *testing.T, w *world) error {
			in := w.put("logs/x", []byte("x"))
			in.SSEKMSKeyId = nil
			_, err := w.uploader.s3.PutObject(t.Context(), in)
			return err
		}, "AccessDenied", 403, opaque},
		{"51 a bare key id resolves in the caller's account", nil, func(t *testing.T, w *world) error {
			in := w.put("logs/x", []byte("x"))
			in.SSEKMSKeyId = aws.String(w.key[strings.LastIndex(w.key, "/")+1:])
			_, err := w.uploader.s3.PutObject(t.Context(), in)
			return err
		}, "KMS.NotFoundException", 400, "Key 'arn:aws:kms:eu-west-1:111122223333:key/"},
		{"51 an alias resolves in the caller's account", nil, func(t *testing.T, w *world) error {
			in := w.put("logs/x", []byte("x"))
			in.SSEKMSKeyId = aws.String("alias/tenant")
			_, err := w.uploader.s3.PutObject(t.Context(), in)
			return err
		}, "KMS.NotFoundException", 400, "Alias arn:aws:kms:eu-west-1:111122223333:alias/tenant is not found.$"},
		{"52 the key is disabled", func(t *testing.T, w *world) {
			must[*kms.DisableKeyOutput](t)(w.rootB.kms.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &w.key}))
		}, put, "KMS.DisabledException", 400, "KEY is disabled.$"},
		{"53 the key is pending deletion", func(t *testing.T, w *world) {
			must[*kms.ScheduleKeyDeletionOutput](t)(w.rootB.kms.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &w.key}))
		}, put, "KMS.KMSInvalidStateException", 400, "KEY is pending deletion.$"},
		{"54 the key is in another Region", nil, func(t *testing.T, w *world) error {
			in := w.put("logs/x", []byte("x"))
			in.SSEKMSKeyId = aws.String(strings.Replace(w.key, region, "us-east-1", 1))
			_, err := w.uploader.s3.PutObject(t.Context(), in)
			return err
		}, "KMS.NotFoundException", 400, "Invalid arn us-east-1$"},
		{"32 a deny unless the key is named by its ARN", func(t *testing.T, w *world) {
			w.putBucketPolicy(t, strings.Replace(w.bucketPolicy, `"Statement":[`, `"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::`+bucketB+`/*","Condition":{"StringNotEquals":{"s3:x-amz-server-side-encryption-aws-kms-key-id":"`+w.key+`"}}},`, 1))
		}, func(t *testing.T, w *world) error {
			if err := put(t, w); err != nil {
				t.Errorf("with the ARN: %v", err)
			}
			in := w.put("logs/x", []byte("x"))
			in.SSEKMSKeyId, in.ServerSideEncryption = nil, ""
			_, err := w.uploader.s3.PutObject(t.Context(), in)
			return err
		}, "AccessDenied", 403, "Access Denied$"},
		{"33 a deny for other addresses", func(t *testing.T, w *world) {
			w.putBucketPolicy(t, strings.Replace(w.bucketPolicy, `"Statement":[`, `"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::`+bucketB+`/*","Condition":{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}},`, 1))
		}, put, "AccessDenied", 403, "Access Denied$"},
		{"38 a public statement beside the role's, with RestrictPublicBuckets", func(t *testing.T, w *world) {
			must[*s3.PutPublicAccessBlockOutput](t)(w.rootB.s3.PutPublicAccessBlock(t.Context(), &s3.PutPublicAccessBlockInput{Bucket: aws.String(bucketB),
				PublicAccessBlockConfiguration: &s3types.PublicAccessBlockConfiguration{RestrictPublicBuckets: aws.Bool(true)}}))
			w.putBucketPolicy(t, strings.Replace(w.bucketPolicy, `"Statement":[`, `"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::`+bucketB+`/public/*"},`, 1))
		}, put, "AccessDenied", 403, "Access Denied$"},
		{"a public policy with BlockPublicPolicy", nil, func(t *testing.T, w *world) error {
			_, err := w.rootB.s3.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String(bucketB),
				Policy: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + bucketB + `/*"}]}`)})
			return err
		}, "AccessDenied", 403, "BlockPublicPolicy"},
		{"the key policy delegates to account A, A's policy is missing: KMS blames the key policy", func(t *testing.T, w *world) {
			w.putKeyPolicy(t, keyPolicy("arn:aws:iam::"+accountA+":root"))
			w.putIdentity(t, strings.Replace(w.identityPolicy, "kms:GenerateDataKey", "kms:DescribeKey", 1))
		}, put, "AccessDenied", 403, opaque + "$"},
		{"35 an ACL on a bucket that enforces ownership", func(t *testing.T, w *world) {
			w.putIdentity(t, strings.Replace(w.identityPolicy, `"s3:PutObject"`, `"s3:PutObject","s3:PutObjectAcl"`, 1))
			w.putBucketPolicy(t, strings.Replace(w.bucketPolicy, `"s3:PutObject"`, `"s3:PutObject","s3:PutObjectAcl"`, 1))
		}, func(t *testing.T, w *world) error {
			in := w.put("logs/x", []byte("x"))
			in.ACL = s3types.ObjectCannedACLPrivate
			_, err := w.uploader.s3.PutObject(t.Context(), in)
			return err
		}, "AccessControlListNotSupported", 400, "The bucket does not allow ACLs$"},
		{"36 tags without s3:PutObjectTagging", nil, func(t *testing.T, w *world) error {
			in := w.put("logs/x", []byte("x"))
			in.Tagging = aws.String("a=b")
			_, err := w.uploader.s3.PutObject(t.Context(), in)
			return err
		}, "AccessDenied", 403, "Access Denied$"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			if err := put(t, w); err != nil {
				t.Fatalf("before anything is broken: %v", err)
			}
			if row.breakIt != nil {
				row.breakIt(t, w)
			}
			err := row.do(t, w)
			if code(err) != row.code || status(err) != row.status {
				t.Fatalf("got %s (%d): %v", code(err), status(err), err)
			}
			if err == nil {
				return
			}
			want := strings.ReplaceAll(row.text, "KEY", w.key)
			if exact, ok := strings.CutSuffix(want, "$"); ok {
				if !strings.HasSuffix(message(err), exact) || (strings.HasPrefix(exact, "User:") || exact == "Access Denied") && message(err) != exact {
					t.Errorf("message %q, want %q", message(err), exact)
				}
			} else if !strings.Contains(message(err), want) {
				t.Errorf("message %q, want %q in it", message(err), want)
			}
		})
	}
}

// 27: policies name roles by id.
func TestARecreatedRoleIsAnotherRole(t *testing.T) {
	w := newWorld(t)
	ctx, name := t.Context(), aws.String("CrossAccountS3Uploader")
	old := must[*iam.GetRoleOutput](t)(w.rootA.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: name})).Role
	must[*iam.DeleteRolePolicyOutput](t)(w.rootA.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String("upload")}))
	must[*iam.DeleteRoleOutput](t)(w.rootA.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name}))
	bucket := func() string {
		return *must[*s3.GetBucketPolicyOutput](t)(w.rootB.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: aws.String(bucketB)})).Policy
	}
	if got := bucket(); !strings.Contains(got, `"`+*old.RoleId+`"`) || strings.Contains(got, w.role) {
		t.Errorf("after the deletion the bucket policy reads %s", got)
	}
	if _, err := w.uploader.s3.PutObject(ctx, w.put("logs/x", []byte("x"))); code(err) != "InvalidAccessKeyId" {
		t.Errorf("a session whose role is gone: %v", err)
	}
	created := must[*iam.CreateRoleOutput](t)(w.rootA.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(trustPolicy("arn:aws:iam::" + accountA + ":user/app"))}))
	if *created.Role.RoleId == *old.RoleId {
		t.Error("the new role has the old id")
	}
	w.putIdentity(t, w.identityPolicy)
	again := as(t, w.sb, w.assume(t))
	if _, err := again.s3.PutObject(ctx, w.put("logs/x", []byte("x"))); code(err) != "AccessDenied" {
		t.Errorf("the new role is taken for the old one: %v", err)
	}
	if got := bucket(); !strings.Contains(got, `"`+*old.RoleId+`"`) {
		t.Errorf("the bucket policy reads %s", got)
	}
	keyText := *must[*kms.GetKeyPolicyOutput](t)(w.rootB.kms.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &w.key})).Policy
	if !strings.Contains(keyText, *old.RoleId) {
		t.Errorf("the key policy reads %s", keyText)
	}
	// Saving the ARN again repairs it; saving the stale id is refused.
	_, err := w.rootB.s3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: aws.String(bucketB), Policy: aws.String(bucket())})
	if code(err) != "MalformedPolicy" || !strings.Contains(message(err), "Invalid principal in policy") {
		t.Errorf("a stale id was accepted: %v", err)
	}
	w.putBucketPolicy(t, w.bucketPolicy)
	w.putKeyPolicy(t, w.keyPolicy)
	if _, err := again.s3.PutObject(ctx, w.put("logs/x", []byte("x"))); err != nil {
		t.Errorf("after the repair: %v", err)
	}
}

// 28: the role has to be there before the policies that name it.
func TestPoliciesMustNameExistingPrincipals(t *testing.T) {
	w := newWorld(t)
	ctx, ghost := t.Context(), "arn:aws:iam::"+accountA+":role/Ghost"
	_, err := w.rootB.s3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: aws.String(bucketB), Policy: aws.String(bucketPolicy(ghost))})
	if code(err) != "MalformedPolicy" || message(err) != "Invalid principal in policy" {
		t.Errorf("bucket policy: %v", err)
	}
	_, err = w.rootB.kms.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &w.key, Policy: aws.String(keyPolicy(ghost))})
	if code(err) != "MalformedPolicyDocumentException" {
		t.Errorf("key policy: %v", err)
	}
	_, err = w.rootA.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: aws.String(trustPolicy(ghost))})
	if code(err) != "MalformedPolicyDocument" || !strings.HasPrefix(message(err), "Invalid principal in policy: ") {
		t.Errorf("trust policy: %v", err)
	}
	_, err = w.rootB.kms.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &w.key, Policy: aws.String(strings.Replace(w.keyPolicy, "kms:*", "kms:Describe*", 1))})
	if code(err) != "MalformedPolicyDocumentException" || !strings.Contains(message(err), "will not allow you to update the key policy in the future") {
		t.Errorf("a policy that locks its owner out: %v", err)
	}
}

// The owner's own principals are told which policy is missing.
func TestDenialInTheBucketsAccountExplainsItself(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	must[*iam.CreateUserOutput](t)(w.rootB.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("reader")}))
	reader := as(t, w.sb, userKey(t, w.rootB, "reader"))
	_, err := reader.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucketB), Key: aws.String("k"), Body: bytes.NewReader(nil)})
	want := `User: arn:aws:iam::444455556666:user/reader is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::` + bucketB + `/k" because no identity-based policy allows the s3:PutObject action`
	if code(err) != "AccessDenied" || message(err) != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

// Data under a key that is disabled cannot be read, whoever asks.
func TestADisabledKeyMakesItsObjectsUnreadable(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	must[*s3.PutObjectOutput](t)(w.uploader.s3.PutObject(ctx, w.put("logs/x", []byte("secret"))))
	must[*kms.DisableKeyOutput](t)(w.rootB.kms.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &w.key}))
	get := &s3.GetObjectInput{Bucket: aws.String(bucketB), Key: aws.String("logs/x")}
	if _, err := w.rootB.s3.GetObject(ctx, get); code(err) != "KMS.DisabledException" || status(err) != 400 {
		t.Errorf("reading under a disabled key: %v", err)
	}
	must[*kms.EnableKeyOutput](t)(w.rootB.kms.EnableKey(ctx, &kms.EnableKeyInput{KeyId: &w.key}))
	out := must[*s3.GetObjectOutput](t)(w.rootB.s3.GetObject(ctx, get))
	if err := out.Body.Close(); err != nil {
		t.Error(err)
	}
}
