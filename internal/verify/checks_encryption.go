package verify

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/verify/report"
)

const (
	codeEncrypt = "BRK-KMS-001"
	codeDirect  = "BRK-KMS-003"
)

func encryptionChecks() []check {
	return []check{
		{codeEncrypt, report.CategoryEncryption, "S3 uses the configured key", []string{codeCreate}, one(checkEncryption)},
		{
			codeDirect,
			report.CategoryEncryption,
			"the key works through S3, and through S3 only",
			[]string{codeConfig, codeKeyName, codeIdentity},
			one(checkDirect),
		},
	}
}

// checkEncryption compares the response of S3 with the request.
func checkEncryption(_ context.Context, r *run) finding {
	return r.compareKey(r.created.ServerSideEncryption, aws.ToString(r.created.SSEKMSKeyId))
}

func (r *run) compareKey(got types.ServerSideEncryption, key string) finding {
	switch {
	case r.dest.KMSKey == "":
		return finding{
			Code:     causeNoKeyProof,
			Result:   report.Unknown,
			Artefact: report.ArtefactEncryption,
			Detail:   fmt.Sprintf("no key is configured; the store reports encryption %q", got),
		}
	case got == types.ServerSideEncryptionAwsKms && key == r.dest.KMSKey:
		return finding{Result: report.Pass, Detail: "S3 reports aws:kms with " + key}
	case r.dest.Compatible && got == types.ServerSideEncryptionAwsKms:
		return finding{
			Code:     causeNoKeyProof,
			Result:   report.Unknown,
			Artefact: report.ArtefactEncryption,
			Detail:   fmt.Sprintf("the compatible store reports aws:kms with key %q, which is not literally the configured %q", key, r.dest.KMSKey),
		}
	case r.dest.Compatible && got == "":
		return finding{
			Code:     causeNoKeyProof,
			Result:   report.Unknown,
			Artefact: report.ArtefactEncryption,
			Detail:   "the compatible store does not report encryption",
		}
	}
	return finding{
		Code:        causeOtherKey,
		Result:      report.Fail,
		Account:     r.accountB(),
		Artefact:    report.ArtefactEncryption,
		ArtefactARN: r.bucketARN(),
		Confidence:  report.Proven,
		Detail:      fmt.Sprintf("the request asks for aws:kms with %s, and S3 reports %q with %q", r.dest.KMSKey, got, key),
		Fix: "Do not upload before you know the cause: a proxy may change or drop the encryption headers. " +
			"For a store other than AWS without SSE-KMS, set `compatible: true` and leave `kms_key` empty.",
	}
}

// directUse is the answer of KMS to the session itself.
type directUse struct {
	allowed bool
	info    awserr.Info
	seen    report.Evidence
}

// checkDirect asks KMS for a data key with DryRun. The meaning of the answer depends on
// the policies: with kms:ViaService, which setup writes, KMS must refuse. The state of
// the key shows in either case.
func checkDirect(ctx context.Context, r *run) finding {
	if r.dest.Compatible || r.dest.KMSKey == "" {
		return finding{Result: report.Skip, Detail: "no KMS key of AWS is configured"}
	}
	ctx, release, ok := r.calls.reserve(ctx, 1)
	defer release()
	if !ok {
		return usedUp()
	}
	encryptionContext := map[string]string{"aws:s3:arn": r.objectARN()}
	if r.bucketKey() {
		encryptionContext["aws:s3:arn"] = r.bucketARN()
	}
	for k, v := range r.dest.EncryptionContext {
		encryptionContext[k] = v
	}
	// Always with DryRun: else KMS would answer with a key in plain text.
	_, err := r.clients.kms(r.clients.session).GenerateDataKey(ctx, &kms.GenerateDataKeyInput{
		KeyId: aws.String(r.dest.KMSKey), NumberOfBytes: aws.Int32(32), EncryptionContext: encryptionContext, DryRun: aws.Bool(true),
	})
	r.direct = &directUse{info: awserr.Classify(err, "kms"), seen: callEvidence("kms:GenerateDataKey (DryRun)", "", err)}
	r.direct.allowed = r.direct.info.Code == "DryRunOperationException"
	return r.judgeDirect(ctx, err)
}

func (r *run) judgeDirect(ctx context.Context, err error) finding {
	seen := []report.Evidence{r.direct.seen}
	through := r.passed[stepCreate]
	switch d := r.direct; {
	case err == nil:
		return finding{
			Code:       causeOther,
			Result:     report.Fail,
			Artefact:   report.ArtefactService,
			Confidence: report.Proven,
			Evidence:   seen,
			Detail:     "KMS returned a data key in spite of DryRun; verify dropped it",
			Fix:        "The endpoint does not support DryRun, so it is not KMS: correct `endpoints.kms`.",
		}
	case d.allowed && r.predicted.predictsDirect() == iampolicy.ImplicitDeny,
		d.allowed && r.predicted.predictsDirect() == iampolicy.ExplicitDeny:
		return finding{
			Code:        causeStaleCopy,
			Result:      report.Warn,
			Account:     awsarn.Account(r.dest.KMSKey),
			Artefact:    report.ArtefactKeyPolicy,
			ArtefactARN: r.dest.KMSKey,
			Evidence:    seen,
			Detail: "KMS lets the role use the key outside S3, and the policies that were read do not. " +
				"The copies are old, or a grant allows it",
			Fix: "Read the policies again, and list the grants of the key (`aws kms list-grants`).",
		}
	case d.allowed:
		return finding{
			Code:         causeKeyDirect,
			Result:       report.Warn,
			Account:      awsarn.Account(r.dest.KMSKey),
			Artefact:     report.ArtefactKeyPolicy,
			ArtefactARN:  r.dest.KMSKey,
			Evidence:     seen,
			Detail:       "the key works. The role may also use it outside S3: neither policy has the condition kms:ViaService",
			Fix:          "Replace the role's statement in the key policy by this one.",
			FixStatement: r.fixes.statement(docKey, "kms:GenerateDataKey"),
		}
	case d.info.Class == awserr.KeyState:
		f := finding{
			Result:     report.Fail,
			Confidence: report.Proven,
			Operation:  d.seen.Operation,
			AWSCode:    d.seen.AWSCode,
			AWSMessage: d.seen.AWSMessage,
			RequestID:  d.seen.RequestID,
			HTTPStatus: d.seen.HTTPStatus,
			step:       stepCreate,
		}
		r.diagnosis.keyState(&f, d.info.Code, "")
		return f
	case d.info.Class == awserr.AccessDenied && through:
		return finding{
			Result:   report.Pass,
			Detail:   "KMS refuses the role outside S3, as kms:ViaService wants; through S3 the key works",
			Evidence: seen,
		}
	case d.info.Class == awserr.AccessDenied:
		return finding{
			Code:        causeKeyUnproven,
			Result:      report.Unknown,
			Advisory:    true,
			Artefact:    report.ArtefactKeyPolicy,
			ArtefactARN: r.dest.KMSKey,
			Account:     awsarn.Account(r.dest.KMSKey),
			Evidence:    seen,
			Detail:      "KMS refuses the role outside S3, which is right with kms:ViaService. Whether the key works through S3 is not known",
			Fix:         "Repair the start of the upload, and run verify again.",
		}
	}
	f := r.diagnosis.diagnose(
		ctx, step{name: "asking KMS", service: "kms", action: "kms:GenerateDataKey", operation: "kms:GenerateDataKey (DryRun)",
			id: stepCreate}, err,
	)[0]
	if f.Result == report.Fail {
		f.Result = report.Unknown
	}
	f.Advisory = true // deliveries do not need this call
	return f
}
