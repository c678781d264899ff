package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/verify/report"
)

// checkOwnership finds settings with which the writer owns new objects, and the
// bucket's owner cannot read them.
func checkOwnership(_ context.Context, r *run) finding {
	state, why := r.docs.state(report.DocumentOwnership)
	if state == report.Unreadable {
		return r.notRead(report.DocumentOwnership, r.accountB(), report.ArtefactOwnership, r.bucketARN(), why)
	}
	var out struct {
		OwnershipControls struct {
			Rules []struct{ ObjectOwnership string }
		}
	}
	r.docs.setting(report.DocumentOwnership, &out)
	ownership := "ObjectWriter" // the default of buckets without the setting
	if len(out.OwnershipControls.Rules) > 0 {
		ownership = out.OwnershipControls.Rules[0].ObjectOwnership
	}
	switch {
	case ownership == "BucketOwnerEnforced":
		return finding{Result: report.Pass, Detail: "BucketOwnerEnforced"}
	case ownership == "BucketOwnerPreferred" && r.dest.ACL == "bucket-owner-full-control":
		return finding{Result: report.Pass, Detail: "BucketOwnerPreferred, and brokerd sends the ACL bucket-owner-full-control"}
	}
	account := r.account(r.accountB())
	return finding{
		Code:        causeOwnership,
		Result:      report.Warn,
		Account:     account.ID,
		Artefact:    report.ArtefactOwnership,
		ArtefactARN: r.bucketARN(),
		Confidence:  report.Strong,
		Detail: fmt.Sprintf(
			"object ownership is %s. Uploads succeed, but account %s owns the objects, and the bucket's owner cannot read them",
			ownership,
			r.accountA(),
		),
		Repair: report.Fix{
			Kind: report.FixSetting, Target: r.bucketARN(), Account: account, Owner: r.owner(report.ArtefactOwnership, account),
			Text: "Set object ownership to BucketOwnerEnforced. This disables ACLs for all writers of the bucket.",
			Command: "aws s3api put-bucket-ownership-controls --bucket " +
				r.dest.Bucket + " --ownership-controls 'Rules=[{ObjectOwnership=BucketOwnerEnforced}]'",
		},
	}
}

// checkDefaultEncryption looks at the default for writers that do not name a key;
// brokerd always names it.
func checkDefaultEncryption(_ context.Context, r *run) finding {
	state, why := r.docs.state(report.DocumentEncryption)
	if state == report.Unreadable {
		return r.notRead(report.DocumentEncryption, r.accountB(), report.ArtefactEncryption, r.bucketARN(), why)
	}
	var out struct {
		ServerSideEncryptionConfiguration struct {
			Rules []struct {
				ApplyServerSideEncryptionByDefault struct{ SSEAlgorithm, KMSMasterKeyID string }
			}
		}
	}
	r.docs.setting(report.DocumentEncryption, &out)
	algorithm, key := "AES256", "" // S3's own default
	if rules := out.ServerSideEncryptionConfiguration.Rules; len(rules) > 0 {
		algorithm, key = rules[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm, rules[0].ApplyServerSideEncryptionByDefault.KMSMasterKeyID
	}
	if !strings.HasPrefix(algorithm, "aws:kms") || key == r.dest.KMSKey {
		return finding{Result: report.Pass, Detail: strings.TrimSpace(algorithm + " " + key)}
	}
	f := finding{
		Code:        causeDefaultAlias,
		Result:      report.Warn,
		Account:     r.accountB(),
		Artefact:    report.ArtefactEncryption,
		ArtefactARN: r.bucketARN(),
		Confidence:  report.Strong,
	}
	switch {
	case key == "" || strings.HasSuffix(key, "alias/aws/s3"):
		f.Code = causeDefaultManaged
		f.Detail = "the default encryption uses the AWS managed key aws/s3, which no other account can use: a write without " +
			"encryption headers fails"
	case !strings.Contains(key, ":key/"):
		f.Detail = fmt.Sprintf(
			"the default encryption names %q, which S3 looks up in the writer's account: for account %s it is another key, or none",
			key,
			accountOrA(r.accountA()),
		)
	default:
		f.Detail = fmt.Sprintf("the default encryption uses %s and not the key of this destination", key)
	}
	f.Detail += ". brokerd always sends the headers"
	account := r.account(r.accountB())
	rule, _ := json.Marshal(map[string]any{"Rules": []any{map[string]any{
		"ApplyServerSideEncryptionByDefault": map[string]string{
			"SSEAlgorithm":   "aws:kms",
			"KMSMasterKeyID": r.dest.KMSKey,
		}, "BucketKeyEnabled": r.bucketKey(),
	}}})
	f.Repair = report.Fix{
		Kind: report.FixSetting, Target: r.bucketARN(), Patch: rule, Account: account, Owner: r.owner(report.ArtefactEncryption, account),
		Text: "Name the key by its full ARN in the bucket's default encryption. The default, and its Bucket Key setting, " +
			"apply to all writers that send no encryption headers.",
		Command: "aws s3api put-bucket-encryption --bucket " + r.dest.Bucket + " --server-side-encryption-configuration " + quote(string(rule)),
	}
	return f
}

// checkReadKey reports the state of the key from the documents.
func checkReadKey(_ context.Context, r *run) []finding {
	out := r.readKeyState()
	for i := range out {
		if out[i].Result == report.Fail {
			out[i].Confirms = r.reportedBy(out[i])
		}
	}
	return out
}

// checkPayment finds Requester Pays, to which brokerd does not agree.
func checkPayment(_ context.Context, r *run) finding {
	state, why := r.docs.state(report.DocumentPayment)
	if state == report.Unreadable {
		return r.notRead(report.DocumentPayment, r.accountB(), report.ArtefactBucket, r.bucketARN(), why)
	}
	var out struct{ Payer string }
	r.docs.setting(report.DocumentPayment, &out)
	if out.Payer != "Requester" {
		return finding{Result: report.Pass, Detail: "the bucket's owner"}
	}
	f := r.diagnosis.requesterPays(finding{Result: report.Fail})
	f.Confirms = r.reportedBy(f)
	return f
}
