package verify

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// negative is the answer to one question. They are asked one after the other:
// so the calls of a run are used to the last one.
func (r *run) negative(ctx context.Context, n negative) finding {
	if r.dest.Compatible || r.dest.Role == "" {
		return finding{Result: report.Skip, Detail: "an S3-compatible store has its own rules"}
	}
	return r.askOne(ctx, n)
}

func (r *run) askOne(ctx context.Context, n negative) finding {
	ctx, release, ok := r.calls.reserve(ctx, n.calls)
	defer release()
	if !ok {
		return usedUp()
	}
	return n.ask(ctx, r)
}

// asRole is a session of the role as it is: what brokerd's own limits hide would
// show to whoever takes the role elsewhere.
func (r *run) asRole(ctx context.Context) *broker.Session {
	if r.unlimited != nil {
		return r.unlimited
	}
	r.unlimited = r.clients.session
	if policy, err := r.sessions.ScopePolicy(r.dest.Name); err == nil && policy != "" {
		reserved, release, ok := r.calls.reserve(context.WithoutCancel(ctx), 1)
		defer release()
		if !ok {
			return r.unlimited
		}
		r.calls.spend(reserved)
		if s, err := r.sessions.AssumeOnce(ctx, r.dest.Name, broker.AssumeOverrides{Unscoped: true}); err == nil {
			r.unlimited = s
		}
	}
	return r.unlimited
}

// refused judges the answer to a question: no is right.
func (r *run) refused(operation string, err error) finding {
	service, _, _ := strings.Cut(operation, ":")
	info := awserr.Classify(err, service)
	seen := []report.Evidence{callEvidence(operation, "refused, as it should be", err)}
	switch {
	case info.Class == awserr.AccessDenied, info.Code == "AccessControlListNotSupported":
		return finding{Result: report.Pass, Detail: "refused (" + info.Code + ")", Evidence: seen}
	case info.Class == awserr.NotFound, info.Class == awserr.KeyState, info.Class == awserr.Invalid:
		return finding{Result: report.Pass, Detail: fmt.Sprintf("not possible (%s)", info.Code), Evidence: seen}
	}
	seen[0].Text = "no answer that decides it"
	return finding{Code: causeUndecided, Result: report.Unknown, Advisory: true, Artefact: report.ArtefactService, Evidence: seen, Detail: "the service did not decide: " + orText(info.Code, rootCause(err)), Fix: "Run verify again."}
}

// allowed is a question that was answered with yes. What it started is undone.
func (r *run) allowed(operation, what string, kind string) finding {
	account := r.accountOfKind(kind)
	return finding{
		Result: report.Fail, Account: account.ID, Artefact: kind, ArtefactARN: r.target(kind), Confidence: report.Proven,
		Evidence: []report.Evidence{{Source: report.SourceProbe, Operation: operation, HTTPStatus: 200, Text: "accepted, although it should be refused"}},
		Detail:   what,
		Fix:      "Allow the role what setup writes and no more: `brokerctl setup plan` shows the difference.",
	}
}

// begin starts an upload that should be refused, and aborts it when it is not.
func (r *run) begin(ctx context.Context, change func(*s3.CreateMultipartUploadInput)) (*s3.CreateMultipartUploadOutput, string, error) {
	in := r.createInput()
	change(in)
	api := r.clients.asking(r.asRole(ctx))
	out, err := api.CreateMultipartUpload(ctx, in)
	if err != nil {
		return nil, "", err
	}
	r.uploads.opened(in, aws.ToString(out.UploadId))
	undone := "it was aborted at once"
	if err := r.uploads.abortUpload(ctx, api, in, aws.ToString(out.UploadId)); err != nil {
		undone = fmt.Sprintf("it could NOT be aborted: `aws s3api abort-multipart-upload --bucket %s --key %s --upload-id %s`", r.dest.Bucket, aws.ToString(in.Key), aws.ToString(out.UploadId))
	}
	return out, undone, nil
}

func askWithoutExternalID(ctx context.Context, r *run) finding {
	return r.askID(ctx, "", "without the external id")
}

func askWithOtherID(ctx context.Context, r *run) finding {
	return r.askID(ctx, "verify-"+rand.Text(), "with any other external id")
}

func (r *run) askID(ctx context.Context, id, how string) finding {
	if r.dest.Session.ExternalID == "" {
		return finding{Result: report.Skip, Detail: "no external id is configured"}
	}
	// The session is dropped with the answer.
	r.calls.spend(ctx)
	_, err := r.sessions.AssumeOnce(ctx, r.dest.Name, broker.AssumeOverrides{Unscoped: true, ExternalID: &id})
	if err != nil {
		return r.refused("sts:AssumeRole", err)
	}
	f := r.allowed("sts:AssumeRole", "the role can be assumed "+how+": the trust policy does not ask for it. The session was dropped", report.ArtefactTrust)
	f.FixStatement = r.fixes.statement(docTrust, "sts:AssumeRole")
	f.Fix = "Put this statement in the place of every one in the trust policy that lets the source in without the condition."
	if at := r.predicted.openTrust(id); at != nil && f.FixStatement != "" {
		f.Statement = at
		f.Repair = r.fixes.replaceStatement(f, at, json.RawMessage(f.FixStatement), fmt.Sprintf("Replace statement %s of the trust policy by this one.", statementName(at)))
	}
	return f
}

func askOutside(ctx context.Context, r *run) finding {
	if r.dest.KeyTemplate == nil || r.dest.KeyTemplate.Prefix() == "" {
		return finding{Result: report.Skip, Detail: "the destination has no prefix to be outside of"}
	}
	outside := ".brokerd-verify-outside" + r.key[strings.LastIndexByte(r.key, '/'):]
	_, undone, err := r.begin(ctx, func(in *s3.CreateMultipartUploadInput) { in.Key = aws.String(outside) })
	if err != nil {
		return r.refused("s3:CreateMultipartUpload", err)
	}
	return r.allowed("s3:CreateMultipartUpload", fmt.Sprintf("the role may write outside its prefix: an upload of %s was accepted; %s", outside, undone), report.ArtefactIdentityBucket)
}

// unforced is a bucket that does not insist on the key: not wrong for brokerd's
// own uploads, and wrong when the policy says that it does.
func (r *run) unforced(what string) finding {
	f := r.allowed("s3:CreateMultipartUpload", what, report.ArtefactBucketPolicy)
	if !r.docs.enforcesKey(r.dest.Role, r.dest.KMSKey) {
		f.Result = report.Warn
	}
	f.Fix = "Add the Deny statements on other encryption that setup writes to the bucket policy (`brokerctl setup plan`)."
	return f
}

func askOtherSSE(ctx context.Context, r *run) finding {
	_, undone, err := r.begin(ctx, func(in *s3.CreateMultipartUploadInput) {
		in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled, in.SSEKMSEncryptionContext = types.ServerSideEncryptionAes256, nil, nil, nil
	})
	if err != nil {
		return r.refused("s3:CreateMultipartUpload", err)
	}
	return r.unforced("the bucket takes objects that S3's own key encrypts (AES256): an upload was accepted; " + undone)
}

func askNoSSE(ctx context.Context, r *run) finding {
	out, undone, err := r.begin(ctx, func(in *s3.CreateMultipartUploadInput) {
		in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled, in.SSEKMSEncryptionContext = "", nil, nil, nil
	})
	if err != nil {
		return r.refused("s3:CreateMultipartUpload", err)
	}
	if key := aws.ToString(out.SSEKMSKeyId); out.ServerSideEncryption == types.ServerSideEncryptionAwsKms && key == r.dest.KMSKey {
		return finding{Result: report.Pass, Detail: "the bucket's default encryption takes the same key; " + undone}
	}
	f := r.unforced(fmt.Sprintf("an object without encryption headers would be encrypted by %s %s, not by the key; %s", out.ServerSideEncryption, aws.ToString(out.SSEKMSKeyId), undone))
	f.Code, f.Result, f.Artefact = causeHeaderless, report.Warn, report.ArtefactEncryption
	f.Fix = "Set the bucket's default encryption to the key. brokerd's own uploads name it always."
	return f
}

// askOtherKey names a key of account B that there is not: a policy that insists
// on the key's own ARN refuses before KMS is asked.
func askOtherKey(ctx context.Context, r *run) finding {
	key := "arn:" + r.partition() + ":kms:" + r.dest.Region + ":" + r.accountB() + ":alias/brokerd-verify"
	_, undone, err := r.begin(ctx, func(in *s3.CreateMultipartUploadInput) {
		in.SSEKMSKeyId = aws.String(key)
	})
	if err == nil {
		return r.unforced("the bucket takes objects that another key encrypts: an upload with " + key + " was accepted; " + undone)
	}
	f := r.refused("s3:CreateMultipartUpload", err)
	if awserr.Classify(err, "s3").Class == awserr.KeyState {
		// It got as far as KMS: the bucket policy had no objection.
		if g := r.unforced("the bucket policy does not insist on the key's own ARN: a request with another name came as far as KMS"); g.Result == report.Fail || !r.docs.read(report.DocumentBucketPolicy) {
			g.Evidence = f.Evidence
			g.Result = report.Warn
			return g
		}
		f.Detail = "KMS knows no such key; the bucket policy does not insist on the key's own ARN"
	}
	return f
}

func askPublicACL(ctx context.Context, r *run) finding {
	_, undone, err := r.begin(ctx, func(in *s3.CreateMultipartUploadInput) { in.ACL = types.ObjectCannedACLPublicRead })
	if err != nil {
		return r.refused("s3:CreateMultipartUpload", err)
	}
	return r.allowed("s3:CreateMultipartUpload", "an upload with the ACL public-read was accepted; "+undone, report.ArtefactBucketPolicy)
}

func askList(ctx context.Context, r *run) finding {
	_, err := r.clients.asking(r.asRole(ctx)).ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(r.dest.Bucket), MaxKeys: aws.Int32(1), ExpectedBucketOwner: r.expectedOwner()})
	if err != nil {
		return r.refused("s3:ListObjectsV2", err)
	}
	return r.allowed("s3:ListObjectsV2", "the role may list the bucket", report.ArtefactIdentityBucket)
}

// askRead needs an object that is there: one that is not is refused to everybody
// who may not list, which proves nothing.
func askRead(ctx context.Context, r *run) finding {
	if r.canary == "" {
		return finding{Result: report.Skip, Detail: "it needs an object that is known to be there: run verify with --canary"}
	}
	out, err := r.clients.asking(r.asRole(ctx)).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(r.dest.Bucket), Key: aws.String(r.canary), ExpectedBucketOwner: r.expectedOwner()})
	if err != nil {
		return r.refused("s3:GetObject", err)
	}
	_ = out.Body.Close()
	return r.allowed("s3:GetObject", "the role may read what it wrote: "+r.canary, report.ArtefactIdentityBucket)
}

func askReadPolicy(ctx context.Context, r *run) finding {
	_, err := r.clients.asking(r.asRole(ctx)).GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: aws.String(r.dest.Bucket), ExpectedBucketOwner: r.expectedOwner()})
	if err != nil {
		return r.refused("s3:GetBucketPolicy", err)
	}
	f := r.allowed("s3:GetBucketPolicy", "the role may read the bucket policy", report.ArtefactIdentityBucket)
	f.Result = report.Warn
	return f
}

func askEncrypt(ctx context.Context, r *run) finding {
	_, err := r.clients.kms(r.asRole(ctx)).Encrypt(ctx, &kms.EncryptInput{KeyId: aws.String(r.dest.KMSKey), Plaintext: []byte{0}, DryRun: aws.Bool(true)})
	if info := awserr.Classify(err, "kms"); err == nil || info.Code == "DryRunOperationException" {
		f := r.allowed("kms:Encrypt (DryRun)", "the role may call kms:Encrypt itself, which no upload needs: S3 takes data keys", report.ArtefactIdentityKey)
		f.Evidence = []report.Evidence{callEvidence("kms:Encrypt (DryRun)", "it would have succeeded", err)}
		return f
	}
	return r.refused("kms:Encrypt (DryRun)", err)
}

func askDescribe(ctx context.Context, r *run) finding {
	_, err := r.clients.kms(r.asRole(ctx)).DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String(r.dest.KMSKey)})
	if err != nil {
		return r.refused("kms:DescribeKey", err)
	}
	f := r.allowed("kms:DescribeKey", "the role may describe the key, which no upload needs", report.ArtefactIdentityKey)
	f.Result = report.Warn
	return f
}
