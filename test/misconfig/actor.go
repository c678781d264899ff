package misconfig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/testbed"
)

// Actor is the application of account A, with a session of the role: it asks
// for what meets a mistake.
type Actor struct {
	*testbed.World
	App     aws.CredentialsProvider // the application's user
	Session aws.CredentialsProvider // the role's session
	http    *awshttp.BuildableClient
	// Endpoint is where requests go; another one than the sandbox's for VPC endpoints.
	// Empty: where the SDK finds AWS.
	Endpoint string
}

// NewActor gives the application keys and a session in accounts that work.
func NewActor(ctx context.Context, w *testbed.World) (*Actor, error) {
	client, err := awsclient.New(config.AWS{CABundle: w.CAPath})
	if err != nil {
		return nil, err
	}
	key, err := w.IAM.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String(w.UserName)})
	if err != nil {
		return nil, fmt.Errorf("making a key for the application: %w", err)
	}
	a := &Actor{
		World: w, http: client,
		App: credentials.NewStaticCredentialsProvider(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey, ""),
	}
	if w.Sandbox != nil {
		a.Endpoint = w.Sandbox.Endpoint()
		if err := a.Begin(ctx); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Begin assumes the role, whose session is then Session. On real accounts a new
// role is known after seconds: repeat it there.
func (a *Actor) Begin(ctx context.Context) error {
	out, err := a.Assume(ctx, nil)
	if err != nil {
		return fmt.Errorf("assuming the role: %w", err)
	}
	a.Session = credentials.NewStaticCredentialsProvider(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey,
		*out.Credentials.SessionToken)
	return nil
}

// Config is an SDK configuration without retries.
func (a *Actor) Config(creds aws.CredentialsProvider, region string) aws.Config {
	c := aws.Config{
		Region: region, HTTPClient: a.http, Credentials: creds,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		Retryer:                    func() aws.Retryer { return aws.NopRetryer{} },
	}
	if a.Endpoint != "" {
		c.BaseEndpoint = aws.String(a.Endpoint)
	}
	return c
}

// S3In is S3 under the role's session, signed for a Region.
func (a *Actor) S3In(region string) *s3.Client {
	return s3.NewFromConfig(a.Config(a.Session, region), func(o *s3.Options) { o.UsePathStyle = true })
}

// Assume assumes the role as the application; change may alter the request.
func (a *Actor) Assume(ctx context.Context, change func(*sts.AssumeRoleInput)) (*sts.AssumeRoleOutput, error) {
	in := &sts.AssumeRoleInput{RoleArn: aws.String(a.Dest.Role), RoleSessionName: aws.String("brokerd")}
	if change != nil {
		change(in)
	}
	return sts.NewFromConfig(a.Config(a.App, a.Dest.Region)).AssumeRole(ctx, in)
}

// Put stores an object as brokerd does; change may alter the request.
func (a *Actor) Put(ctx context.Context, change func(*s3.PutObjectInput)) error {
	in := &s3.PutObjectInput{
		Bucket: aws.String(a.Dest.Bucket), Key: aws.String("logs/mistake"), Body: bytes.NewReader([]byte("a line")),
		ExpectedBucketOwner: aws.String(a.Dest.Owner), ServerSideEncryption: s3types.ServerSideEncryptionAwsKms,
		SSEKMSKeyId: aws.String(a.KeyARN), BucketKeyEnabled: aws.Bool(true),
	}
	if change != nil {
		change(in)
	}
	_, err := a.S3In(a.Dest.Region).PutObject(ctx, in)
	return err
}

var errBegun = errors.New("beginning the upload was expected to work")

// Part begins a multipart upload and stores one part of it.
func (a *Actor) Part(ctx context.Context) error {
	api := a.S3In(a.Dest.Region)
	out, err := api.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: aws.String(a.Dest.Bucket), Key: aws.String("logs/mistake"), ExpectedBucketOwner: aws.String(a.Dest.Owner),
		ServerSideEncryption: s3types.ServerSideEncryptionAwsKms, SSEKMSKeyId: aws.String(a.KeyARN), BucketKeyEnabled: aws.Bool(true),
	})
	if err != nil {
		return fmt.Errorf("%w: %w", errBegun, err)
	}
	_, err = api.UploadPart(ctx, &s3.UploadPartInput{Bucket: out.Bucket, Key: out.Key, UploadId: out.UploadId, PartNumber: aws.Int32(1),
		Body: strings.NewReader("1")})
	return err
}

// Empty removes every version and upload from the bucket.
func Empty(ctx context.Context, w *testbed.World) error {
	versions, err := w.S3.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: aws.String(w.Bucket)})
	if err != nil {
		return fmt.Errorf("listing the bucket: %w", err)
	}
	for _, v := range versions.Versions {
		if _, err := w.S3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(w.Bucket), Key: v.Key, VersionId: v.VersionId}); err != nil {
			return fmt.Errorf("deleting %s: %w", aws.ToString(v.Key), err)
		}
	}
	uploads, err := w.S3.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: aws.String(w.Bucket)})
	if err != nil {
		return fmt.Errorf("listing the uploads: %w", err)
	}
	for _, u := range uploads.Uploads {
		if _, err := w.S3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
			Bucket: aws.String(w.Bucket), Key: u.Key, UploadId: u.UploadId,
		}); err != nil {
			return fmt.Errorf("aborting the upload of %s: %w", aws.ToString(u.Key), err)
		}
	}
	return nil
}
