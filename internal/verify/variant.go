package verify

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/verify/report"
)

// variant asks again with one thing changed, to tell the owner check, the
// requester's bill, KMS and S3's own policies apart. Whatever a question starts
// is aborted at once.
func (r *run) variant(ctx context.Context, c finding) ([]finding, bool) {
	if r.dest.Owner != "" && !r.docs.read(report.DocumentBucketPolicy) {
		// Who can read the bucket's policy for account B knows whose it is.
		if r.accepted(ctx, &c, "without the expected owner", func(in *s3.CreateMultipartUploadInput) { in.ExpectedBucketOwner = nil }) {
			r.diagnosis.ownerMismatch(&c)
			return []finding{c}, true
		}
	}
	if r.dest.KMSKey != "" {
		if r.accepted(ctx, &c, "without the key", func(in *s3.CreateMultipartUploadInput) {
			in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled, in.SSEKMSEncryptionContext = types.ServerSideEncryptionAes256, nil, nil, nil
		}) {
			return []finding{r.diagnosis.keySide(c, "kms:GenerateDataKey", "the same upload without the key is accepted, so S3's side is fine", r.docs.read(report.DocumentIdentity), r.docs.read(report.DocumentKeyPolicy))}, true
		}
	}
	if r.accepted(ctx, &c, "with the requester paying", func(in *s3.CreateMultipartUploadInput) { in.RequestPayer = types.RequestPayerRequester }) {
		return []finding{r.diagnosis.requesterPays(c)}, true
	}
	return nil, false
}

// accepted begins the upload with one thing changed and says whether S3 takes
// it. It is aborted again; when the calls of the run are used up, it is not asked.
func (r *run) accepted(ctx context.Context, c *finding, what string, change func(*s3.CreateMultipartUploadInput)) bool {
	ctx, release, ok := r.calls.reserve(ctx, 2)
	defer release()
	if !ok {
		return false
	}
	in := r.createInput()
	change(in)
	api := r.clients.asking(r.clients.session)
	out, err := api.CreateMultipartUpload(ctx, in)
	if err != nil {
		c.Evidence = append(c.Evidence, callEvidence("s3:CreateMultipartUpload", "the same "+what+": refused", err))
		return false
	}
	r.uploads.opened(in, aws.ToString(out.UploadId))
	c.Evidence = append(c.Evidence, report.Evidence{Source: report.SourceProbe, Operation: "s3:CreateMultipartUpload", Text: "the same " + what + ": accepted, and aborted again"})
	if err := r.uploads.abortUpload(ctx, api, in, aws.ToString(out.UploadId)); err != nil {
		c.Detail += fmt.Sprintf("; multipart upload %s of %s was left behind", aws.ToString(out.UploadId), r.key)
	}
	return true
}
