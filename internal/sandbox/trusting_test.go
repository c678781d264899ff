package sandbox_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/sandbox"
)

// With SkipChecksums everything works, only nothing that is sent is summed.
func TestWithoutChecksums(t *testing.T) {
	w := worldIn(t, start(t, sandbox.Options{SkipChecksums: true}))
	ctx := t.Context()
	wrong := w.put("logs/wrong", []byte("text"))
	wrong.ChecksumCRC32C = aws.String("AAAAAA==")
	wrong.ContentMD5 = aws.String("AAAAAAAAAAAAAAAAAAAAAA==")
	out := must[*s3.PutObjectOutput](t)(w.uploader.s3.PutObject(ctx, wrong))
	if aws.ToString(out.ChecksumCRC32C) != "AAAAAA==" {
		t.Errorf("the client's checksum is believed; it came back as %v", out.ChecksumCRC32C)
	}
	plain := must[*s3.PutObjectOutput](t)(
		w.rootB.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucketB), Key: aws.String("plain"), Body: strings.NewReader("text")}),
	)
	if *plain.ETag == `"1cb251ec0d568de6a929b520c4aed8d1"` {
		t.Error("the ETag is the body's MD5")
	}
	unsummed := as(t, w.sb, w.sb.RootKeys(accountB))
	unsummed.s3 = s3.NewFromConfig(unsummed.cfg, func(o *s3.Options) {
		o.UsePathStyle, o.RequestChecksumCalculation = true, aws.RequestChecksumCalculationWhenRequired
	})
	none := must[*s3.PutObjectOutput](t)(
		unsummed.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucketB), Key: aws.String("none"), Body: strings.NewReader("text")}),
	)
	head := must[*s3.HeadObjectOutput](t)(
		w.rootB.s3.HeadObject(ctx, &s3.HeadObjectInput{
			Bucket: aws.String(bucketB), Key: aws.String("none"), ChecksumMode: s3types.ChecksumModeEnabled,
		}),
	)
	if none.ChecksumCRC64NVME != nil || head.ChecksumCRC64NVME != nil || head.ChecksumType != "" {
		t.Errorf("a checksum that was not computed: %v, %v of type %q", none.ChecksumCRC64NVME, head.ChecksumCRC64NVME, head.ChecksumType)
	}
	if _, data := stored(t, w.sb, bucketB, "none"); string(data) != "text" {
		t.Errorf("stored: %q", data)
	}
	for _, api := range []*clients{w.rootB, unsummed} {
		body := bytes.Repeat([]byte("x"), 5<<20)
		made := must[*s3.CreateMultipartUploadOutput](t)(
			api.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String(bucketB), Key: aws.String("parts")}),
		)
		var parts []s3types.CompletedPart
		for n := range int32(2) {
			p := must[*s3.UploadPartOutput](t)(
				api.s3.UploadPart(ctx, &s3.UploadPartInput{
					Bucket: aws.String(bucketB), Key: aws.String("parts"), UploadId: made.UploadId, PartNumber: aws.Int32(n + 1),
					Body: bytes.NewReader(body),
				}),
			)
			parts = append(parts, s3types.CompletedPart{ETag: p.ETag, PartNumber: aws.Int32(n + 1)})
		}
		must[*s3.CompleteMultipartUploadOutput](t)(api.s3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: aws.String(bucketB), Key: aws.String("parts"), UploadId: made.UploadId,
			MultipartUpload: &s3types.CompletedMultipartUpload{Parts: parts},
		}))
		if info, data := stored(t, w.sb, bucketB, "parts"); !bytes.Equal(data, append(bytes.Clone(body), body...)) ||
			!strings.HasSuffix(info.ETag, "-2") {
			t.Errorf("%d bytes with ETag %s", len(data), info.ETag)
		}
	}
	short := w.put("logs/short", []byte("text"))
	short.ContentLength = aws.Int64(4)
	if _, err := w.app.s3.PutObject(ctx, short); code(err) != "AccessDenied" {
		t.Errorf("policies count as ever: %v", err)
	}
}
