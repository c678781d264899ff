package verify

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// variant asks S3 again with one header changed, after a refusal without a reason:
// without the expected owner, with the requester paying, and with other encryption
// headers. It aborts every upload that S3 accepts.
//
// KMS is never behind such a refusal: S3 relays the text of KMS. An upload that is
// accepted with other encryption headers therefore shows a policy condition on them.
func (r *run) variant(ctx context.Context, c finding) ([]finding, bool) {
	if r.dest.Owner != "" && !r.docs.read(report.DocumentBucketPolicy) {
		// A reader of the bucket policy knows the owner of the bucket.
		ok, _ := r.accepted(ctx, &c, "without the expected owner", func(in *s3.CreateMultipartUploadInput) { in.ExpectedBucketOwner = nil })
		if ok {
			r.diagnosis.ownerMismatch(&c)
			return []finding{c}, true
		}
	}
	if r.dest.KMSKey != "" {
		ok, _ := r.accepted(ctx, &c, "with AES256 in place of aws:kms and the key", func(in *s3.CreateMultipartUploadInput) {
			in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled, in.SSEKMSEncryptionContext = types.ServerSideEncryptionAes256,
				nil, nil, nil
		})
		if ok {
			return []finding{r.encryptionRefused(ctx, c)}, true
		}
	}
	if ok, _ := r.accepted(ctx, &c, "with the requester paying",
		func(in *s3.CreateMultipartUploadInput) { in.RequestPayer = types.RequestPayerRequester }); ok {
		return []finding{r.diagnosis.requesterPays(c)}, true
	}
	return nil, false
}

// encryptionRefused separates the algorithm from the key: it asks with aws:kms and
// without a key. Past the policies, S3 asks KMS for the AWS managed key, and relays
// the answer of KMS.
func (r *run) encryptionRefused(ctx context.Context, c finding) finding {
	ok, err := r.accepted(ctx, &c, "with aws:kms and without a key", func(in *s3.CreateMultipartUploadInput) {
		in.SSEKMSKeyId, in.SSEKMSEncryptionContext = nil, nil
	})
	info := awserr.Classify(err, "s3")
	past := ok || info.Class == awserr.KeyState || strings.HasPrefix(strings.ToLower(info.Action), "kms:")
	c.Code, c.Artefact, c.ArtefactARN, c.Confidence = causeBucketEncryption, report.ArtefactIdentityBucket, r.bucketARN(), report.Strong
	c.Assumptions = r.docs.unread()
	header, value := "x-amz-server-side-encryption", "aws:kms"
	if past {
		c.Code = causeBucketKeyID
		header, value = "x-amz-server-side-encryption-aws-kms-key-id", r.dest.KMSKey
	}
	c.Detail = fmt.Sprintf("S3 accepts the same upload with other encryption headers, so a condition on the header %s refuses %s. "+
		"It is in the bucket policy of account %s or in a policy of account %s. KMS is not the cause: its refusals have a text",
		header, value, accountOrB(r.accountB()), accountOrA(r.accountA()))
	c.Fix = fmt.Sprintf(
		"Find the statement with a condition on s3:%s, and except the role from it. "+
			"Run verify with the policies (`--policies` or the two profiles): it names the statement.",
		header,
	)
	return c
}

// accepted starts the upload with one header changed, and reports whether S3 accepts
// it. The upload is aborted. When the budget of calls is used up, it is not started.
func (r *run) accepted(ctx context.Context, c *finding, what string, change func(*s3.CreateMultipartUploadInput)) (ok bool, err error) {
	ctx, release, enough := r.calls.reserve(ctx, 2)
	defer release()
	if !enough {
		return false, nil
	}
	in := r.createInput()
	change(in)
	api := r.clients.asking(r.clients.session)
	out, err := api.CreateMultipartUpload(ctx, in)
	if err != nil {
		c.Evidence = append(c.Evidence, callEvidence("s3:CreateMultipartUpload", "the same "+what+": refused", err))
		return false, err
	}
	r.uploads.opened(in, aws.ToString(out.UploadId))
	c.Evidence = append(c.Evidence, report.Evidence{
		Source: report.SourceProbe, Operation: "s3:CreateMultipartUpload", Text: "the same " + what + ": accepted, and aborted",
	})
	if err := r.uploads.abortUpload(ctx, api, in, aws.ToString(out.UploadId)); err != nil {
		c.Detail += fmt.Sprintf("; multipart upload %s of %s was left behind", aws.ToString(out.UploadId), r.key)
	}
	return true, nil
}
