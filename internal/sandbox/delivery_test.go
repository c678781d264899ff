package sandbox_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/brokerd/brokerd/internal/sandbox"
)

func crc32c(data []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))))
}

func TestCallerIdentityNamesTheSession(t *testing.T) {
	w := newWorld(t)
	got := must[*sts.GetCallerIdentityOutput](t)(w.uploader.sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))
	if want := "arn:aws:sts::" + accountA + ":assumed-role/CrossAccountS3Uploader/brokerd"; *got.Arn != want || *got.Account != accountA {
		t.Errorf("identity is %s in %s, want %s", *got.Arn, *got.Account, want)
	}
}

func TestPutAcrossAccounts(t *testing.T) {
	w := newWorld(t)
	body := []byte("hello from account A\n")
	out := must[*s3.PutObjectOutput](t)(w.uploader.s3.PutObject(t.Context(), w.put("logs/one", body)))
	if out.ServerSideEncryption != s3types.ServerSideEncryptionAwsKms || aws.ToString(out.SSEKMSKeyId) != w.key ||
		!aws.ToBool(out.BucketKeyEnabled) {
		t.Errorf("encryption in the answer: %v %v %v", out.ServerSideEncryption, aws.ToString(out.SSEKMSKeyId), aws.ToBool(out.BucketKeyEnabled))
	}
	info, got := stored(t, w.sb, bucketB, "logs/one")
	if !bytes.Equal(got, body) {
		t.Errorf("stored %q", got)
	}
	want := sandbox.ObjectInfo{
		Bucket: bucketB, Key: "logs/one", Account: accountB, Size: int64(len(body)), VersionID: "null", Encryption: "aws:kms", KMSKeyARN: w.key,
		BucketKeyEnabled: true, ChecksumAlgorithm: "CRC32", Checksum: aws.ToString(out.ChecksumCRC32), ChecksumType: "FULL_OBJECT",
		Writer: "arn:aws:sts::" + accountA + ":assumed-role/CrossAccountS3Uploader/brokerd",
	}
	if d := cmp.Diff(want, info, cmpopts.IgnoreFields(sandbox.ObjectInfo{}, "ETag", "LastModified", "ContentType", "Metadata")); d != "" {
		t.Error(d)
	}
	var seen []string
	for _, c := range w.sb.Calls() {
		if c.Via != "" {
			seen = append(seen, c.Service+":"+c.Operation+" "+c.Decision+" via "+c.Via)
		}
	}
	if d := cmp.Diff([]string{"kms:GenerateDataKey allowed via s3.amazonaws.com"}, seen); d != "" {
		t.Error(d)
	}
}

func TestPutWithPrecomputedChecksum(t *testing.T) {
	w := newWorld(t)
	body := bytes.Repeat([]byte("0123456789abcdef"), 200<<10) // 3.1 MiB: goes to a file
	in := w.put("logs/big", body)
	in.ChecksumCRC32C = aws.String(crc32c(body))
	out := must[*s3.PutObjectOutput](t)(w.uploader.s3.PutObject(t.Context(), in))
	if aws.ToString(out.ChecksumCRC32C) != crc32c(body) || out.ChecksumType != s3types.ChecksumTypeFullObject {
		t.Errorf("checksum in the answer: %s %s", aws.ToString(out.ChecksumCRC32C), out.ChecksumType)
	}
	if _, got := stored(t, w.sb, bucketB, "logs/big"); !bytes.Equal(got, body) {
		t.Error("the stored bytes differ")
	}
	in = w.put("logs/bad", body)
	in.ChecksumCRC32C = aws.String(crc32c([]byte("something else")))
	_, err := w.uploader.s3.PutObject(t.Context(), in)
	if code(err) != "BadDigest" || status(err) != 400 {
		t.Errorf("a wrong checksum gave %v", err)
	}
	if _, _, err := w.sb.Object(bucketB, "logs/bad"); err == nil {
		t.Error("an object with a wrong checksum was stored")
	}
}

func TestMultipartAcrossAccounts(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	body := bytes.Repeat([]byte("multipart across two accounts!\n"), 400<<10)
	const part = 5 << 20
	create := must[*s3.CreateMultipartUploadOutput](t)(w.uploader.s3.CreateMultipartUpload(ctx, w.create("logs/multi")))
	if aws.ToString(create.SSEKMSKeyId) != w.key {
		t.Errorf("key in the answer: %s", aws.ToString(create.SSEKMSKeyId))
	}
	var parts []s3types.CompletedPart
	for i := 0; i*part < len(body); i++ {
		data := body[i*part : min(len(body), (i+1)*part)]
		out := must[*s3.UploadPartOutput](t)(w.uploader.s3.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: aws.String(bucketB), Key: aws.String("logs/multi"), UploadId: create.UploadId, PartNumber: aws.Int32(int32(i + 1)),
			Body: bytes.NewReader(data), ChecksumCRC32C: aws.String(crc32c(data)), ExpectedBucketOwner: aws.String(accountB),
		}))
		parts = append(parts, s3types.CompletedPart{PartNumber: aws.Int32(int32(i + 1)), ETag: out.ETag, ChecksumCRC32C: out.ChecksumCRC32C})
	}
	if open := w.sb.MultipartUploads(bucketB); len(open) != 1 || open[0].Parts != len(parts) || open[0].Bytes != int64(len(body)) {
		t.Errorf("open uploads: %+v", open)
	}
	done := must[*s3.CompleteMultipartUploadOutput](t)(w.uploader.s3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: aws.String(bucketB), Key: aws.String("logs/multi"), UploadId: create.UploadId,
		MultipartUpload: &s3types.CompletedMultipartUpload{Parts: parts}, ChecksumCRC32C: aws.String(crc32c(body)),
		ChecksumType: s3types.ChecksumTypeFullObject, MpuObjectSize: aws.Int64(int64(len(body))), IfNoneMatch: aws.String("*"),
		ExpectedBucketOwner: aws.String(accountB),
	}))
	if aws.ToString(done.ChecksumCRC32C) != crc32c(body) || aws.ToString(done.SSEKMSKeyId) != w.key {
		t.Errorf("answer: checksum %s key %s", aws.ToString(done.ChecksumCRC32C), aws.ToString(done.SSEKMSKeyId))
	}
	if _, got := stored(t, w.sb, bucketB, "logs/multi"); !bytes.Equal(got, body) {
		t.Error("the stored bytes differ")
	}
	if open := w.sb.MultipartUploads(bucketB); len(open) != 0 {
		t.Errorf("uploads left: %+v", open)
	}
	// The owner reads it back, whole and in part.
	get := must[*s3.GetObjectOutput](t)(
		w.rootB.s3.GetObject(ctx, &s3.GetObjectInput{
			Bucket: aws.String(bucketB), Key: aws.String("logs/multi"), Range: aws.String("bytes=5242870-5242889"),
		}),
	)
	data, err := io.ReadAll(get.Body)
	if err != nil || !bytes.Equal(data, body[5242870:5242890]) {
		t.Errorf("range across two parts: %q, %v", data, err)
	}
	if err := get.Body.Close(); err != nil {
		t.Error(err)
	}
}
