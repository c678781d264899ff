package recorded

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// The states that many rows share.

// str and num are short for the pointers of SDK inputs.
func str(s string) *string { return aws.String(s) }

func num(n int32) *int32 { return aws.Int32(n) }

// put stores an object.
func put(key, text string, opts ...Option) Step {
	return s3Do((*s3.Client).PutObject, s3.PutObjectInput{Key: str(key)}, append(opts, object(text))...)
}

func versioning(status types.BucketVersioningStatus) Step {
	return s3Do((*s3.Client).PutBucketVersioning, s3.PutBucketVersioningInput{
		VersioningConfiguration: &types.VersioningConfiguration{Status: status},
	})
}

func versioned() Step { return versioning(types.BucketVersioningStatusEnabled) }

func suspended() Step { return versioning(types.BucketVersioningStatusSuspended) }

// remove deletes the newest version of a key, or puts a delete marker on it.
func remove(key string, opts ...Option) Step {
	return s3Do((*s3.Client).DeleteObject, s3.DeleteObjectInput{Key: str(key)}, opts...)
}

// made creates $BUCKET as the request says.
func made(change func(*s3.CreateBucketInput)) Step {
	return Step{operation: "s3:CreateBucket", do: func(ctx context.Context, r *run) error {
		in := s3.CreateBucketInput{Bucket: aws.String(r.vars["NAME"])}
		if r.target.Region != "us-east-1" {
			in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(r.target.Region)}
		}
		change(&in)
		if err := s3Do((*s3.Client).CreateBucket, in).do(ctx, r); err != nil {
			return err
		}
		r.vars["BUCKET"] = r.vars["NAME"]
		return nil
	}}
}

func locked() Step {
	return made(func(in *s3.CreateBucketInput) { in.ObjectLockEnabledForBucket = aws.Bool(true) })
}

// begun starts a multipart upload, whose id is $UPLOAD.
func begun(key string, opts ...Option) Step {
	return s3Do((*s3.Client).CreateMultipartUpload, s3.CreateMultipartUploadInput{Key: str(key)}, append(opts, keep("UPLOAD", "UploadId"))...)
}

// part stores part 1 of $UPLOAD, whose ETag is $ETAG.
func part(key, text string, opts ...Option) Step {
	return s3Do((*s3.Client).UploadPart, s3.UploadPartInput{Key: str(key), UploadId: str("$UPLOAD"), PartNumber: num(1)},
		append(opts, object(text), keep("ETAG", "ETag"))...)
}

// parts are the parts that CompleteMultipartUpload names, in this order.
func parts(named ...types.CompletedPart) *types.CompletedMultipartUpload {
	return &types.CompletedMultipartUpload{Parts: named}
}

func numberedPart(n int32, tag string) types.CompletedPart {
	return types.CompletedPart{PartNumber: num(n), ETag: str(tag)}
}

// complete completes $UPLOAD of part 1.
func complete(key string, opts ...Option) Step {
	return s3Do((*s3.Client).CompleteMultipartUpload, s3.CompleteMultipartUploadInput{
		Key: str(key), UploadId: str("$UPLOAD"), MultipartUpload: parts(numberedPart(1, "$ETAG")),
	}, opts...)
}

// A policy is one statement between these.
const policyHead, policyTail = `{"Version":"2012-10-17","Statement":[`, `]}`

// Short forms of reads.

func get(key string, opts ...Option) Step {
	return s3Do((*s3.Client).GetObject, s3.GetObjectInput{Key: str(key)}, opts...)
}

func getVersion(key, version string, opts ...Option) Step {
	return s3Do((*s3.Client).GetObject, s3.GetObjectInput{Key: str(key), VersionId: str(version)}, opts...)
}

func head(key string, opts ...Option) Step {
	return s3Do((*s3.Client).HeadObject, s3.HeadObjectInput{Key: str(key)}, opts...)
}

func list(opts ...Option) Step {
	return s3Do((*s3.Client).ListObjectsV2, s3.ListObjectsV2Input{}, opts...)
}

func removeVersion(key, version string, opts ...Option) Step {
	return s3Do((*s3.Client).DeleteObject, s3.DeleteObjectInput{Key: str(key), VersionId: str(version)}, opts...)
}

// copied copies from, of $BUCKET, to the key.
func copied(from, to string, opts ...Option) Step {
	return s3Do((*s3.Client).CopyObject, s3.CopyObjectInput{Key: str(to), CopySource: str("$BUCKET/" + from)}, opts...)
}

// many joins steps and lists of them.
func many(steps ...Step) []Step { return steps }
