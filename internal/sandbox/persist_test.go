package sandbox_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cttypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/brokerd/brokerd/internal/sandbox"
)

// reopen ends the sandbox of w and starts another one on its directory.
func reopen(t *testing.T, w *world, dir string) *sandbox.Sandbox {
	t.Helper()
	if err := w.sb.Close(); err != nil {
		t.Fatal(err)
	}
	return openIn(t, dir)
}

func openIn(t *testing.T, dir string) *sandbox.Sandbox {
	t.Helper()
	sb, err := sandbox.New(sandbox.Options{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	sb.Start()
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	return sb
}

func TestStateSurvivesARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "accounts")
	w := worldIn(t, openIn(t, dir))
	ctx, b := t.Context(), aws.String(bucketB)
	versioned := func(status s3types.BucketVersioningStatus) {
		t.Helper()
		must[*s3.PutBucketVersioningOutput](t)(
			w.rootB.s3.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
				Bucket: b, VersioningConfiguration: &s3types.VersioningConfiguration{Status: status},
			}),
		)
	}
	versioned("Enabled")
	big := bytes.Repeat([]byte("0123456789abcdef"), 6<<16) // 6 MiB: more than a part's least size
	for _, text := range []string{"first", "second", "third"} {
		must[*s3.PutObjectOutput](t)(w.uploader.s3.PutObject(ctx, w.put("logs/versions", []byte(text))))
	}
	must[*s3.PutObjectOutput](t)(w.uploader.s3.PutObject(ctx, w.put("logs/empty", nil)))
	must[*s3.PutObjectOutput](t)(w.uploader.s3.PutObject(ctx, w.put("logs/big", big)))
	open := must[*s3.CreateMultipartUploadOutput](t)(w.uploader.s3.CreateMultipartUpload(ctx, w.create("logs/parts")))
	part := func(api *clients, number int32, data []byte) s3types.CompletedPart {
		t.Helper()
		out := must[*s3.UploadPartOutput](t)(api.s3.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: b, Key: aws.String("logs/parts"), UploadId: open.UploadId, PartNumber: aws.Int32(number), Body: bytes.NewReader(data),
			ChecksumAlgorithm: "CRC32C",
		}))
		return s3types.CompletedPart{ETag: out.ETag, PartNumber: aws.Int32(number), ChecksumCRC32C: out.ChecksumCRC32C}
	}
	p1 := part(w.uploader, 1, big)
	must[*kms.CreateAliasOutput](t)(
		w.rootB.kms.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/tenant"), TargetKeyId: aws.String(w.key)}),
	)
	sealed := must[*kms.EncryptOutput](t)(w.rootB.kms.Encrypt(ctx, &kms.EncryptInput{KeyId: aws.String(w.key), Plaintext: []byte("secret")}))

	sb := reopen(t, w, dir)
	if got, want := sb.RootKeys(accountB), w.sb.RootKeys(accountB); got.AccessKeyID != want.AccessKeyID ||
		got.SecretAccessKey != want.SecretAccessKey {
		t.Error("the root keys of account B are others than before")
	}
	rootA, rootB := as(t, sb, sb.RootKeys(accountA)), as(t, sb, sb.RootKeys(accountB))
	uploader := as(t, sb, w.session)
	if out, err := uploader.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}); err != nil ||
		!strings.HasSuffix(*out.Arn, ":assumed-role/CrossAccountS3Uploader/brokerd") {
		t.Fatalf("the session from before: %v", err)
	}
	list := must[*s3.ListObjectVersionsOutput](t)(
		rootB.s3.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: b, Prefix: aws.String("logs/versions")}),
	)
	var texts []string
	for _, v := range list.Versions {
		out := must[*s3.GetObjectOutput](t)(rootB.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: v.Key, VersionId: v.VersionId}))
		texts = append(texts, string(readAll(t, out.Body)))
	}
	if got := strings.Join(texts, " "); got != "third second first" {
		t.Errorf("versions, newest first: %s", got)
	}
	for key, want := range map[string][]byte{"logs/big": big, "logs/empty": {}} {
		out := must[*s3.GetObjectOutput](t)(rootB.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: aws.String(key), ChecksumMode: "ENABLED"}))
		if got := readAll(t, out.Body); !bytes.Equal(got, want) || aws.ToString(out.SSEKMSKeyId) != w.key {
			t.Errorf("%s came back as %d bytes under %s", key, len(got), aws.ToString(out.SSEKMSKeyId))
		}
	}
	p2 := part(uploader, 2, []byte("the end"))
	must[*s3.CompleteMultipartUploadOutput](t)(uploader.s3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: b, Key: aws.String("logs/parts"), UploadId: open.UploadId,
		MultipartUpload: &s3types.CompletedMultipartUpload{Parts: []s3types.CompletedPart{p1, p2}},
	}))
	if _, data := stored(t, sb, bucketB, "logs/parts"); !bytes.Equal(data, append(bytes.Clone(big), "the end"...)) {
		t.Errorf("the upload that was open at the restart became %d bytes", len(data))
	}
	opened := must[*kms.DecryptOutput](t)(rootB.kms.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob}))
	if string(opened.Plaintext) != "secret" {
		t.Errorf("the ciphertext from before opens as %q", opened.Plaintext)
	}
	if d := must[*kms.DescribeKeyOutput](t)(
		rootB.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String("alias/tenant")}),
	); *d.KeyMetadata.Arn != w.key {
		t.Errorf("the alias leads to %s", *d.KeyMetadata.Arn)
	}
	// A role of the same name is still not the one that the policies name.
	must[*iam.DeleteRolePolicyOutput](t)(
		rootA.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{
			RoleName: aws.String("CrossAccountS3Uploader"), PolicyName: aws.String("upload"),
		}),
	)
	must[*iam.DeleteRoleOutput](t)(rootA.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: aws.String("CrossAccountS3Uploader")}))
	policy := must[*s3.GetBucketPolicyOutput](t)(rootB.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: b}))
	if !strings.Contains(*policy.Policy, `"AROA`) {
		t.Errorf("the bucket policy does not show the role's id: %s", *policy.Policy)
	}
}

func TestADirectoryServesOneSandbox(t *testing.T) {
	dir := t.TempDir()
	openIn(t, dir)
	if sb, err := sandbox.New(sandbox.Options{DataDir: dir}); err == nil || !strings.Contains(err.Error(), "in use by another sandbox") {
		t.Errorf("a second sandbox on the directory: %v, %v", sb, err)
	}
}

func TestOptionsThatContradictTheStateAreRefused(t *testing.T) {
	dir := t.TempDir()
	sb, err := sandbox.New(sandbox.Options{DataDir: dir, AccountA: "123456789012", Region: "us-west-2"})
	if err != nil {
		t.Fatal(err)
	}
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := sandbox.New(sandbox.Options{DataDir: dir, Region: "eu-west-1"}); err == nil || !strings.Contains(err.Error(), "us-west-2") {
		t.Errorf("another Region: %v", err)
	}
	again := openIn(t, dir)
	if again.AccountA() != "123456789012" || again.Region() != "us-west-2" {
		t.Errorf("without options: account %s in %s", again.AccountA(), again.Region())
	}
}

func TestADamagedStateIsNotOverwritten(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state.json")
	if err := os.WriteFile(path, []byte(`{"Version":1,`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sandbox.New(sandbox.Options{DataDir: dir}); err == nil || !strings.Contains(err.Error(), "state.json") {
		t.Errorf("a damaged state: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != `{"Version":1,` {
		t.Errorf("the file is now %q, %v", text, err)
	}
}

func TestTheTrailSurvivesARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "accounts")
	w := worldIn(t, openIn(t, dir))
	must[*s3.PutObjectOutput](t)(w.uploader.s3.PutObject(t.Context(), w.put("logs/x", []byte("text"))))
	before := lookUp(t, w.rootB, cttypes.LookupAttributeKeyEventName, "PutObject")
	if err := w.sb.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "events.jsonl")
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.WriteString(`{"eventVersion":"1.11","torn`) // by a kill
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	sb := openIn(t, dir)
	rootB := as(t, sb, sb.RootKeys(accountB))
	after := lookUp(t, rootB, cttypes.LookupAttributeKeyEventName, "PutObject")
	if d := cmp.Diff(before, after); d != "" || len(after) != 1 {
		t.Error(d)
	}
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(text), "torn") || !strings.HasSuffix(string(text), "}\n") {
		t.Errorf("the torn line is still there, %v", err)
	}
	if err := os.WriteFile(path, append([]byte("damage\n"), text...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sandbox.New(sandbox.Options{DataDir: dir}); err == nil || !strings.Contains(err.Error(), "events.jsonl: line 1") {
		t.Errorf("a damaged trail: %v", err)
	}
}

// A kill between a body and its object leaves a file that no object refers to.
func TestBodiesWithoutAnObjectAreRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "accounts")
	w := worldIn(t, openIn(t, dir))
	must[*s3.PutObjectOutput](t)(w.uploader.s3.PutObject(t.Context(), w.put("logs/x", []byte("text"))))
	if err := w.sb.Close(); err != nil {
		t.Fatal(err)
	}
	orphan := filepath.Join(dir, "bodies", "body-orphan")
	if err := os.WriteFile(orphan, []byte("half an object"), 0o600); err != nil {
		t.Fatal(err)
	}
	sb := openIn(t, dir)
	if _, err := os.Stat(orphan); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the orphaned body is still there: %v", err)
	}
	if _, data := stored(t, sb, bucketB, "logs/x"); string(data) != "text" {
		t.Errorf("the object is %q", data)
	}
}
