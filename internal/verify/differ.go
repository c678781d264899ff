package verify

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/verify/report"
)

// differ asks again with one thing changed, to tell the owner check, the
// requester's bill, KMS and S3's own policies apart. Whatever a question starts
// is aborted at once.
func (p *probe) differ(ctx context.Context, c finding) ([]finding, bool) {
	if p.dest.Owner != "" && !p.docs.read(report.DocumentBucketPolicy) {
		// Who can read the bucket's policy for account B knows whose it is.
		if p.accepted(ctx, &c, "without the expected owner", func(in *s3.CreateMultipartUploadInput) { in.ExpectedBucketOwner = nil }) {
			p.ownerMismatch(&c)
			return []finding{c}, true
		}
	}
	if p.dest.KMSKey != "" {
		if p.accepted(ctx, &c, "without the key", func(in *s3.CreateMultipartUploadInput) {
			in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled, in.SSEKMSEncryptionContext = types.ServerSideEncryptionAes256, nil, nil, nil
		}) {
			return []finding{p.keySide(c, "kms:GenerateDataKey", "the same upload without the key is accepted, so S3's side is fine", p.docs.read(report.DocumentIdentity), p.docs.read(report.DocumentKeyPolicy))}, true
		}
	}
	if p.accepted(ctx, &c, "with the requester paying", func(in *s3.CreateMultipartUploadInput) { in.RequestPayer = types.RequestPayerRequester }) {
		return []finding{p.requesterPays(c)}, true
	}
	return nil, false
}

func (p *probe) requesterPays(c finding) finding {
	c.Code, c.Account, c.Artefact, c.ArtefactARN, c.Confidence = causeRequesterPays, p.accountB(), report.ArtefactBucket, p.bucketARN(), report.Proven
	c.Detail = "the bucket makes its requesters pay: S3 refuses every request that does not say that it will, and brokerd does not"
	account := p.account(p.accountB())
	c.Repair = report.Fix{
		Kind: report.FixSetting, Target: p.bucketARN(), Account: account, Owner: p.owner(report.ArtefactBucket, account),
		Text:    "Let the bucket's owner pay for its requests.",
		Command: "aws s3api put-bucket-request-payment --bucket " + p.dest.Bucket + " --request-payment-configuration Payer=BucketOwner",
	}
	return c
}

// accepted begins the upload with one thing changed and says whether S3 takes
// it. It is aborted again; when the calls of the run are used up, it is not asked.
func (p *probe) accepted(ctx context.Context, c *finding, what string, change func(*s3.CreateMultipartUploadInput)) bool {
	ctx, release, ok := p.calls.reserve(ctx, 2)
	defer release()
	if !ok {
		return false
	}
	in := p.createInput()
	change(in)
	out, err := p.asking(p.session).CreateMultipartUpload(ctx, in)
	if err != nil {
		c.Evidence = append(c.Evidence, p.callEvidence("s3:CreateMultipartUpload", "the same "+what+": refused", err))
		return false
	}
	p.opened(in, aws.ToString(out.UploadId))
	c.Evidence = append(c.Evidence, report.Evidence{Source: report.SourceProbe, Operation: "s3:CreateMultipartUpload", Text: "the same " + what + ": accepted, and aborted again"})
	if err := p.abortUpload(ctx, in, aws.ToString(out.UploadId)); err != nil {
		c.Detail += fmt.Sprintf("; multipart upload %s of %s was left behind", aws.ToString(out.UploadId), p.key)
	}
	return true
}
