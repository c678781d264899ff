package misconfig

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/testbed"
)

// requestMistakes are mistakes of the request, or of a bucket that it does not fit.
func requestMistakes() []Mistake {
	mustBeNamed := bucketStatement(denyAll(`{"StringNotEquals":{"s3:x-amz-server-side-encryption-aws-kms-key-id":"KEY"}}`))
	return []Mistake{
		{Number: 22, Name: "the bucket policy wants the encryption headers, and the client relies on the default", Make: mustBeNamed,
			Code: "AccessDenied", Status: 403, Text: bare,
			Try: put(func(in *s3.PutObjectInput) {
				in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled = "", nil, nil
			})},
		{Number: 22, Name: "the same, and they are sent", Make: mustBeNamed},
		{Number: 31, Name: "the request asks for SSE-S3", Code: "AccessDenied", Status: 403, Text: bare,
			Try: put(func(in *s3.PutObjectInput) {
				in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled = s3types.ServerSideEncryptionAes256, nil, nil
			})},
		{Number: 32, Name: "the request names the key by its id, and the policy wants the ARN", Code: "AccessDenied", Status: 403, Text: bare,
			Try: func(ctx context.Context, a *Actor) error {
				return a.Put(ctx, func(in *s3.PutObjectInput) {
					in.SSEKMSKeyId = aws.String(a.KeyARN[strings.LastIndex(a.KeyARN, "/")+1:])
				})
			}},
		{Number: 35, Name: "an ACL on a bucket that enforces ownership", Make: allowACL, Code: "AccessControlListNotSupported", Status: 400,
			Text: "The bucket does not allow ACLs",
			Try:  put(func(in *s3.PutObjectInput) { in.ACL = s3types.ObjectCannedACLPublicRead })},
		{Number: 36, Name: "tags without s3:PutObjectTagging", Code: "AccessDenied", Status: 403, Text: bare,
			Try: put(func(in *s3.PutObjectInput) { in.Tagging = aws.String("team=logs") })},
		{Number: 36, Name: "an ACL without s3:PutObjectAcl", Code: "AccessDenied", Status: 403, Text: bare,
			Try: put(func(in *s3.PutObjectInput) { in.ACL = s3types.ObjectCannedACLBucketOwnerFullControl })},
		{Number: 36, Name: "retention without s3:PutObjectRetention", Make: lockable, Code: "AccessDenied", Status: 403, Text: bare,
			Try: put(func(in *s3.PutObjectInput) { lockUntil(in, time.Now().Add(time.Hour)) })},
		{Number: 39, Name: "the bucket is not of the expected owner", Code: "AccessDenied", Status: 403, Text: bare,
			Try: func(ctx context.Context, a *Actor) error {
				return a.Put(ctx, func(in *s3.PutObjectInput) { in.ExpectedBucketOwner = aws.String(a.AccountA) })
			}},
		{Number: 40, Name: "the bucket's name is wrong", Code: "NoSuchBucket", Status: 404, Text: "The specified bucket does not exist",
			Try: put(func(in *s3.PutObjectInput) { in.Bucket = aws.String(*in.Bucket + "s") })},
		{Number: 41, Name: "signed for another Region", Code: "PermanentRedirect", Status: 301,
			Text: "The bucket you are attempting to access must be addressed using the specified endpoint. " +
				"Please send all future requests to this endpoint.", Try: inRegion("eu-central-1")},
		{Number: 41, Name: "signed for the global endpoint", Code: "AuthorizationHeaderMalformed", Status: 400,
			Text: "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'", Try: inRegion("us-east-1")},
		{Number: 41, Name: "a bucket made for another Region than the endpoint's", Code: "IllegalLocationConstraintException", Status: 400,
			Text: "The eu-central-1 location constraint is incompatible for the region specific endpoint this request was sent to.",
			Try: func(ctx context.Context, a *Actor) error {
				_, err := a.S3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("elsewhere"),
					CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraintEuCentral1}})
				return err
			}},
	}
}

func inRegion(region string) func(context.Context, *Actor) error {
	return func(ctx context.Context, a *Actor) error {
		_, err := a.S3In(region).PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(a.Bucket), Key: aws.String("logs/mistake"),
			Body: strings.NewReader("x")})
		return err
	}
}

// lockable turns the bucket into one with object lock.
func lockable(ctx context.Context, w *testbed.World) error {
	bucket := aws.String(w.Bucket)
	if _, err := w.S3.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: bucket,
		VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusEnabled}}); err != nil {
		return err
	}
	_, err := w.S3.PutObjectLockConfiguration(ctx,
		&s3.PutObjectLockConfigurationInput{Bucket: bucket,
			ObjectLockConfiguration: &s3types.ObjectLockConfiguration{ObjectLockEnabled: s3types.ObjectLockEnabledEnabled}})
	return err
}
