package sandbox_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func TestObjects(t *testing.T) {
	w := newWorld(t)
	ctx, api, b := t.Context(), w.rootB.s3, aws.String(bucketB)
	for _, key := range []string{"a/1", "a/2", "b/1", "c", "d &<é"} {
		must[*s3.PutObjectOutput](t)(
			api.PutObject(ctx, &s3.PutObjectInput{
				Bucket: b, Key: aws.String(key), Body: strings.NewReader("body of " + key), Metadata: map[string]string{"k": "v"},
				ContentType: aws.String("text/plain"),
			}),
		)
	}
	var keys, prefixes []string
	for p := s3.NewListObjectsV2Paginator(api, &s3.ListObjectsV2Input{
		Bucket: b, Delimiter: aws.String("/"), MaxKeys: aws.Int32(1),
	}); p.HasMorePages(); {
		page := must[*s3.ListObjectsV2Output](t)(p.NextPage(ctx))
		for _, o := range page.Contents {
			keys = append(keys, *o.Key)
		}
		for _, x := range page.CommonPrefixes {
			prefixes = append(prefixes, *x.Prefix)
		}
	}
	if fmt.Sprint(keys, prefixes) != "[c d &<é] [a/ b/]" {
		t.Errorf("listed %q %q", keys, prefixes)
	}
	head := must[*s3.HeadObjectOutput](t)(
		api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: b, Key: aws.String("d &<é"), ChecksumMode: s3types.ChecksumModeEnabled}),
	)
	if head.Metadata["k"] != "v" || aws.ToString(head.ContentType) != "text/plain" ||
		head.ServerSideEncryption != s3types.ServerSideEncryptionAes256 || aws.ToString(head.ChecksumCRC32) == "" {
		t.Errorf("head: %+v", head)
	}
	_, err := api.PutObject(ctx, &s3.PutObjectInput{
		Bucket: b, Key: aws.String("c"), Body: strings.NewReader("again"), IfNoneMatch: aws.String("*"),
	})
	if code(err) != "PreconditionFailed" || status(err) != 412 {
		t.Errorf("if-none-match on a key that is taken: %v", err)
	}
	if _, err := api.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: aws.String("none")}); code(err) != "NoSuchKey" {
		t.Errorf("a key that is not there: %v", err)
	}
	if _, err := api.GetObject(ctx, &s3.GetObjectInput{
		Bucket: b, Key: aws.String("c"), Range: aws.String("bytes=100-"),
	}); code(err) != "InvalidRange" || status(err) != 416 {
		t.Errorf("a range past the end: %v", err)
	}
	// Versions.
	must[*s3.PutBucketVersioningOutput](t)(
		api.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
			Bucket: b, VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusEnabled},
		}),
	)
	if v := must[*s3.GetBucketVersioningOutput](t)(api.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: b})); v.Status !=
		s3types.BucketVersioningStatusEnabled {
		t.Errorf("versioning %s", v.Status)
	}
	second := must[*s3.PutObjectOutput](t)(
		api.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: aws.String("c"), Body: strings.NewReader("second")}),
	)
	marker := must[*s3.DeleteObjectOutput](t)(api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b, Key: aws.String("c")}))
	if !aws.ToBool(marker.DeleteMarker) || aws.ToString(second.VersionId) == "" {
		t.Errorf("marker %+v, version %s", marker, aws.ToString(second.VersionId))
	}
	if _, err := api.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: aws.String("c")}); code(err) != "NoSuchKey" {
		t.Errorf("behind a delete marker: %v", err)
	}
	must[*s3.DeleteObjectOutput](t)(api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b, Key: aws.String("c"), VersionId: marker.VersionId}))
	got := must[*s3.GetObjectOutput](t)(api.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: aws.String("c")}))
	if data, err := io.ReadAll(got.Body); err != nil || string(data) != "second" {
		t.Errorf("read %q, %v", data, err)
	}
	if err := got.Body.Close(); err != nil {
		t.Error(err)
	}
	for _, a := range []s3types.ChecksumAlgorithm{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"} {
		must[*s3.PutObjectOutput](t)(
			api.PutObject(ctx, &s3.PutObjectInput{
				Bucket: b, Key: aws.String("sum"), Body: strings.NewReader("summed by the SDK, in a trailer"), ChecksumAlgorithm: a,
			}),
		)
		if info, _ := stored(t, w.sb, bucketB, "sum"); info.ChecksumAlgorithm != string(a) {
			t.Errorf("%s was stored as %s", a, info.ChecksumAlgorithm)
		}
	}
}

func TestMultipartRules(t *testing.T) {
	w := newWorld(t)
	ctx, api, b, k := t.Context(), w.rootB.s3, aws.String(bucketB), aws.String("m")
	begin := func(a s3types.ChecksumAlgorithm, kind s3types.ChecksumType) *string {
		t.Helper()
		return must[*s3.CreateMultipartUploadOutput](t)(
			api.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: b, Key: k, ChecksumAlgorithm: a, ChecksumType: kind}),
		).UploadId
	}
	upload := func(id *string, n int32, body []byte, a s3types.ChecksumAlgorithm) s3types.CompletedPart {
		t.Helper()
		out := must[*s3.UploadPartOutput](t)(
			api.UploadPart(ctx, &s3.UploadPartInput{
				Bucket: b, Key: k, UploadId: id, PartNumber: aws.Int32(n), Body: bytes.NewReader(body), ChecksumAlgorithm: a,
			}),
		)
		return s3types.CompletedPart{PartNumber: aws.Int32(n), ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32,
			ChecksumCRC32C: out.ChecksumCRC32C, ChecksumCRC64NVME: out.ChecksumCRC64NVME, ChecksumSHA256: out.ChecksumSHA256}
	}
	complete := func(id *string, change func(*s3.CompleteMultipartUploadInput),
		parts ...s3types.CompletedPart) (*s3.CompleteMultipartUploadOutput, error) {
		in := &s3.CompleteMultipartUploadInput{Bucket: b, Key: k, UploadId: id, MultipartUpload: &s3types.CompletedMultipartUpload{Parts: parts}}
		if change != nil {
			change(in)
		}
		return api.CompleteMultipartUpload(ctx, in)
	}
	big, small := bytes.Repeat([]byte{7}, 5<<20), []byte("end")
	id := begin("CRC32C", s3types.ChecksumTypeFullObject)
	p1, p2 := upload(id, 1, big, "CRC32C"), upload(id, 2, small, "CRC32C")
	p3 := upload(id, 3, small, "CRC32C")
	wrong := p1
	wrong.ETag = aws.String(`"00000000000000000000000000000000"`)
	for name, row := range map[string]struct {
		change func(*s3.CompleteMultipartUploadInput)
		parts  []s3types.CompletedPart
		code   string
	}{
		"order":        {nil, []s3types.CompletedPart{p2, p1}, "InvalidPartOrder"},
		"etag":         {nil, []s3types.CompletedPart{wrong, p2}, "InvalidPart"},
		"missing part": {nil, []s3types.CompletedPart{p1, {PartNumber: aws.Int32(9), ETag: p1.ETag}}, "InvalidPart"},
		"small part":   {nil, []s3types.CompletedPart{p2, p3}, "EntityTooSmall"},
		"object size": {func(in *s3.CompleteMultipartUploadInput) { in.MpuObjectSize = aws.Int64(1) }, []s3types.CompletedPart{p1, p2},
			"InvalidRequest"},
		"full checksum": {func(in *s3.CompleteMultipartUploadInput) { in.ChecksumCRC32C = aws.String(crc32c(small)) },
			[]s3types.CompletedPart{p1, p2}, "BadDigest"},
		"other type": {func(in *s3.CompleteMultipartUploadInput) { in.ChecksumType = s3types.ChecksumTypeComposite },
			[]s3types.CompletedPart{p1, p2}, "InvalidRequest"},
		"unknown upload": {func(in *s3.CompleteMultipartUploadInput) { in.UploadId = aws.String("none") }, []s3types.CompletedPart{p1, p2},
			"NoSuchUpload"},
	} {
		if _, err := complete(id, row.change, row.parts...); code(err) != row.code {
			t.Errorf("%s: %v, want %s", name, err, row.code)
		}
	}
	if l := must[*s3.ListPartsOutput](t)(api.ListParts(ctx, &s3.ListPartsInput{Bucket: b, Key: k, UploadId: id})); len(l.Parts) != 3 ||
		*l.Parts[0].Size != 5<<20 || *l.Parts[0].ETag != *p1.ETag {
		t.Errorf("parts: %+v", l.Parts)
	}
	if l := must[*s3.ListMultipartUploadsOutput](t)(
		api.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: b}),
	); len(l.Uploads) != 1 || *l.Uploads[0].UploadId != *id {
		t.Errorf("uploads: %+v", l.Uploads)
	}
	whole := append(bytes.Clone(big), small...)
	out := must[*s3.CompleteMultipartUploadOutput](t)(complete(id, nil, p1, p2))
	if aws.ToString(out.ChecksumCRC32C) != crc32c(whole) || !strings.HasSuffix(*out.ETag, `-2"`) {
		t.Errorf("completed as %s %s", aws.ToString(out.ChecksumCRC32C), *out.ETag)
	}
	if again, err := complete(id, nil, p1, p2); err != nil || *again.ETag != *out.ETag {
		t.Errorf("completing again, as after a lost answer: %v", err)
	}
	for _, a := range []s3types.ChecksumAlgorithm{"CRC32", "CRC64NVME", "SHA256", "CRC32C"} {
		id := begin(a, "")
		out := must[*s3.CompleteMultipartUploadOutput](t)(complete(id, nil, upload(id, 1, big, a), upload(id, 2, small, a)))
		info, _ := stored(t, w.sb, bucketB, "m")
		if composite := a != "CRC64NVME"; composite != (out.ChecksumType == s3types.ChecksumTypeComposite) ||
			composite != strings.HasSuffix(info.Checksum, "-2") {
			t.Errorf("%s: type %s, checksum %s", a, out.ChecksumType, info.Checksum)
		}
	}
	id = begin("SHA256", "")
	p1 = upload(id, 1, small, "SHA256")
	p1.ChecksumSHA256 = nil
	if _, err := complete(id, nil, p1); code(err) != "InvalidRequest" {
		t.Errorf("a composite checksum without the parts': %v", err)
	}
	must[*s3.AbortMultipartUploadOutput](t)(api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: b, Key: k, UploadId: id}))
	if _, err := api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: b, Key: k, UploadId: id}); code(err) != "NoSuchUpload" {
		t.Errorf("aborting twice: %v", err)
	}
}
