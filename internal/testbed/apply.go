package testbed

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/setup"
)

// Apply makes the role in A, then the policies of the key and the bucket in B: AWS
// rejects a policy that names a role that does not exist.
func (w *World) Apply(ctx context.Context) error {
	docs, err := setup.Desired(w.Dest, setup.Options{SourcePrincipalARN: w.UserARN})
	if err != nil {
		return fmt.Errorf("deriving the policies from the configuration: %w", err)
	}
	w.Docs = docs
	if _, err := w.IAM.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String(w.RoleName),
		AssumeRolePolicyDocument: aws.String(string(docs.Trust))}); err != nil {
		return fmt.Errorf("creating role %s: %w", w.RoleName, err)
	}
	if err := w.PutIdentity(ctx, string(docs.Identity)); err != nil {
		return err
	}
	if err := w.PutKeyPolicy(ctx, string(docs.Key)); err != nil {
		return err
	}
	if err := w.makeBucket(ctx); err != nil {
		return err
	}
	return w.PutBucketPolicy(ctx, string(docs.Bucket))
}

func (w *World) makeBucket(ctx context.Context) error {
	bucket := aws.String(w.Bucket)
	if _, err := w.S3.CreateBucket(ctx, &s3.CreateBucketInput{
		Bucket: bucket, ObjectOwnership: types.ObjectOwnershipBucketOwnerEnforced,
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(w.Dest.Region)},
	}); err != nil {
		return fmt.Errorf("creating bucket %s: %w", w.Bucket, err)
	}
	if _, err := w.S3.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: bucket,
		PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
			BlockPublicAcls: aws.Bool(true), BlockPublicPolicy: aws.Bool(true), IgnorePublicAcls: aws.Bool(true),
			RestrictPublicBuckets: aws.Bool(true),
		}}); err != nil {
		return fmt.Errorf("blocking public access to bucket %s: %w", w.Bucket, err)
	}
	if _, err := w.S3.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{Bucket: bucket,
		ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{
			Rules: []types.ServerSideEncryptionRule{{
				ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryptionAwsKms,
					KMSMasterKeyID: aws.String(w.KeyARN)},
				BucketKeyEnabled: aws.Bool(true),
			}},
		}}); err != nil {
		return fmt.Errorf("setting the default encryption of bucket %s: %w", w.Bucket, err)
	}
	return nil
}

// PutIdentity replaces the role's inline policy.
func (w *World) PutIdentity(ctx context.Context, doc string) error {
	if _, err := w.IAM.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String(w.RoleName), PolicyName: aws.String(policyName),
		PolicyDocument: aws.String(doc)}); err != nil {
		return fmt.Errorf("putting the identity policy of %s: %w", w.RoleName, err)
	}
	return nil
}

// PutKeyPolicy replaces the key policy.
func (w *World) PutKeyPolicy(ctx context.Context, doc string) error {
	if _, err := w.KMS.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: aws.String(w.KeyARN), Policy: aws.String(doc)}); err != nil {
		return fmt.Errorf("putting the key policy: %w", err)
	}
	return nil
}

// KeyPolicy reads the key policy.
func (w *World) KeyPolicy(ctx context.Context) (string, error) {
	out, err := w.KMS.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: aws.String(w.KeyARN)})
	if err != nil {
		return "", fmt.Errorf("reading the key policy: %w", err)
	}
	return aws.ToString(out.Policy), nil
}

// PutBucketPolicy replaces the bucket policy.
func (w *World) PutBucketPolicy(ctx context.Context, doc string) error {
	if _, err := w.S3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: aws.String(w.Bucket), Policy: aws.String(doc)}); err != nil {
		return fmt.Errorf("putting the bucket policy: %w", err)
	}
	return nil
}
