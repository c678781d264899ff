package sandbox_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/brokerd/brokerd/internal/sandbox"
)

func TestRunServesUntilItsContextEnds(t *testing.T) {
	sb, err := sandbox.New(sandbox.Options{
		Dir: t.TempDir(), RootKeys: map[string]sandbox.Credentials{accountA: {AccessKeyID: "AKIAFIXED", SecretAccessKey: "fixed"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- sb.Run(ctx) }()
	root := as(t, sb, sandbox.Credentials{AccessKeyID: "AKIAFIXED", SecretAccessKey: "fixed"})
	must[*sts.GetCallerIdentityOutput](t)(root.sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if err := sb.Run(t.Context()); err == nil {
		t.Error("a second Run was accepted")
	}
	if err := sb.Close(); err != nil {
		t.Error(err)
	}
	if err := sb.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}

// 13: S3 refuses KMS over plain http.
func TestPlainHTTP(t *testing.T) {
	sb := start(t, sandbox.Options{PlainHTTP: true})
	root := as(t, sb, sb.RootKeys(accountB))
	ctx := t.Context()
	must[*s3.CreateBucketOutput](t)(
		root.s3.CreateBucket(ctx, &s3.CreateBucketInput{
			Bucket: aws.String(bucketB), CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: region},
		}),
	)
	must[*s3.PutObjectOutput](t)(
		root.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucketB), Key: aws.String("k"), Body: strings.NewReader("signed body")}),
	)
	_, err := root.s3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(bucketB), Key: aws.String("k"), Body: strings.NewReader("x"), ServerSideEncryption: s3types.ServerSideEncryptionAwsKms,
	})
	if code(err) != "InvalidArgument" || !strings.Contains(message(err), "must be made over a secure connection") {
		t.Errorf("KMS over plain http: %v", err)
	}
}

func TestTheOwnersRootCanAlwaysRemoveABucketPolicy(t *testing.T) {
	w := newWorld(t)
	w.putBucketPolicy(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::`+
		bucketB+`","arn:aws:s3:::`+bucketB+`/*"]}]}`)
	list := &s3.ListObjectsV2Input{Bucket: aws.String(bucketB)}
	if _, err := w.rootB.s3.ListObjectsV2(t.Context(), list); code(err) != "AccessDenied" ||
		!strings.Contains(message(err), "with an explicit deny in a resource-based policy") {
		t.Errorf("a deny for everybody: %v", err)
	}
	must[*s3.DeleteBucketPolicyOutput](t)(w.rootB.s3.DeleteBucketPolicy(t.Context(), &s3.DeleteBucketPolicyInput{Bucket: aws.String(bucketB)}))
	must[*s3.ListObjectsV2Output](t)(w.rootB.s3.ListObjectsV2(t.Context(), list))
}

// What other accounts may not do, even when a policy gave them the action.
func TestOwnersBusinessStaysTheOwners(t *testing.T) {
	w := newWorld(t)
	_, err := w.rootA.s3.GetBucketLocation(t.Context(), &s3.GetBucketLocationInput{Bucket: aws.String(bucketB)})
	if code(err) != "AccessDenied" || message(err) != "Access Denied" {
		t.Errorf("GetBucketLocation from account A: %v", err)
	}
	if _, err := w.rootA.s3.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String(bucketB)}); code(err) != "AccessDenied" {
		t.Errorf("DeleteBucket from account A: %v", err)
	}
	if l := must[*s3.ListBucketsOutput](t)(w.rootA.s3.ListBuckets(t.Context(), &s3.ListBucketsInput{})); len(l.Buckets) != 0 {
		t.Errorf("account A sees %d buckets", len(l.Buckets))
	}
}
