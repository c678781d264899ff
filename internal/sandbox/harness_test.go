package sandbox_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/brokerd/brokerd/internal/sandbox"
)

const (
	accountA = sandbox.DefaultAccountA
	accountB = sandbox.DefaultAccountB
	region   = sandbox.DefaultRegion
	bucketB  = "tenant-s3-test-bucket"
)

// clients are the four services under one identity.
type clients struct {
	t   testing.TB
	ctx context.Context
	sb  *sandbox.Sandbox
	cfg aws.Config
	sts *sts.Client
	iam *iam.Client
	s3  *s3.Client
	kms *kms.Client
}

func start(t testing.TB, opts sandbox.Options) *sandbox.Sandbox {
	t.Helper()
	opts.Dir = t.TempDir()
	sb, err := sandbox.New(opts)
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

func httpClient(t testing.TB, sb *sandbox.Sandbox) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	if pem := sb.CABundlePEM(); pem != nil && !pool.AppendCertsFromPEM(pem) {
		t.Fatal("the CA bundle holds no certificate")
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: spellChecker{t, tr}}
}

func as(t testing.TB, sb *sandbox.Sandbox, c sandbox.Credentials) *clients {
	return asIn(t, sb, c, region)
}

func asIn(t testing.TB, sb *sandbox.Sandbox, c sandbox.Credentials, region string) *clients {
	t.Helper()
	cfg := aws.Config{
		Region: region, BaseEndpoint: aws.String(sb.Endpoint()), HTTPClient: httpClient(t, sb),
		Credentials:                credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		Retryer:                    func() aws.Retryer { return aws.NopRetryer{} },
	}
	return &clients{
		t: t, ctx: t.Context(), sb: sb, cfg: cfg, sts: sts.NewFromConfig(cfg), iam: iam.NewFromConfig(cfg), kms: kms.NewFromConfig(cfg),
		s3: s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }),
	}
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// code is AWS's error code of err.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	if err != nil {
		return "not an AWS error: " + err.Error()
	}
	return ""
}

func message(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorMessage()
	}
	return fmt.Sprint(err)
}

func status(err error) int {
	var r interface{ HTTPStatusCode() int }
	if errors.As(err, &r) {
		return r.HTTPStatusCode()
	}
	return 0
}

// world is the cross-account set-up as it should be.
type world struct {
	sb             *sandbox.Sandbox
	rootA, rootB   *clients
	app            *clients // the application's user in A
	role, key      string   // ARNs
	uploader       *clients // the role's session
	session        sandbox.Credentials
	identityPolicy string
	bucketPolicy   string
	keyPolicy      string
}

func trustPolicy(principal string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":%q},"Action":"sts:AssumeRole",`+
		`"Condition":{"StringEquals":{"sts:ExternalId":"tenant-7"}}}]}`, principal)
}

func identityPolicy(key string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
		{"Sid":"Put","Effect":"Allow","Action":["s3:PutObject","s3:AbortMultipartUpload"],"Resource":"arn:aws:s3:::%s/logs/*"},
		{"Sid":"Key","Effect":"Allow","Action":["kms:GenerateDataKey","kms:Decrypt"],"Resource":%q,
		"Condition":{"StringEquals":{"kms:ViaService":"s3.%s.amazonaws.com"}}}]}`, bucketB, key, region)
}

func bucketPolicy(role string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
		{"Sid":"Put","Effect":"Allow","Principal":{"AWS":%q},"Action":["s3:PutObject","s3:AbortMultipartUpload"],
		"Resource":"arn:aws:s3:::%s/logs/*"}]}`, role, bucketB)
}

func keyPolicy(role string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
		{"Sid":"Admin","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%s:root"},"Action":"kms:*","Resource":"*"},
		{"Sid":"Use","Effect":"Allow","Principal":{"AWS":%q},"Action":["kms:GenerateDataKey","kms:Decrypt"],"Resource":"*",
		"Condition":{"StringEquals":{"kms:ViaService":"s3.%s.amazonaws.com"}}}]}`, accountB, role, region)
}

// newWorld sets everything up with the SDK, as a user would.
func newWorld(t testing.TB) *world {
	t.Helper()
	return worldIn(t, start(t, sandbox.Options{}))
}

// worldIn sets everything up in a sandbox that runs.
func worldIn(t testing.TB, sb *sandbox.Sandbox) *world {
	t.Helper()
	w := &world{sb: sb, rootA: as(t, sb, sb.RootKeys(accountA)), rootB: as(t, sb, sb.RootKeys(accountB))}
	ctx := t.Context()

	must[*iam.CreateUserOutput](t)(w.rootA.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("app")}))
	must[*iam.PutUserPolicyOutput](t)(w.rootA.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{
		UserName: aws.String("app"), PolicyName: aws.String("assume"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17",` +
			`"Statement":{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],"Resource":"*"}}`),
	}))
	key := must[*iam.CreateAccessKeyOutput](t)(
		w.rootA.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String("app")}),
	).AccessKey
	w.app = as(t, sb, sandbox.Credentials{AccessKeyID: *key.AccessKeyId, SecretAccessKey: *key.SecretAccessKey})

	role := must[*iam.CreateRoleOutput](t)(w.rootA.iam.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName:                 aws.String("CrossAccountS3Uploader"),
		AssumeRolePolicyDocument: aws.String(trustPolicy("arn:aws:iam::" + accountA + ":user/app")),
	}))
	w.role = *role.Role.Arn
	w.key = *must[*kms.CreateKeyOutput](t)(w.rootB.kms.CreateKey(ctx, &kms.CreateKeyInput{})).KeyMetadata.Arn
	w.identityPolicy, w.bucketPolicy, w.keyPolicy = identityPolicy(w.key), bucketPolicy(w.role), keyPolicy(w.role)
	w.putIdentity(t, w.identityPolicy)
	must[*s3.CreateBucketOutput](t)(w.rootB.s3.CreateBucket(ctx, &s3.CreateBucketInput{
		Bucket: aws.String(bucketB), CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: region},
	}))
	w.putKeyPolicy(t, w.keyPolicy)
	w.putBucketPolicy(t, w.bucketPolicy)
	w.session = w.assume(t)
	w.uploader = as(t, sb, w.session)
	return w
}

func (w *world) putIdentity(t testing.TB, doc string) {
	t.Helper()
	must[*iam.PutRolePolicyOutput](t)(w.rootA.iam.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{
		RoleName: aws.String("CrossAccountS3Uploader"), PolicyName: aws.String("upload"), PolicyDocument: aws.String(doc),
	}))
}

func (w *world) putKeyPolicy(t testing.TB, doc string) {
	t.Helper()
	must[*kms.PutKeyPolicyOutput](t)(
		w.rootB.kms.PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: aws.String(w.key), Policy: aws.String(doc)}),
	)
}

func (w *world) putBucketPolicy(t testing.TB, doc string) {
	t.Helper()
	must[*s3.PutBucketPolicyOutput](t)(
		w.rootB.s3.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String(bucketB), Policy: aws.String(doc)}),
	)
}

func (w *world) assumeInput() *sts.AssumeRoleInput {
	return &sts.AssumeRoleInput{RoleArn: aws.String(w.role), RoleSessionName: aws.String("brokerd"), ExternalId: aws.String("tenant-7")}
}

func (w *world) assume(t testing.TB) sandbox.Credentials {
	t.Helper()
	return sessionOf(must[*sts.AssumeRoleOutput](t)(w.app.sts.AssumeRole(t.Context(), w.assumeInput())))
}

func sessionOf(out *sts.AssumeRoleOutput) sandbox.Credentials {
	return sandbox.Credentials{AccessKeyID: *out.Credentials.AccessKeyId, SecretAccessKey: *out.Credentials.SecretAccessKey,
		SessionToken: *out.Credentials.SessionToken}
}

// put is the input of the delivery as brokerd makes it.
func (w *world) put(key string, body []byte) *s3.PutObjectInput {
	return &s3.PutObjectInput{
		Bucket: aws.String(bucketB), Key: aws.String(key), Body: bytes.NewReader(body), ExpectedBucketOwner: aws.String(accountB),
		ServerSideEncryption: s3types.ServerSideEncryptionAwsKms, SSEKMSKeyId: aws.String(w.key), BucketKeyEnabled: aws.Bool(true),
	}
}

func (w *world) create(key string) *s3.CreateMultipartUploadInput {
	return &s3.CreateMultipartUploadInput{
		Bucket: aws.String(bucketB), Key: aws.String(key), ExpectedBucketOwner: aws.String(accountB),
		ServerSideEncryption: s3types.ServerSideEncryptionAwsKms, SSEKMSKeyId: aws.String(w.key), BucketKeyEnabled: aws.Bool(true),
		ChecksumAlgorithm: s3types.ChecksumAlgorithmCrc32c, ChecksumType: s3types.ChecksumTypeFullObject,
	}
}

func readAll(t testing.TB, r io.ReadCloser) []byte {
	t.Helper()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return data
}

func stored(t testing.TB, sb *sandbox.Sandbox, bucket, key string) (sandbox.ObjectInfo, []byte) {
	t.Helper()
	info, body, err := sb.Object(bucket, key)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	if err := body.Close(); err != nil {
		t.Fatal(err)
	}
	return info, data
}
