package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	tmtypes "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/bench/load"
)

// way returns the function with which the named peer puts an object, with the defaults
// of that peer.
func (s store) way(name string, client *s3.Client) (load.Put, error) {
	switch name {
	case "sdk":
		return s.opened(func(ctx context.Context, in *s3.PutObjectInput) error {
			_, err := client.PutObject(ctx, in)
			return err
		}), nil
	case "manager":
		uploader := manager.NewUploader(client) //nolint:staticcheck // deprecated, and what most applications use
		return s.opened(func(ctx context.Context, in *s3.PutObjectInput) error {
			in.ContentLength = nil             // the manager finds the length itself
			_, err := uploader.Upload(ctx, in) //nolint:staticcheck // as above
			return err
		}), nil
	case "transfermanager":
		uploader := transfermanager.New(client)
		return s.opened(func(ctx context.Context, in *s3.PutObjectInput) error {
			_, err := uploader.UploadObject(ctx, &transfermanager.UploadObjectInput{
				Bucket: in.Bucket, Key: in.Key, Body: in.Body, ExpectedBucketOwner: in.ExpectedBucketOwner,
				ServerSideEncryption: tmtypes.ServerSideEncryption(in.ServerSideEncryption),
				SSEKMSKeyID:          in.SSEKMSKeyId, BucketKeyEnabled: in.BucketKeyEnabled,
			})
			return err
		}), nil
	}
	return nil, fmt.Errorf("-way %q: sdk, manager or transfermanager", name)
}

// opened requests the same encryption as brokerd, so that the requests are comparable.
func (s store) opened(put func(context.Context, *s3.PutObjectInput) error) load.Put {
	return func(ctx context.Context, o load.Object) error {
		body, end, err := o.Open()
		if err != nil {
			return err
		}
		defer end()
		return put(ctx, &s3.PutObjectInput{
			Bucket: aws.String(s.bucket), Key: aws.String(o.Name), Body: body, ContentLength: aws.Int64(o.Size),
			ExpectedBucketOwner: aws.String(s.owner), ServerSideEncryption: types.ServerSideEncryptionAwsKms,
			SSEKMSKeyId: aws.String(s.key), BucketKeyEnabled: aws.Bool(true),
		})
	}
}
