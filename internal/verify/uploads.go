package verify

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// uploads aborts the multipart uploads that a run starts, and records them while
// they are open, so that a crash leaves none behind.
type uploads struct {
	*arrangement
	leftovers Leftovers           // nil: none is recorded
	records   map[string]Leftover // by upload id
	open      string              // id of the probe while it is open
}

// abort aborts the probe, if it is open.
func (u *uploads) abort(ctx context.Context, api *s3.Client) error {
	if u.open == "" {
		return nil
	}
	id := u.open
	u.open = ""
	return u.abortUpload(ctx, api, u.createInput(), id)
}

// opened records an upload that S3 has started.
func (u *uploads) opened(in *s3.CreateMultipartUploadInput, id string) {
	if u.leftovers != nil {
		u.records[id] = u.leftovers.Remember(u.dest.Name, aws.ToString(in.Bucket), aws.ToString(in.Key), id)
	}
}

// abortUpload aborts the upload that in started, with a deadline of its own: the
// caller may be gone.
func (u *uploads) abortUpload(ctx context.Context, api *s3.Client, begun *s3.CreateMultipartUploadInput, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	_, err := api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: begun.Bucket, Key: begun.Key, UploadId: aws.String(id), ExpectedBucketOwner: begun.ExpectedBucketOwner,
		RequestPayer: begun.RequestPayer,
	})
	var gone *types.NoSuchUpload
	if errors.As(err, &gone) {
		err = nil
	}
	if record := u.records[id]; record != nil {
		record.End(err == nil)
		delete(u.records, id)
	}
	return err
}
