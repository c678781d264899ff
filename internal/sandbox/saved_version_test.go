package sandbox_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cttypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/brokerd/brokerd/internal/sandbox"
)

// emptyHash is the SHA-256 of an empty body.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// openVersion1 opens a copy of testdata/state_v1: a data directory that the
// sandbox wrote in version 1 of its format, with one of everything in it.
func openVersion1(t *testing.T) (sb *sandbox.Sandbox, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "state")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "state_v1"))); err != nil {
		t.Fatal(err)
	}
	return openIn(t, dir), dir
}

// TestStateOfVersion1IsRead reads a data directory of format version 1, and
// reads it again after the sandbox has rewritten it.
func TestStateOfVersion1IsRead(t *testing.T) {
	sb, dir := openVersion1(t)
	checkVersion1(t, sb)
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	checkVersion1(t, openIn(t, dir))
}

func checkVersion1(t *testing.T, sb *sandbox.Sandbox) {
	t.Helper()
	rootA, rootB := as(t, sb, sb.RootKeys(accountA)), as(t, sb, sb.RootKeys(accountB))
	if id := sb.RootKeys(accountB).AccessKeyID; id != "AKIAI44QH8DHBEXAMPLE" {
		t.Errorf("the root key of account B is %s", id)
	}
	checkVersion1IAM(t, sb, rootA)
	key := checkVersion1KMS(t, rootB)
	checkVersion1S3(t, sb, rootB, key)
	if _, err := cloudtrail.NewFromConfig(rootB.cfg).GetEventSelectors(t.Context(),
		&cloudtrail.GetEventSelectorsInput{TrailName: aws.String("trail")}); err != nil {
		t.Errorf("the trail is gone: %v", err)
	}
	if len(lookUp(t, rootB, cttypes.LookupAttributeKeyEventName, "PutKeyPolicy")) == 0 {
		t.Error("the audit trail has no PutKeyPolicy")
	}
}

func checkVersion1IAM(t *testing.T, sb *sandbox.Sandbox, root *clients) {
	t.Helper()
	ctx := t.Context()
	role := must[*iam.GetRoleOutput](t)(root.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("CrossAccountS3Uploader")})).Role
	if !strings.Contains(*role.AssumeRolePolicyDocument, "user%2Fapp") || len(role.Tags) != 1 {
		t.Errorf("the role's trust policy is %s, its tags %v", *role.AssumeRolePolicyDocument, role.Tags)
	}
	orphan := must[*iam.GetRoleOutput](t)(root.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("orphan")})).Role
	if !strings.Contains(*orphan.AssumeRolePolicyDocument, "AIDA") {
		t.Errorf("a trust policy whose user is deleted reads %s, without the user's id", *orphan.AssumeRolePolicyDocument)
	}
	attached := must[*iam.ListAttachedRolePoliciesOutput](t)(
		root.iam.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: role.RoleName}),
	)
	if len(attached.AttachedPolicies) != 1 {
		t.Fatalf("attached policies: %v", attached.AttachedPolicies)
	}
	policy := must[*iam.GetPolicyOutput](t)(
		root.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: attached.AttachedPolicies[0].PolicyArn}),
	).Policy
	group := must[*iam.GetGroupOutput](t)(root.iam.GetGroup(ctx, &iam.GetGroupInput{GroupName: aws.String("people")}))
	user := must[*iam.GetUserOutput](t)(root.iam.GetUser(ctx, &iam.GetUserInput{UserName: aws.String("app")})).User
	profile := must[*iam.GetInstanceProfileOutput](t)(
		root.iam.GetInstanceProfile(ctx, &iam.GetInstanceProfileInput{InstanceProfileName: aws.String("profile")}),
	).InstanceProfile
	alias := must[*iam.ListAccountAliasesOutput](t)(root.iam.ListAccountAliases(ctx, &iam.ListAccountAliasesInput{}))
	providers := must[*iam.ListOpenIDConnectProvidersOutput](t)(
		root.iam.ListOpenIDConnectProviders(ctx, &iam.ListOpenIDConnectProvidersInput{}),
	)
	switch {
	case *policy.DefaultVersionId != "v2":
		t.Errorf("the managed policy is at %s", *policy.DefaultVersionId)
	case len(group.Users) != 1 || *group.Users[0].UserName != "app":
		t.Errorf("members of the group: %v", group.Users)
	case user.PermissionsBoundary == nil:
		t.Error("the user has no permissions boundary")
	case len(profile.Roles) != 1:
		t.Errorf("roles of the instance profile: %v", profile.Roles)
	case len(alias.AccountAliases) != 1 || len(providers.OpenIDConnectProviderList) != 1:
		t.Errorf("aliases %v, identity providers %v", alias.AccountAliases, providers.OpenIDConnectProviderList)
	}
	if _, err := root.iam.ListUsers(ctx, &iam.ListUsersInput{}); code(err) != "AccessDenied" {
		t.Errorf("the service control policy has no effect: %v", err)
	}
	ended := sessionFromState(t)
	if _, err := as(t, sb, ended).sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}); code(err) != "ExpiredToken" && err != nil {
		t.Errorf("a role session of the old state: %v", err)
	}
}

// sessionFromState takes a role's session out of the fixture.
func sessionFromState(t *testing.T) sandbox.Credentials {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "state_v1", "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	var state struct {
		Keys []struct {
			ID, Secret string
			Session    *struct{ Token, RoleID string }
		}
	}
	if err := json.Unmarshal(text, &state); err != nil {
		t.Fatal(err)
	}
	for _, k := range state.Keys {
		if k.Session != nil && k.Session.RoleID != "" {
			return sandbox.Credentials{AccessKeyID: k.ID, SecretAccessKey: k.Secret, SessionToken: k.Session.Token}
		}
	}
	t.Fatal("the fixture has no role session")
	return sandbox.Credentials{}
}

func checkVersion1KMS(t *testing.T, root *clients) (key string) {
	t.Helper()
	ctx := t.Context()
	d := must[*kms.DescribeKeyOutput](t)(root.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String("alias/tenant")})).KeyMetadata
	sealed, err := os.ReadFile(filepath.Join("testdata", "state_v1.ciphertext"))
	if err != nil {
		t.Fatal(err)
	}
	plain := must[*kms.DecryptOutput](t)(
		root.kms.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed, EncryptionContext: map[string]string{"a": "b"}}),
	)
	if string(plain.Plaintext) != "secret" {
		t.Errorf("a ciphertext from before the rotation decrypts to %q", plain.Plaintext)
	}
	grants := must[*kms.ListGrantsOutput](t)(root.kms.ListGrants(ctx, &kms.ListGrantsInput{KeyId: d.KeyId}))
	if len(grants.Grants) != 1 || grants.Grants[0].Constraints.EncryptionContextSubset["a"] != "b" {
		t.Errorf("grants: %+v", grants.Grants)
	}
	rotation := must[*kms.GetKeyRotationStatusOutput](t)(root.kms.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: d.KeyId}))
	tags := must[*kms.ListResourceTagsOutput](t)(root.kms.ListResourceTags(ctx, &kms.ListResourceTagsInput{KeyId: d.KeyId}))
	if *rotation.RotationPeriodInDays != 2000 || len(tags.Tags) != 1 {
		t.Errorf("rotation every %d days, tags %v", *rotation.RotationPeriodInDays, tags.Tags)
	}
	return *d.Arn
}

func checkVersion1S3(t *testing.T, sb *sandbox.Sandbox, root *clients, key string) {
	t.Helper()
	ctx, b := t.Context(), aws.String(bucketB)
	get := func(key string) (*s3.GetObjectOutput, string) {
		t.Helper()
		out := must[*s3.GetObjectOutput](t)(root.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: aws.String(key), ChecksumMode: "ENABLED"}))
		return out, string(readAll(t, out.Body))
	}
	if out, text := get("logs/versions"); text != "second" || aws.ToString(out.SSEKMSKeyId) != key {
		t.Errorf("the newest version is %q under %s", text, aws.ToString(out.SSEKMSKeyId))
	}
	if out, text := get("logs/headers"); text != "text" || *out.ContentType != "text/plain" || out.Metadata["origin"] != "test" ||
		out.StorageClass != "STANDARD_IA" || *out.TagCount != 1 {
		t.Errorf("an object with headers came back as %q, %+v", text, out)
	}
	if out, text := get("logs/whole"); text != "a part" || out.ChecksumCRC32C == nil {
		t.Errorf("a multipart object came back as %q", text)
	}
	versions := must[*s3.ListObjectVersionsOutput](t)(root.s3.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: b}))
	if len(versions.Versions) != 6 || len(versions.DeleteMarkers) != 1 {
		t.Errorf("%d versions and %d delete markers", len(versions.Versions), len(versions.DeleteMarkers))
	}
	uploads := sb.MultipartUploads(bucketB)
	if len(uploads) != 1 || uploads[0].Parts != 1 || uploads[0].Bytes != int64(len("a part")) {
		t.Errorf("open uploads: %+v", uploads)
	}
	policy := must[*s3.GetBucketPolicyOutput](t)(root.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: b}))
	encryption := must[*s3.GetBucketEncryptionOutput](t)(root.s3.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: b}))
	lifecycle := must[*s3.GetBucketLifecycleConfigurationOutput](t)(
		root.s3.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: b}),
	)
	cors := must[*s3.GetBucketCorsOutput](t)(root.s3.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: b}))
	tags := must[*s3.GetBucketTaggingOutput](t)(root.s3.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: b}))
	block := must[*s3.GetPublicAccessBlockOutput](t)(root.s3.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: b}))
	switch {
	case !strings.Contains(*policy.Policy, "role/CrossAccountS3Uploader"):
		t.Errorf("the bucket policy is %s", *policy.Policy)
	case *encryption.ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault.KMSMasterKeyID != key:
		t.Error("the bucket's default encryption is under another key")
	case len(lifecycle.Rules) != 1 || len(cors.CORSRules) != 1 || len(tags.TagSet) != 1 ||
		!*block.PublicAccessBlockConfiguration.BlockPublicPolicy:
		t.Errorf("lifecycle %v, CORS %v, tags %v, block %v", lifecycle.Rules, cors.CORSRules, tags.TagSet, block.PublicAccessBlockConfiguration)
	}
	hold := must[*s3.GetObjectLegalHoldOutput](t)(
		root.s3.GetObjectLegalHold(ctx, &s3.GetObjectLegalHoldInput{Bucket: aws.String("locked-bucket-of-b"), Key: aws.String("held")}),
	)
	acl := must[*s3.GetObjectAclOutput](t)(
		root.s3.GetObjectAcl(ctx, &s3.GetObjectAclInput{Bucket: aws.String("locked-bucket-of-b"), Key: aws.String("held")}),
	)
	if hold.LegalHold.Status != "ON" || len(acl.Grants) == 0 {
		t.Errorf("legal hold %v, grants %v", hold.LegalHold, acl.Grants)
	}
	if got := accountBlock(t, sb, root); !strings.Contains(got, "<IgnorePublicAcls>true</IgnorePublicAcls>") {
		t.Errorf("the public access block of account B reads %s", got)
	}
	if _, data := stored(t, sb, bucketB, "logs/empty"); !bytes.Equal(data, nil) {
		t.Errorf("the empty object has %d bytes", len(data))
	}
}

// accountBlock reads the public access block of account B from S3 Control.
func accountBlock(t *testing.T, sb *sandbox.Sandbox, root *clients) string {
	t.Helper()
	ctx := t.Context()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, sb.Endpoint()+"/v20180820/configuration/publicAccessBlock", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Content-Sha256", emptyHash)
	req.Header.Set("X-Amz-Account-Id", accountB)
	creds := must[aws.Credentials](t)(root.cfg.Credentials.Retrieve(ctx))
	if err := v4.NewSigner().SignHTTP(ctx, creds, req, emptyHash, "s3", region, time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := root.cfg.HTTPClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
