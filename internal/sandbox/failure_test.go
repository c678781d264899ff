package sandbox_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// The table of what goes wrong across accounts is in test/misconfig; here are
// the mistakes that have more than one step.

func TestAPublicPolicyIsBlocked(t *testing.T) {
	w := newWorld(t)
	_, err := w.rootB.s3.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String(bucketB),
		Policy: aws.String(`{"Version":"2012-10-17",` +
			`"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + bucketB + `/*"}]}`)})
	if code(err) != "AccessDenied" || status(err) != 403 || !strings.Contains(message(err), "BlockPublicPolicy") {
		t.Errorf("a public policy with BlockPublicPolicy: %v", err)
	}
}

// 27: policies name roles by id.
func TestARecreatedRoleIsAnotherRole(t *testing.T) {
	w := newWorld(t)
	ctx, name := t.Context(), aws.String("CrossAccountS3Uploader")
	old := must[*iam.GetRoleOutput](t)(w.rootA.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: name})).Role
	must[*iam.DeleteRolePolicyOutput](t)(
		w.rootA.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String("upload")}),
	)
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
	created := must[*iam.CreateRoleOutput](t)(
		w.rootA.iam.CreateRole(ctx, &iam.CreateRoleInput{
			RoleName: name, AssumeRolePolicyDocument: aws.String(trustPolicy("arn:aws:iam::" + accountA + ":user/app")),
		}),
	)
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
	_, err = w.rootA.iam.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: aws.String("r"), AssumeRolePolicyDocument: aws.String(trustPolicy(ghost)),
	})
	if code(err) != "MalformedPolicyDocument" || !strings.HasPrefix(message(err), "Invalid principal in policy: ") {
		t.Errorf("trust policy: %v", err)
	}
	_, err = w.rootB.kms.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{
		KeyId: &w.key, Policy: aws.String(strings.Replace(w.keyPolicy, "kms:*", "kms:Describe*", 1)),
	})
	if code(err) != "MalformedPolicyDocumentException" ||
		!strings.Contains(message(err), "will not allow you to update the key policy in the future") {
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
	want := `User: arn:aws:iam::444455556666:user/reader is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::` +
		bucketB + `/k" because no identity-based policy allows the s3:PutObject action`
	if code(err) != "AccessDenied" || message(err) != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

// No caller can read data under a disabled key.
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
