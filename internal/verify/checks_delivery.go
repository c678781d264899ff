package verify

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"net/url"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/verify/report"
)

const (
	codeCreate = "BRK-S3-002"
	codePart   = "BRK-KMS-002"
	codeAbort  = "BRK-S3-003"
	codeCanary = "BRK-S3-004"
)

func deliveryChecks() []check {
	ready := []string{codeConfig, codeKeyName, codeReachS3, codeBucket, codeIdentity}
	return []check{
		{codeCreate, report.CategoryDelivery, "the role may write below the prefix, encrypted with the key", ready, checkCreate},
		{codePart, report.CategoryDelivery, "the role may send parts of large objects", []string{codeCreate}, checkPart},
		{codeAbort, report.CategoryDelivery, "an interrupted upload can be cleaned up", []string{codeCreate}, checkAbort},
		{codeCanary, report.CategoryDelivery, "a real object arrives", []string{codeCreate, codePart}, checkCanary},
	}
}

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
		in.BucketKeyEnabled = aws.Bool(p.bucketKey())
		if len(p.dest.EncryptionContext) > 0 {
			if text, err := json.Marshal(p.dest.EncryptionContext); err == nil {
				in.SSEKMSEncryptionContext = aws.String(base64.StdEncoding.EncodeToString(text))
			}
		}
	}
	in.StorageClass, in.ACL = types.StorageClass(p.dest.StorageClass), types.ObjectCannedACL(p.dest.ACL)
	if len(p.dest.Tags) > 0 {
		tags := url.Values{}
		for k, v := range p.dest.Tags {
			tags.Set(k, v)
		}
		in.Tagging = aws.String(tags.Encode())
	}
	return in
}

func checkCreate(ctx context.Context, p *probe) []finding {
	out, err := p.s3().CreateMultipartUpload(ctx, p.createInput())
	if err != nil {
		list := p.diagnose(ctx, step{name: "starting a multipart upload", service: "s3", action: "s3:PutObject", operation: "s3:CreateMultipartUpload", id: stepCreate}, err)
		return p.optionsDenied(list)
	}
	p.created, p.uploadID = out, aws.ToString(out.UploadId)
	p.opened(p.createInput(), p.uploadID)
	p.passed[stepCreate] = true
	return []finding{{Result: report.Pass, Detail: "S3 accepted a multipart upload of " + p.key, Evidence: []report.Evidence{{Source: report.SourceProbe, Operation: "s3:CreateMultipartUpload", HTTPStatus: 200, Text: "accepted"}}}}
}

// optionsDenied names the headers of the destination's own options among what a
// bare refusal can be about.
func (p *probe) optionsDenied(list []finding) []finding {
	actions := p.dest.WriteActions()[2:]
	for i := range list {
		if len(actions) > 0 && list[i].Code == causeS3Side {
			list[i].Code = causeOptionDenied
			list[i].Detail += fmt.Sprintf(". The destination sends headers that ask for %s as well, of both sides", join(actions))
		}
	}
	return list
}

func checkPart(ctx context.Context, p *probe) []finding {
	body := []byte{0}
	sum := binary.BigEndian.AppendUint32(nil, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	in := &s3.UploadPartInput{
		Bucket: aws.String(p.dest.Bucket), Key: aws.String(p.key), UploadId: aws.String(p.uploadID),
		PartNumber: aws.Int32(1), Body: bytes.NewReader(body), ContentLength: aws.Int64(1),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c, ChecksumCRC32C: aws.String(base64.StdEncoding.EncodeToString(sum)),
		ExpectedBucketOwner: p.expectedOwner(),
	}
	if _, err := p.s3().UploadPart(ctx, in); err != nil {
		return p.diagnose(ctx, step{name: "sending a part of one byte", service: "s3", action: "s3:PutObject", operation: "s3:UploadPart", id: stepPart}, err)
	}
	p.passed[stepPart] = true
	return []finding{{Result: report.Pass, Detail: "a part of one byte was stored, so kms:Decrypt is allowed where a key is used"}}
}

func (p *probe) expectedOwner() *string {
	if p.dest.Owner == "" {
		return nil
	}
	return aws.String(p.dest.Owner)
}

func checkAbort(ctx context.Context, p *probe) []finding {
	id := p.uploadID
	err := p.abort(ctx)
	if err == nil {
		p.passed[stepAbort] = true
		return []finding{{Result: report.Pass, Detail: "the multipart upload was aborted; nothing is left behind"}}
	}
	list := p.diagnose(ctx, step{name: "aborting the multipart upload", service: "s3", action: "s3:AbortMultipartUpload", operation: "s3:AbortMultipartUpload", id: stepAbort}, err)
	for i := range list {
		c := &list[i]
		c.Result = report.Warn
		if c.Code == causeS3Side || c.Code == causeS3Identity || c.Code == causeS3Bucket {
			c.Code = causeAbort
		}
		if c.Repair.IsZero() && c.FixStatement == "" {
			c.FixStatement = p.statement(docBucket, "s3:AbortMultipartUpload")
		}
		c.Detail = fmt.Sprintf("uploads work, but multipart upload %s of %s was left behind: %s", id, p.key, c.Detail)
		left := fmt.Sprintf(" Abort the one left behind: `aws s3api abort-multipart-upload --bucket %s --key %s --upload-id %s`; a lifecycle rule AbortIncompleteMultipartUpload on the bucket catches such leftovers.", p.dest.Bucket, p.key, id)
		if c.Repair.IsZero() {
			c.Fix += left
		} else {
			c.Repair.Text += left
		}
	}
	return list
}

// checkCanary writes a real object. It stays: a role that can only write cannot delete.
func checkCanary(ctx context.Context, p *probe) []finding {
	ctx, release, ok := p.calls.reserve(ctx, 1)
	defer release()
	if !ok {
		return []finding{usedUp()}
	}
	create := p.createInput()
	body := []byte("written by brokerctl verify --canary\n")
	key := p.key + "-canary"
	in := &s3.PutObjectInput{
		Bucket: create.Bucket, Key: aws.String(key), Body: bytes.NewReader(body), ContentType: aws.String("text/plain"), ExpectedBucketOwner: create.ExpectedBucketOwner,
		ServerSideEncryption: create.ServerSideEncryption, SSEKMSKeyId: create.SSEKMSKeyId, BucketKeyEnabled: create.BucketKeyEnabled, SSEKMSEncryptionContext: create.SSEKMSEncryptionContext,
		StorageClass: create.StorageClass, ACL: create.ACL, Tagging: create.Tagging, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c,
	}
	out, err := p.asking(p.session).PutObject(ctx, in)
	if err != nil {
		return p.diagnose(ctx, step{name: "writing an object", service: "s3", action: "s3:PutObject", operation: "s3:PutObject", id: stepCreate}, err)
	}
	p.canary = key
	if f := p.compareKey(out.ServerSideEncryption, aws.ToString(out.SSEKMSKeyId)); f.Result == report.Fail {
		return []finding{f}
	}
	return []finding{{Result: report.Pass, Detail: fmt.Sprintf("object %s of %d bytes was stored, and stays: the role has no right to delete it", key, len(body)), Evidence: []report.Evidence{{Source: report.SourceProbe, Operation: "s3:PutObject", HTTPStatus: 200, Text: key}}}}
}

func usedUp() finding {
	return finding{Code: causeBudget, Result: report.Unknown, Advisory: true, Artefact: report.ArtefactService, Detail: fmt.Sprintf("it was not asked: a run makes at most %d calls, and they are used up", maxCalls), Fix: "Look at it with the policies at hand (`--policies`), or run verify again when what failed is repaired."}
}

func join(list []string) string {
	out := ""
	for i, s := range slices.Clone(list) {
		switch {
		case i == 0:
		case i == len(list)-1:
			out += " and "
		default:
			out += ", "
		}
		out += s
	}
	return out
}

// abort ends the probe's upload, if one is open. It has its own deadline.
func (p *probe) abort(ctx context.Context) error {
	if p.uploadID == "" {
		return nil
	}
	id := p.uploadID
	p.uploadID = ""
	return p.abortUpload(ctx, p.createInput(), id)
}

// opened writes an upload down that S3 has begun, for the case that nobody lives to
// abort it.
func (p *probe) opened(in *s3.CreateMultipartUploadInput, id string) {
	if p.leftovers != nil {
		p.begun[id] = p.leftovers.Remember(p.dest.Name, aws.ToString(in.Bucket), aws.ToString(in.Key), id)
	}
}

// abortUpload ends an upload that was begun with in. It has its own deadline.
func (p *probe) abortUpload(ctx context.Context, begun *s3.CreateMultipartUploadInput, id string) error {
	return p.abortAs(ctx, p.s3(), begun, id)
}

func (p *probe) abortAs(ctx context.Context, api *s3.Client, begun *s3.CreateMultipartUploadInput, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	_, err := api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: begun.Bucket, Key: begun.Key, UploadId: aws.String(id), ExpectedBucketOwner: begun.ExpectedBucketOwner, RequestPayer: begun.RequestPayer,
	})
	var gone *types.NoSuchUpload
	if errors.As(err, &gone) {
		err = nil
	}
	if ended := p.begun[id]; ended != nil {
		ended(err == nil)
		delete(p.begun, id)
	}
	return err
}
