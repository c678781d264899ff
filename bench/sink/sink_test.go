package sink_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/brokerd/brokerd/bench/sink"
)

const key = "arn:aws:kms:eu-west-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"

func TestPutObjectIsAnsweredWithWhatWasAskedFor(t *testing.T) {
	s := newStand(t, sink.Options{})
	out, err := s.s3().PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("b"), Key: aws.String("a/b c"), Body: strings.NewReader("hello"), ChecksumCRC32C: aws.String("mnG7TA=="),
		ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: aws.String(key), BucketKeyEnabled: aws.Bool(true),
	})
	if err != nil {
		t.Fatal(err)
	}
	if aws.ToString(out.ChecksumCRC32C) != "mnG7TA==" || out.ServerSideEncryption != types.ServerSideEncryptionAwsKms ||
		aws.ToString(out.SSEKMSKeyId) != key || !aws.ToBool(out.BucketKeyEnabled) || aws.ToString(out.ETag) == "" {
		t.Errorf("the answer differs from what was asked for: %+v", out)
	}
	head, err := s.s3().HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("b"), Key: aws.String("a/b c")})
	if err != nil {
		t.Fatal(err)
	}
	if aws.ToInt64(head.ContentLength) != 5 || aws.ToString(head.ETag) != aws.ToString(out.ETag) || aws.ToString(head.SSEKMSKeyId) != key {
		t.Errorf("the object is told differently afterwards: %+v", head)
	}
	if c := s.count(t); c.Objects != 1 || c.Bytes != 5 || c.Requests != 2 {
		t.Errorf("counted %+v", c)
	}
}

// unseekable hides everything but Read: the SDK then sends aws-chunked with a trailer.
type unseekable struct{ io.Reader }

func TestTransferEncodingIsNoPartOfTheObject(t *testing.T) {
	s := newStand(t, sink.Options{})
	const size = 3 << 20
	if _, err := s.s3().PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("b"), Key: aws.String("k"), ContentLength: aws.Int64(size), Body: unseekable{bytes.NewReader(make([]byte, size))},
	}); err != nil {
		t.Fatal(err)
	}
	if c := s.count(t); c.Objects != 1 || c.Bytes != size {
		t.Errorf("counted %+v, not one object of %d bytes", c, size)
	}
}

func TestShortBodyIsNoObject(t *testing.T) {
	s := newStand(t, sink.Options{})
	req, err := http.NewRequest(http.MethodPut, s.URL+"/b/k", unseekable{strings.NewReader("too short")})
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = 100
	if resp, err := s.http.Do(req); err == nil {
		_ = resp.Body.Close()
		t.Fatalf("a body that ended early was answered with %s", resp.Status)
	}
	if c := s.count(t); c.Objects != 0 || c.Bytes != 0 {
		t.Errorf("counted %+v", c)
	}
}

func TestMultipartUpload(t *testing.T) {
	s := newStand(t, sink.Options{})
	client := s.s3()
	created, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
		Bucket: aws.String("b"), Key: aws.String("k"), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c,
		ChecksumType: types.ChecksumTypeFullObject, ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: aws.String(key),
	})
	if err != nil {
		t.Fatal(err)
	}
	if aws.ToString(created.SSEKMSKeyId) != key || created.ChecksumType != types.ChecksumTypeFullObject {
		t.Errorf("created: %+v", created)
	}
	var parts []types.CompletedPart
	for n := int32(1); n <= 2; n++ {
		sent, err := client.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket: aws.String("b"), Key: aws.String("k"), UploadId: created.UploadId, PartNumber: aws.Int32(n),
			Body: strings.NewReader("hello"), ChecksumCRC32C: aws.String("mnG7TA=="),
		})
		if err != nil {
			t.Fatal(err)
		}
		if aws.ToString(sent.ChecksumCRC32C) != "mnG7TA==" || aws.ToString(sent.SSEKMSKeyId) != key {
			t.Errorf("part %d: %+v", n, sent)
		}
		parts = append(parts, types.CompletedPart{PartNumber: aws.Int32(n), ETag: sent.ETag, ChecksumCRC32C: sent.ChecksumCRC32C})
	}
	if c := s.count(t); c.Objects != 0 {
		t.Errorf("an upload that is open counts as an object: %+v", c)
	}
	complete := func(size int64, parts ...types.CompletedPart) (*s3.CompleteMultipartUploadOutput, error) {
		return client.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
			Bucket: aws.String("b"), Key: aws.String("k"), UploadId: created.UploadId,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}, ChecksumCRC32C: aws.String("AAAAAA=="),
			ChecksumType: types.ChecksumTypeFullObject, MpuObjectSize: aws.Int64(size),
		})
	}
	if _, err := complete(10, parts[1], parts[0]); codeOf(err) != "InvalidPartOrder" {
		t.Errorf("parts in disorder: %v", err)
	}
	if _, err := complete(15, append(parts, types.CompletedPart{PartNumber: aws.Int32(3),
		ETag: parts[0].ETag})...); codeOf(err) != "InvalidPart" {
		t.Errorf("a part that was not sent: %v", err)
	}
	if _, err := complete(9, parts...); codeOf(err) != "InvalidRequest" {
		t.Errorf("a size that differs: %v", err)
	}
	done, err := complete(10, parts...)
	if err != nil {
		t.Fatal(err)
	}
	if aws.ToString(done.ChecksumCRC32C) != "AAAAAA==" || done.ChecksumType != types.ChecksumTypeFullObject ||
		done.ServerSideEncryption != types.ServerSideEncryptionAwsKms || aws.ToString(done.SSEKMSKeyId) != key {
		t.Errorf("completed: %+v", done)
	}
	if c := s.count(t); c.Objects != 1 || c.Bytes != 10 {
		t.Errorf("counted %+v", c)
	}
	if _, err := complete(10, parts...); codeOf(err) != "NoSuchUpload" {
		t.Errorf("an upload that is complete: %v", err)
	}
}

func TestAbortedUploadIsGone(t *testing.T) {
	s := newStand(t, sink.Options{})
	created, err := s.s3().CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String("b"), Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	abort := &s3.AbortMultipartUploadInput{Bucket: aws.String("b"), Key: aws.String("k"), UploadId: created.UploadId}
	if _, err := s.s3().AbortMultipartUpload(t.Context(), abort); err != nil {
		t.Fatal(err)
	}
	if _, err := s.s3().AbortMultipartUpload(t.Context(), abort); codeOf(err) != "NoSuchUpload" {
		t.Errorf("aborted twice: %v", err)
	}
	if c := s.count(t); c.Objects != 0 {
		t.Errorf("counted %+v", c)
	}
}

func TestWhatIsNotThereOrNotNeeded(t *testing.T) {
	s := newStand(t, sink.Options{})
	if _, err := s.s3().HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("b"),
		Key: aws.String("k")}); codeOf(err) != "NotFound" {
		t.Errorf("HeadObject of nothing: %v", err)
	}
	list, err := s.s3().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("b"), Prefix: aws.String("p/")})
	if err != nil || len(list.Contents) != 0 || aws.ToBool(list.IsTruncated) {
		t.Errorf("listing: %+v, %v", list, err)
	}
	if _, err := s.s3().GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("b"),
		Key: aws.String("k")}); codeOf(err) != "NotImplemented" {
		t.Errorf("GetObject: %v", err)
	}
}

func TestAssumeRoleGivesASession(t *testing.T) {
	s := newStand(t, sink.Options{})
	out, err := sts.NewFromConfig(s.aws).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::111122223333:role/up"), RoleSessionName: aws.String("brokerd-logs"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := aws.ToString(out.AssumedRoleUser.Arn); got != "arn:aws:sts::111122223333:assumed-role/up/brokerd-logs" {
		t.Errorf("the session is of %s", got)
	}
	if left := time.Until(aws.ToTime(out.Credentials.Expiration)); left < 30*time.Minute || left > time.Hour {
		t.Errorf("the session lives %s", left)
	}
	if aws.ToString(out.Credentials.SessionToken) == "" || aws.ToString(out.Credentials.AccessKeyId) == "" {
		t.Error("the session has no keys")
	}
}

func TestCountWaitsForObjects(t *testing.T) {
	s := sink.New(sink.Options{})
	waiting := make(chan error, 1)
	go func() { waiting <- s.Wait(t.Context(), 3) }()
	for i := range 3 {
		select {
		case err := <-waiting:
			t.Fatalf("the wait for three objects ended with %d there: %v", i, err)
		default:
		}
		put(t, s, i)
	}
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Wait(ctx, 4); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that was given up: %v", err)
	}
}

func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return fmt.Sprint(err)
}
