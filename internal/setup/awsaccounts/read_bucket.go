package awsaccounts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/setup"
)

// bucketReader reads one bucket. Every call names the expected owner: a bucket of
// the same name in other hands is not read, let alone written.
type bucketReader struct {
	api         *s3.Client
	name, owner *string
}

func (a *Accounts) readBucket(ctx context.Context, ref setup.BucketRef, unfinished bool) *setup.BucketAt {
	b := &setup.BucketAt{Name: ref.Name}
	acc, err := a.account(ref.Account)
	if err != nil {
		unreadBucket(b, err.Error())
		return b
	}
	r := bucketReader{a.s3(acc, ref.Region), aws.String(ref.Name), aws.String(ref.Account)}
	head, err := r.api.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: r.name, ExpectedBucketOwner: r.owner})
	switch code := codeOf(err); {
	case code == "NotFound" || code == "NoSuchBucket":
		absentBucket(b)
	case err != nil:
		unreadBucket(b, headReason(err, ref))
	default:
		b.Info = setup.KnownPart(setup.BucketInfo{Region: aws.ToString(head.BucketRegion)})
		r.parts(ctx, b)
		if unfinished {
			b.Unfinished = r.unfinished(ctx)
		}
	}
	b.AccountPublicAccess = a.readAccountBlock(ctx, acc, ref.Region)
	return b
}

// headReason explains an answer that has no body.
func headReason(err error, ref setup.BucketRef) string {
	switch codeOf(err) {
	case "Forbidden", "AccessDenied":
		return fmt.Sprintf("access denied: the credentials may not look at bucket %s, or it does not belong to account %s", ref.Name, ref.Account)
	case "MovedPermanently", "PermanentRedirect", "301":
		return fmt.Sprintf("bucket %s is in another Region than %s", ref.Name, ref.Region)
	}
	return reasonOf(err)
}

func (r bucketReader) parts(ctx context.Context, b *setup.BucketAt) {
	b.Policy = ask(func() (string, error) {
		out, err := r.api.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: r.name, ExpectedBucketOwner: r.owner})
		if err != nil {
			return "", err
		}
		return aws.ToString(out.Policy), nil
	}, "NoSuchBucketPolicy")
	b.PublicAccess = ask(func() (setup.PublicAccess, error) {
		out, err := r.api.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: r.name, ExpectedBucketOwner: r.owner})
		if err != nil {
			return setup.PublicAccess{}, err
		}
		c := out.PublicAccessBlockConfiguration
		return setup.PublicAccess{
			BlockPublicACLs: aws.ToBool(c.BlockPublicAcls), IgnorePublicACLs: aws.ToBool(c.IgnorePublicAcls),
			BlockPublicPolicy: aws.ToBool(c.BlockPublicPolicy), RestrictPublicBuckets: aws.ToBool(c.RestrictPublicBuckets),
		}, nil
	}, "NoSuchPublicAccessBlockConfiguration")
	b.Ownership = ask(func() (string, error) {
		out, err := r.api.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: r.name, ExpectedBucketOwner: r.owner})
		if err != nil {
			return "", err
		}
		for _, rule := range out.OwnershipControls.Rules {
			return string(rule.ObjectOwnership), nil
		}
		return "", errors.New("S3 sent ownership controls without a rule")
	}, "OwnershipControlsNotFoundError")
	b.Encryption = ask(func() (setup.Encryption, error) {
		out, err := r.api.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: r.name, ExpectedBucketOwner: r.owner})
		if err != nil {
			return setup.Encryption{}, err
		}
		for _, rule := range out.ServerSideEncryptionConfiguration.Rules {
			if by := rule.ApplyServerSideEncryptionByDefault; by != nil {
				return setup.Encryption{
					Algorithm: string(by.SSEAlgorithm),
					KeyARN:    aws.ToString(by.KMSMasterKeyID),
					BucketKey: aws.ToBool(rule.BucketKeyEnabled),
				}, nil
			}
		}
		return setup.Encryption{}, errors.New("S3 sent a default encryption without a rule")
	}, "ServerSideEncryptionConfigurationNotFoundError")
	b.Lifecycle = ask(func() ([]setup.LifecycleRule, error) {
		out, err := r.api.GetBucketLifecycleConfiguration(
			ctx,
			&s3.GetBucketLifecycleConfigurationInput{Bucket: r.name, ExpectedBucketOwner: r.owner},
		)
		if err != nil {
			return nil, err
		}
		return lifecycleRules(out.Rules)
	}, "NoSuchLifecycleConfiguration")
	b.Logging = ask(func() (setup.Logging, error) {
		out, err := r.api.GetBucketLogging(ctx, &s3.GetBucketLoggingInput{Bucket: r.name, ExpectedBucketOwner: r.owner})
		if err != nil || out.LoggingEnabled == nil {
			return setup.Logging{}, err
		}
		return setup.Logging{Bucket: aws.ToString(out.LoggingEnabled.TargetBucket), Prefix: aws.ToString(out.LoggingEnabled.TargetPrefix)}, nil
	})
	if b.Logging.Is() && b.Logging.Value.Bucket == "" {
		b.Logging = setup.AbsentPart[setup.Logging]()
	}
}

// unfinished lists multipart uploads of the whole bucket; the plan picks those below its prefixes.
func (r bucketReader) unfinished(ctx context.Context) setup.Part[[]setup.UnfinishedUpload] {
	return ask(func() ([]setup.UnfinishedUpload, error) {
		out, err := r.api.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: r.name, ExpectedBucketOwner: r.owner})
		if err != nil {
			return nil, err
		}
		uploads := []setup.UnfinishedUpload{}
		for _, u := range out.Uploads {
			uploads = append(
				uploads,
				setup.UnfinishedUpload{Key: aws.ToString(u.Key), UploadID: aws.ToString(u.UploadId), Initiated: aws.ToTime(u.Initiated)},
			)
		}
		return uploads, nil
	})
}

// lifecycleRules keeps every rule whole, as JSON: foreign ones are written back
// as they are.
func lifecycleRules(rules []types.LifecycleRule) ([]setup.LifecycleRule, error) {
	out := []setup.LifecycleRule{}
	for _, rule := range rules {
		raw, err := json.Marshal(rule)
		if err != nil {
			return nil, fmt.Errorf("keeping lifecycle rule %s: %w", aws.ToString(rule.ID), err)
		}
		r := setup.LifecycleRule{ID: aws.ToString(rule.ID), Enabled: rule.Status == types.ExpirationStatusEnabled, Raw: raw}
		r.Whole = true
		if f := rule.Filter; f != nil {
			r.Prefix = aws.ToString(f.Prefix)
			r.Whole = f.And == nil && f.Tag == nil && f.ObjectSizeGreaterThan == nil && f.ObjectSizeLessThan == nil
		}
		r.Only = rule.Filter != nil && rule.Expiration == nil && rule.NoncurrentVersionExpiration == nil &&
			len(rule.NoncurrentVersionTransitions)+len(rule.Transitions) == 0
		if rule.AbortIncompleteMultipartUpload != nil {
			r.AbortIncompleteDays = int(aws.ToInt32(rule.AbortIncompleteMultipartUpload.DaysAfterInitiation))
		}
		out = append(out, r)
	}
	return out, nil
}

func unreadBucket(b *setup.BucketAt, reason string) {
	b.Info = setup.UnreadPart[setup.BucketInfo](reason)
	b.Policy = setup.UnreadPart[string](reason)
	b.PublicAccess = setup.UnreadPart[setup.PublicAccess](reason)
	b.AccountPublicAccess = setup.UnreadPart[setup.PublicAccess](reason)
	b.Ownership = setup.UnreadPart[string](reason)
	b.Encryption = setup.UnreadPart[setup.Encryption](reason)
	b.Lifecycle = setup.UnreadPart[[]setup.LifecycleRule](reason)
	b.Logging = setup.UnreadPart[setup.Logging](reason)
	b.Unfinished = setup.UnreadPart[[]setup.UnfinishedUpload](reason)
}

func absentBucket(b *setup.BucketAt) {
	b.Info = setup.AbsentPart[setup.BucketInfo]()
	b.Policy = setup.AbsentPart[string]()
	b.PublicAccess = setup.AbsentPart[setup.PublicAccess]()
	b.Ownership = setup.AbsentPart[string]()
	b.Encryption = setup.AbsentPart[setup.Encryption]()
	b.Lifecycle = setup.AbsentPart[[]setup.LifecycleRule]()
	b.Logging = setup.AbsentPart[setup.Logging]()
}
