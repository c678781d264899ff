package verify

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// createInput is the request that an upload of the destination would make.
func (p *probe) createInput() *s3.CreateMultipartUploadInput {
	in := &s3.CreateMultipartUploadInput{
		Bucket: aws.String(p.dest.Bucket), Key: aws.String(p.key),
		ContentType:       aws.String("application/octet-stream"),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c,
		ChecksumType:      types.ChecksumTypeFullObject,
	}
	if p.dest.Owner != "" {
		in.ExpectedBucketOwner = aws.String(p.dest.Owner)
	}
	if p.dest.KMSKey != "" {
		in.ServerSideEncryption = types.ServerSideEncryptionAwsKms
		in.SSEKMSKeyId = aws.String(p.dest.KMSKey)
		in.BucketKeyEnabled = aws.Bool(p.dest.BucketKey == nil || *p.dest.BucketKey)
	}
	return in
}

func checkCreate(ctx context.Context, p *probe) finding {
	out, err := p.s3().CreateMultipartUpload(ctx, p.createInput())
	if err != nil {
		return p.diagnose(ctx, step{name: "starting a multipart upload", service: "s3", action: "s3:PutObject", create: true}, err)
	}
	p.created, p.uploadID = out, aws.ToString(out.UploadId)
	return finding{Result: Pass, Detail: "S3 accepted a multipart upload of " + p.key}
}

// checkEncryption believes the response only: what was asked for proves nothing.
func checkEncryption(_ context.Context, p *probe) finding {
	got, key := p.created.ServerSideEncryption, aws.ToString(p.created.SSEKMSKeyId)
	switch {
	case p.dest.KMSKey == "":
		return finding{Code: causeNoKeyProof, Result: Unknown, Artefact: ArtefactEncryption, Detail: fmt.Sprintf("no key is configured; the store reports encryption %q", got)}
	case got == types.ServerSideEncryptionAwsKms && key == p.dest.KMSKey:
		return finding{Result: Pass, Detail: "S3 reports aws:kms with " + key}
	case p.dest.Compatible && got == types.ServerSideEncryptionAwsKms:
		return finding{Code: causeNoKeyProof, Result: Unknown, Artefact: ArtefactEncryption, Detail: fmt.Sprintf("the compatible store reports aws:kms with key %q, which is not literally the configured %q", key, p.dest.KMSKey)}
	case p.dest.Compatible && got == "":
		return finding{Code: causeNoKeyProof, Result: Unknown, Artefact: ArtefactEncryption, Detail: "the compatible store does not say that it encrypts"}
	}
	return finding{Code: causeOtherKey, Result: Fail, Account: p.accountB(), Artefact: ArtefactEncryption, ArtefactARN: p.bucketARN(),
		Detail: fmt.Sprintf("asked for aws:kms with %s, S3 reports %q with %q", p.dest.KMSKey, got, key),
		Fix:    "Do not upload until this is understood: something between here and S3 changes or drops the encryption headers. If the store is not AWS and cannot do SSE-KMS, say `compatible: true` and leave `kms_key` empty."}
}

func checkPart(ctx context.Context, p *probe) finding {
	body := []byte{0}
	sum := binary.BigEndian.AppendUint32(nil, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	in := &s3.UploadPartInput{
		Bucket: aws.String(p.dest.Bucket), Key: aws.String(p.key), UploadId: aws.String(p.uploadID),
		PartNumber: aws.Int32(1), Body: bytes.NewReader(body), ContentLength: aws.Int64(1),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c, ChecksumCRC32C: aws.String(base64.StdEncoding.EncodeToString(sum)),
	}
	if p.dest.Owner != "" {
		in.ExpectedBucketOwner = aws.String(p.dest.Owner)
	}
	if _, err := p.s3().UploadPart(ctx, in); err != nil {
		return p.diagnose(ctx, step{name: "sending a part of one byte", service: "s3", action: "s3:PutObject", part: true}, err)
	}
	return finding{Result: Pass, Detail: "a part of one byte was stored, so kms:Decrypt is allowed where a key is used"}
}

func checkAbort(ctx context.Context, p *probe) finding {
	id := p.uploadID
	if err := p.abort(ctx); err != nil {
		c := p.diagnose(ctx, step{name: "aborting the multipart upload", service: "s3", action: "s3:AbortMultipartUpload"}, err)
		c.Result = Warn
		if c.Code == causeS3Side || c.Code == causeS3Identity || c.Code == causeS3Bucket {
			c.Code = causeAbort
			c.FixStatement = p.statement(docBucket, "s3:AbortMultipartUpload")
		}
		c.Detail = fmt.Sprintf("uploads work, but multipart upload %s of %s was left behind: %s", id, p.key, c.Detail)
		c.Fix += fmt.Sprintf(" Abort the one left behind: `aws s3api abort-multipart-upload --bucket %s --key %s --upload-id %s`; a lifecycle rule AbortIncompleteMultipartUpload on the bucket catches such leftovers.", p.dest.Bucket, p.key, id)
		return c
	}
	return finding{Result: Pass, Detail: "the multipart upload was aborted; nothing is left behind"}
}

// abort ends the probe's upload, if one is open. It has its own deadline.
func (p *probe) abort(ctx context.Context) error {
	if p.uploadID == "" {
		return nil
	}
	id := p.uploadID
	p.uploadID = ""
	err := p.abortUpload(ctx, id)
	var gone *types.NoSuchUpload
	if errors.As(err, &gone) {
		return nil
	}
	return err
}

func (p *probe) abortUpload(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	in := &s3.AbortMultipartUploadInput{Bucket: aws.String(p.dest.Bucket), Key: aws.String(p.key), UploadId: aws.String(id)}
	if p.dest.Owner != "" {
		in.ExpectedBucketOwner = aws.String(p.dest.Owner)
	}
	_, err := p.s3().AbortMultipartUpload(ctx, in)
	return err
}
