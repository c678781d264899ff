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

// negative makes one request that AWS must refuse.
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

// asRole returns a session of the role without brokerd's session policy: another user
// of the role has those rights.
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

// refused judges the error of a request: a refusal passes.
func (r *run) refused(operation string, err error) finding {
	service, _, _ := strings.Cut(operation, ":")
	info := awserr.Classify(err, service)
	seen := []report.Evidence{callEvidence(operation, "refused, as required", err)}
	switch {
	case info.Class == awserr.AccessDenied, info.Code == "AccessControlListNotSupported":
		return finding{Result: report.Pass, Detail: "refused (" + info.Code + ")", Evidence: seen}
	case info.Class == awserr.NotFound, info.Class == awserr.KeyState, info.Class == awserr.Invalid:
		return finding{Result: report.Pass, Detail: fmt.Sprintf("not possible (%s)", info.Code), Evidence: seen}
	}
	seen[0].Text = "no answer that decides it"
	return finding{
		Code:     causeUndecided,
		Result:   report.Unknown,
		Advisory: true,
		Artefact: report.ArtefactService,
		Evidence: seen,
		Detail:   "the service did not decide: " + orText(info.Code, rootCause(err)),
		Fix:      "Run verify again.",
	}
}

// allowed is the finding for a request that AWS did not refuse.
func (r *run) allowed(operation, what string, kind string) finding {
	account := r.accountOfKind(kind)
	return finding{
		Result: report.Fail, Account: account.ID, Artefact: kind, ArtefactARN: r.target(kind), Confidence: report.Proven,
		Evidence: []report.Evidence{{Source: report.SourceProbe, Operation: operation, HTTPStatus: 200, Text: "accepted, and must be refused"}},
		Detail:   what,
		Fix:      "Reduce the rights of the role to those that setup writes: `brokerctl setup plan` shows the difference.",
	}
}

// begin starts an upload that S3 must refuse, and aborts it if S3 accepts it.
func (r *run) begin(ctx context.Context, change func(*s3.CreateMultipartUploadInput)) (*s3.CreateMultipartUploadOutput, string, error) {
	in := r.createInput()
	change(in)
	api := r.clients.asking(r.asRole(ctx))
	out, err := api.CreateMultipartUpload(ctx, in)
	if err != nil {
		return nil, "", err
	}
	r.uploads.opened(in, aws.ToString(out.UploadId))
	undone := "verify aborted it"
	if err := r.uploads.abortUpload(ctx, api, in, aws.ToString(out.UploadId)); err != nil {
		undone = fmt.Sprintf(
			"verify could NOT abort it: `aws s3api abort-multipart-upload --bucket %s --key %s --upload-id %s`",
			r.dest.Bucket,
			aws.ToString(in.Key),
			aws.ToString(out.UploadId),
		)
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
	r.calls.spend(ctx)
	_, err := r.sessions.AssumeOnce(ctx, r.dest.Name, broker.AssumeOverrides{Unscoped: true, ExternalID: &id})
	if err != nil {
		return r.refused("sts:AssumeRole", err)
	}
	f := r.allowed(
		"sts:AssumeRole",
		"the role can be assumed "+how+": the trust policy does not want it. verify dropped the session",
		report.ArtefactTrust,
	)
	f.FixStatement = r.fixes.statement(docTrust, "sts:AssumeRole")
	f.Fix = "Replace every statement of the trust policy that allows the source without the condition by this one."
	if at := r.predicted.openTrust(id); at != nil && f.FixStatement != "" {
		f.Statement = at
		f.Repair = r.fixes.replaceStatement(
			f,
			at,
			json.RawMessage(f.FixStatement),
			fmt.Sprintf("Replace statement %s of the trust policy by this one.", statementName(at)),
		)
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
	return r.allowed(
		"s3:CreateMultipartUpload",
		fmt.Sprintf("the role may write outside its prefix: S3 accepted an upload of %s; %s", outside, undone),
		report.ArtefactIdentityBucket,
	)
}

// unforced is the finding for a bucket that accepts other encryption. It is a warning,
// because brokerd always names the key, unless the policy says that it denies it.
func (r *run) unforced(what string) finding {
	f := r.allowed("s3:CreateMultipartUpload", what, report.ArtefactBucketPolicy)
	if !r.docs.enforcesKey(r.dest.Role, r.dest.KMSKey) {
		f.Result = report.Warn
	}
	f.Fix = "Add setup's Deny statements for other encryption to the bucket policy (`brokerctl setup plan` shows them). " +
		"They deny it to all writers of the prefix."
	return f
}

func askOtherSSE(ctx context.Context, r *run) finding {
	_, undone, err := r.begin(ctx, func(in *s3.CreateMultipartUploadInput) {
		in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled, in.SSEKMSEncryptionContext = types.ServerSideEncryptionAes256, nil, nil, nil
	})
	if err != nil {
		return r.refused("s3:CreateMultipartUpload", err)
	}
	return r.unforced("the bucket accepts objects with SSE-S3 (AES256): S3 accepted an upload; " + undone)
}

func askNoSSE(ctx context.Context, r *run) finding {
	out, undone, err := r.begin(ctx, func(in *s3.CreateMultipartUploadInput) {
		in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled, in.SSEKMSEncryptionContext = "", nil, nil, nil
	})
	if err != nil {
		return r.refused("s3:CreateMultipartUpload", err)
	}
	if key := aws.ToString(out.SSEKMSKeyId); out.ServerSideEncryption == types.ServerSideEncryptionAwsKms && key == r.dest.KMSKey {
		return finding{Result: report.Pass, Detail: "the bucket's default encryption uses the same key; " + undone}
	}
	f := r.unforced(
		fmt.Sprintf(
			"an object without encryption headers is encrypted by %s %s, not by the key; %s",
			out.ServerSideEncryption,
			aws.ToString(out.SSEKMSKeyId),
			undone,
		),
	)
	f.Code, f.Result, f.Artefact = causeHeaderless, report.Warn, report.ArtefactEncryption
	f.Fix = "Set the bucket's default encryption to the key. The default applies to all writers; brokerd's uploads always name the key."
	return f
}

// askOtherKey names an alias that does not exist: a policy that wants the key's own ARN
// refuses before S3 calls KMS.
func askOtherKey(ctx context.Context, r *run) finding {
	key := "arn:" + r.partition() + ":kms:" + r.dest.Region + ":" + r.accountB() + ":alias/brokerd-verify"
	_, undone, err := r.begin(ctx, func(in *s3.CreateMultipartUploadInput) {
		in.SSEKMSKeyId = aws.String(key)
	})
	if err == nil {
		return r.unforced("the bucket accepts objects with another key: S3 accepted an upload with " + key + "; " + undone)
	}
	f := r.refused("s3:CreateMultipartUpload", err)
	if awserr.Classify(err, "s3").Class == awserr.KeyState {
		// S3 called KMS, so the bucket policy did not refuse.
		if g := r.unforced("the bucket policy does not want the key's own ARN: S3 passed a request with another name to KMS"); g.Result ==
			report.Fail ||
			!r.docs.read(report.DocumentBucketPolicy) {
			g.Evidence = f.Evidence
			g.Result = report.Warn
			return g
		}
		f.Detail = "KMS has no such key; the bucket policy does not want the key's own ARN"
	}
	return f
}

func askPublicACL(ctx context.Context, r *run) finding {
	_, undone, err := r.begin(ctx, func(in *s3.CreateMultipartUploadInput) { in.ACL = types.ObjectCannedACLPublicRead })
	if err != nil {
		return r.refused("s3:CreateMultipartUpload", err)
	}
	return r.allowed("s3:CreateMultipartUpload", "S3 accepted an upload with the ACL public-read; "+undone, report.ArtefactBucketPolicy)
}

func askList(ctx context.Context, r *run) finding {
	_, err := r.clients.asking(r.asRole(ctx)).
		ListObjectsV2(
			ctx, &s3.ListObjectsV2Input{Bucket: aws.String(r.dest.Bucket), MaxKeys: aws.Int32(1), ExpectedBucketOwner: r.expectedOwner()},
		)
	if err != nil {
		return r.refused("s3:ListObjectsV2", err)
	}
	return r.allowed("s3:ListObjectsV2", "the role may list the bucket", report.ArtefactIdentityBucket)
}

// askRead needs an object that exists: S3 refuses a missing object to every caller
// without s3:ListBucket.
func askRead(ctx context.Context, r *run) finding {
	if r.canary == "" {
		return finding{Result: report.Skip, Detail: "it needs an existing object: run verify with --canary"}
	}
	out, err := r.clients.asking(r.asRole(ctx)).
		GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(r.dest.Bucket), Key: aws.String(r.canary), ExpectedBucketOwner: r.expectedOwner()})
	if err != nil {
		return r.refused("s3:GetObject", err)
	}
	_ = out.Body.Close()
	return r.allowed("s3:GetObject", "the role may read its own objects: "+r.canary, report.ArtefactIdentityBucket)
}

func askReadPolicy(ctx context.Context, r *run) finding {
	_, err := r.clients.asking(r.asRole(ctx)).
		GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: aws.String(r.dest.Bucket), ExpectedBucketOwner: r.expectedOwner()})
	if err != nil {
		return r.refused("s3:GetBucketPolicy", err)
	}
	f := r.allowed("s3:GetBucketPolicy", "the role may read the bucket policy", report.ArtefactIdentityBucket)
	f.Result = report.Warn
	return f
}

func askEncrypt(ctx context.Context, r *run) finding {
	_, err := r.clients.kms(r.asRole(ctx)).
		Encrypt(ctx, &kms.EncryptInput{KeyId: aws.String(r.dest.KMSKey), Plaintext: []byte{0}, DryRun: aws.Bool(true)})
	if info := awserr.Classify(err, "kms"); err == nil || info.Code == "DryRunOperationException" {
		f := r.allowed(
			"kms:Encrypt (DryRun)",
			"the role may call kms:Encrypt, which no upload needs: S3 uses data keys",
			report.ArtefactIdentityKey,
		)
		f.Evidence = []report.Evidence{callEvidence("kms:Encrypt (DryRun)", "it would succeed", err)}
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
