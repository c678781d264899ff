package verify

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
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

func checkCreate(ctx context.Context, r *run) []finding {
	out, err := r.clients.s3().CreateMultipartUpload(ctx, r.createInput())
	if err != nil {
		list := r.diagnosis.diagnose(
			ctx,
			step{name: "starting a multipart upload", service: "s3", action: "s3:PutObject", operation: "s3:CreateMultipartUpload", id: stepCreate},
			err,
		)
		return r.optionsDenied(list)
	}
	r.created, r.uploads.open = out, aws.ToString(out.UploadId)
	r.uploads.opened(r.createInput(), r.uploads.open)
	r.passed[stepCreate] = true
	return []finding{
		{
			Result:   report.Pass,
			Detail:   "S3 accepted a multipart upload of " + r.key,
			Evidence: []report.Evidence{{Source: report.SourceProbe, Operation: "s3:CreateMultipartUpload", HTTPStatus: 200, Text: "accepted"}},
		},
	}
}

// optionsDenied adds the headers of the destination's options to the possible causes
// of a bare refusal.
func (r *run) optionsDenied(list []finding) []finding {
	actions := r.dest.WriteActions()[2:]
	for i := range list {
		if len(actions) > 0 && list[i].Code == causeS3Side {
			list[i].Code = causeOptionDenied
			list[i].Detail += fmt.Sprintf(". The destination also sends headers that need %s in both accounts", join(actions))
		}
	}
	return list
}

func checkPart(ctx context.Context, r *run) []finding {
	body := []byte{0}
	sum := binary.BigEndian.AppendUint32(nil, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	in := &s3.UploadPartInput{
		Bucket: aws.String(r.dest.Bucket), Key: aws.String(r.key), UploadId: aws.String(r.uploads.open),
		PartNumber: aws.Int32(1), Body: bytes.NewReader(body), ContentLength: aws.Int64(1),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c, ChecksumCRC32C: aws.String(base64.StdEncoding.EncodeToString(sum)),
		ExpectedBucketOwner: r.expectedOwner(),
	}
	if _, err := r.clients.s3().UploadPart(ctx, in); err != nil {
		return r.diagnosis.diagnose(
			ctx,
			step{name: "sending a part of one byte", service: "s3", action: "s3:PutObject", operation: "s3:UploadPart", id: stepPart},
			err,
		)
	}
	r.passed[stepPart] = true
	return []finding{{Result: report.Pass, Detail: "S3 accepted a part of one byte, so kms:Decrypt is allowed"}}
}

func checkAbort(ctx context.Context, r *run) []finding {
	id := r.uploads.open
	err := r.uploads.abort(ctx, r.clients.s3())
	if err == nil {
		r.passed[stepAbort] = true
		return []finding{{Result: report.Pass, Detail: "the multipart upload was aborted"}}
	}
	list := r.diagnosis.diagnose(
		ctx,
		step{
			name:      "aborting the multipart upload",
			service:   "s3",
			action:    "s3:AbortMultipartUpload",
			operation: "s3:AbortMultipartUpload",
			id:        stepAbort,
		},
		err,
	)
	for i := range list {
		c := &list[i]
		c.Result = report.Warn
		if c.Code == causeS3Side || c.Code == causeS3Identity || c.Code == causeS3Bucket {
			c.Code = causeAbort
		}
		if c.Repair.IsZero() && c.FixStatement == "" {
			c.FixStatement = r.fixes.statement(docBucket, "s3:AbortMultipartUpload")
		}
		c.Detail = fmt.Sprintf("uploads work, but multipart upload %s of %s could not be aborted: %s", id, r.key, c.Detail)
		left := fmt.Sprintf(" Abort this upload: `aws s3api abort-multipart-upload --bucket %s --key %s --upload-id %s`. "+
			"A lifecycle rule with AbortIncompleteMultipartUpload removes such uploads.", r.dest.Bucket, r.key, id)
		if c.Repair.IsZero() {
			c.Fix += left
		} else {
			c.Repair.Text += left
		}
	}
	return list
}

// checkCanary stores an object. It stays: the role has no right to delete it.
func checkCanary(ctx context.Context, r *run) []finding {
	ctx, release, ok := r.calls.reserve(ctx, 1)
	defer release()
	if !ok {
		return []finding{usedUp()}
	}
	create := r.createInput()
	body := []byte("written by brokerctl verify --canary\n")
	key := r.key + "-canary"
	in := &s3.PutObjectInput{
		Bucket: create.Bucket, Key: aws.String(key), Body: bytes.NewReader(body), ContentType: aws.String("text/plain"),
		ExpectedBucketOwner: create.ExpectedBucketOwner, ServerSideEncryption: create.ServerSideEncryption, SSEKMSKeyId: create.SSEKMSKeyId,
		BucketKeyEnabled: create.BucketKeyEnabled, SSEKMSEncryptionContext: create.SSEKMSEncryptionContext,
		StorageClass: create.StorageClass, ACL: create.ACL, Tagging: create.Tagging, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c,
	}
	out, err := r.clients.asking(r.clients.session).PutObject(ctx, in)
	if err != nil {
		return r.diagnosis.diagnose(
			ctx,
			step{name: "writing an object", service: "s3", action: "s3:PutObject", operation: "s3:PutObject", id: stepCreate},
			err,
		)
	}
	r.canary = key
	if f := r.compareKey(out.ServerSideEncryption, aws.ToString(out.SSEKMSKeyId)); f.Result == report.Fail {
		return []finding{f}
	}
	return []finding{
		{
			Result:   report.Pass,
			Detail:   fmt.Sprintf("object %s of %d bytes was stored and stays: the role has no right to delete it", key, len(body)),
			Evidence: []report.Evidence{{Source: report.SourceProbe, Operation: "s3:PutObject", HTTPStatus: 200, Text: key}},
		},
	}
}

func usedUp() finding {
	return finding{
		Code:     causeBudget,
		Result:   report.Unknown,
		Advisory: true,
		Artefact: report.ArtefactService,
		Detail:   fmt.Sprintf("not asked: a run makes at most %d calls", maxCalls),
		Fix:      "Supply the policies (`--policies`), or run verify again after the repair.",
	}
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
