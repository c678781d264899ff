package awsaccounts

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/setup"
)

// bucketWriter writes one bucket, and only when the expected account owns it.
type bucketWriter struct {
	api         *s3.Client
	name, owner *string
}

func (w bucketWriter) put(ctx context.Context, c *setup.Change) (err error) {
	switch c.Kind {
	case setup.KindBucketMade:
		return w.create(ctx, c)
	case setup.KindPublicBlock:
		var p setup.PublicAccess
		if err = json.Unmarshal([]byte(c.After), &p); err == nil {
			_, err = w.api.PutPublicAccessBlock(
				ctx,
				&s3.PutPublicAccessBlockInput{
					Bucket:              w.name,
					ExpectedBucketOwner: w.owner,
					PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
						BlockPublicAcls: aws.Bool(
							p.BlockPublicACLs,
						), IgnorePublicAcls: aws.Bool(p.IgnorePublicACLs), BlockPublicPolicy: aws.Bool(p.BlockPublicPolicy),
						RestrictPublicBuckets: aws.Bool(p.RestrictPublicBuckets),
					},
				},
			)
		}
	case setup.KindOwnership:
		var ownership string
		if err = json.Unmarshal([]byte(c.After), &ownership); err == nil {
			_, err = w.api.PutBucketOwnershipControls(ctx, &s3.PutBucketOwnershipControlsInput{Bucket: w.name, ExpectedBucketOwner: w.owner,
				OwnershipControls: &types.OwnershipControls{Rules: []types.OwnershipControlsRule{{ObjectOwnership: types.ObjectOwnership(ownership)}}}})
		}
	case setup.KindEncryption:
		var e setup.Encryption
		if err = json.Unmarshal([]byte(c.After), &e); err == nil {
			_, err = w.api.PutBucketEncryption(
				ctx,
				&s3.PutBucketEncryptionInput{
					Bucket:              w.name,
					ExpectedBucketOwner: w.owner,
					ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{
						Rules: []types.ServerSideEncryptionRule{{
							ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{
								SSEAlgorithm:   types.ServerSideEncryption(e.Algorithm),
								KMSMasterKeyID: aws.String(e.KeyARN),
							},
							BucketKeyEnabled: aws.Bool(e.BucketKey),
						}},
					},
				},
			)
		}
	case setup.KindLogging:
		var l setup.Logging
		if err = json.Unmarshal([]byte(c.After), &l); err == nil {
			_, err = w.api.PutBucketLogging(ctx, &s3.PutBucketLoggingInput{Bucket: w.name, ExpectedBucketOwner: w.owner,
				BucketLoggingStatus: &types.BucketLoggingStatus{
					LoggingEnabled: &types.LoggingEnabled{TargetBucket: aws.String(l.Bucket), TargetPrefix: aws.String(l.Prefix)},
				}})
		}
	case setup.KindLifecycle:
		return w.lifecycle(ctx, c)
	case setup.KindBucket:
		if c.Op == setup.OpDelete {
			_, err = w.api.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: w.name, ExpectedBucketOwner: w.owner})
			break
		}
		_, err = w.api.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: w.name, ExpectedBucketOwner: w.owner, Policy: aws.String(c.After)})
	default:
		err = fmt.Errorf("do not know how to write a %s", c.Kind)
	}
	return err
}

func (w bucketWriter) create(ctx context.Context, c *setup.Change) error {
	in := &s3.CreateBucketInput{Bucket: w.name, ObjectOwnership: types.ObjectOwnershipBucketOwnerEnforced}
	// The first Region has no location constraint; every other one must be named.
	if region := c.Bucket().Region; region != "us-east-1" {
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}
	}
	_, err := w.api.CreateBucket(ctx, in)
	return err
}

// lifecycle writes all rules, for S3 keeps them as one: other people's as they were.
func (w bucketWriter) lifecycle(ctx context.Context, c *setup.Change) error {
	if c.Op == setup.OpDelete {
		_, err := w.api.DeleteBucketLifecycle(ctx, &s3.DeleteBucketLifecycleInput{Bucket: w.name, ExpectedBucketOwner: w.owner})
		return err
	}
	var lines []struct {
		setup.LifecycleRule
		As string `json:"as"`
	}
	if err := json.Unmarshal([]byte(c.After), &lines); err != nil {
		return fmt.Errorf("reading the planned rules: %w", err)
	}
	rules := make([]types.LifecycleRule, len(lines))
	for i, l := range lines {
		if l.As != "" {
			if err := json.Unmarshal([]byte(l.As), &rules[i]); err != nil {
				return fmt.Errorf("reading lifecycle rule %s: %w", l.ID, err)
			}
			continue
		}
		rules[i] = types.LifecycleRule{
			ID:     aws.String(l.ID),
			Status: types.ExpirationStatusDisabled,
			Filter: &types.LifecycleRuleFilter{Prefix: aws.String(l.Prefix)},
		}
		if l.Enabled {
			rules[i].Status = types.ExpirationStatusEnabled
		}
		if l.AbortIncompleteDays > 0 {
			rules[i].AbortIncompleteMultipartUpload = &types.AbortIncompleteMultipartUpload{
				DaysAfterInitiation: aws.Int32(int32(l.AbortIncompleteDays)),
			}
		}
	}
	in := &s3.PutBucketLifecycleConfigurationInput{
		Bucket:                 w.name,
		ExpectedBucketOwner:    w.owner,
		LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules},
	}
	// This one belongs to the configuration and not to a rule: without it S3 would go
	// back to its default.
	if c.Before != "" {
		out, err := w.api.GetBucketLifecycleConfiguration(
			ctx,
			&s3.GetBucketLifecycleConfigurationInput{Bucket: w.name, ExpectedBucketOwner: w.owner},
		)
		if err != nil {
			return err
		}
		in.TransitionDefaultMinimumObjectSize = out.TransitionDefaultMinimumObjectSize
	}
	_, err := w.api.PutBucketLifecycleConfiguration(ctx, in)
	return err
}
