package kit

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/test/recorded"
)

// sweepBuckets deletes the buckets whose names begin with prefix, with all in them.
func (a *Accounts) sweepBuckets(ctx context.Context, prefix string) error {
	var errs []error
	for _, account := range []recorded.Account{a.A, a.B} {
		api := s3.NewFromConfig(a.Config(account, Region))
		pages := s3.NewListBucketsPaginator(api, &s3.ListBucketsInput{Prefix: aws.String(prefix)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				errs = append(errs, fmt.Errorf("listing the buckets of %s: %w", account.ID, err))
				break
			}
			for _, b := range page.Buckets {
				regional := api
				if region := aws.ToString(b.BucketRegion); region != "" && region != Region {
					regional = s3.NewFromConfig(a.Config(account, region))
				}
				if err := dropBucket(ctx, regional, aws.ToString(b.Name)); err != nil {
					errs = append(errs, fmt.Errorf("bucket %s: %w", aws.ToString(b.Name), err))
				}
			}
		}
	}
	return errors.Join(errs...)
}

func dropBucket(ctx context.Context, api *s3.Client, name string) error {
	bucket := aws.String(name)
	// A policy that denies everything would stop its owner too.
	if _, err := api.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: bucket}); err != nil && code(err) != "NoSuchBucket" {
		return fmt.Errorf("deleting the policy: %w", err)
	}
	payer := &types.RequestPaymentConfiguration{Payer: types.PayerBucketOwner}
	_, err := api.PutBucketRequestPayment(ctx, &s3.PutBucketRequestPaymentInput{Bucket: bucket, RequestPaymentConfiguration: payer})
	if err != nil && code(err) != "NoSuchBucket" {
		return fmt.Errorf("taking over the payment: %w", err)
	}
	lock, err := api.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: bucket})
	locked := err == nil && lock.ObjectLockConfiguration != nil
	pages := s3.NewListObjectVersionsPaginator(api, &s3.ListObjectVersionsInput{Bucket: bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("listing it: %w", err)
		}
		for _, v := range page.Versions {
			if err := dropVersion(ctx, api, name, v.Key, v.VersionId, locked); err != nil {
				return err
			}
		}
		for _, m := range page.DeleteMarkers {
			if err := dropVersion(ctx, api, name, m.Key, m.VersionId, locked); err != nil {
				return err
			}
		}
	}
	uploads := s3.NewListMultipartUploadsPaginator(api, &s3.ListMultipartUploadsInput{Bucket: bucket})
	for uploads.HasMorePages() {
		page, err := uploads.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("listing its uploads: %w", err)
		}
		for _, u := range page.Uploads {
			if _, err := api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: u.Key, UploadId: u.UploadId}); err != nil {
				return fmt.Errorf("aborting an upload: %w", err)
			}
		}
	}
	_, err = api.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket})
	return err
}

func dropVersion(ctx context.Context, api *s3.Client, bucket string, key, version *string, locked bool) error {
	in := &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: key, VersionId: version}
	if locked {
		in.BypassGovernanceRetention = aws.Bool(true)
	}
	if _, err := api.DeleteObject(ctx, in); err != nil {
		return fmt.Errorf("deleting %s: %w", aws.ToString(key), err)
	}
	return nil
}
