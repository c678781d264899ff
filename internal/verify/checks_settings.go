package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// principalsOf lists the principals of a statement.
func principalsOf(s statementParts) []string {
	var classes map[string]policytext.StringList
	if json.Unmarshal(s.Principal, &classes) == nil {
		return classes["AWS"]
	}
	return nil
}

// checkOwnership: with other settings the writer owns its objects, and the
// bucket's owner cannot read them.
func checkOwnership(_ context.Context, p *probe) finding {
	state, why := p.docs.state(report.DocumentOwnership)
	if state == report.Unreadable {
		return p.notRead(report.DocumentOwnership, p.accountB(), report.ArtefactOwnership, p.bucketARN(), why)
	}
	var out struct {
		OwnershipControls struct {
			Rules []struct{ ObjectOwnership string }
		}
	}
	p.docs.setting(report.DocumentOwnership, &out)
	ownership := "ObjectWriter" // of buckets that never had the setting
	if len(out.OwnershipControls.Rules) > 0 {
		ownership = out.OwnershipControls.Rules[0].ObjectOwnership
	}
	switch {
	case ownership == "BucketOwnerEnforced":
		return finding{Result: report.Pass, Detail: "BucketOwnerEnforced"}
	case ownership == "BucketOwnerPreferred" && p.dest.ACL == "bucket-owner-full-control":
		return finding{Result: report.Pass, Detail: "BucketOwnerPreferred, and brokerd sends the ACL bucket-owner-full-control"}
	}
	account := p.account(p.accountB())
	return finding{Code: causeOwnership, Result: report.Warn, Account: account.ID, Artefact: report.ArtefactOwnership, ArtefactARN: p.bucketARN(), Confidence: report.Strong,
		Detail: fmt.Sprintf("object ownership is %s: uploads succeed, and the objects belong to account %s, so that the bucket's owner cannot read them", ownership, p.accountA()),
		Repair: report.Fix{
			Kind: report.FixSetting, Target: p.bucketARN(), Account: account, Owner: p.owner(report.ArtefactOwnership, account),
			Text:    "Set object ownership to BucketOwnerEnforced.",
			Command: "aws s3api put-bucket-ownership-controls --bucket " + p.dest.Bucket + " --ownership-controls 'Rules=[{ObjectOwnership=BucketOwnerEnforced}]'",
		}}
}

// ownership is the bucket's setting; empty when it has none, or it was not read.
func (p *probe) ownership() string {
	var out struct {
		OwnershipControls struct {
			Rules []struct{ ObjectOwnership string }
		}
	}
	p.docs.setting(report.DocumentOwnership, &out)
	if len(out.OwnershipControls.Rules) == 0 {
		return ""
	}
	return out.OwnershipControls.Rules[0].ObjectOwnership
}

// checkDefaultEncryption: brokerd always names the key; others that write to the
// bucket, and tools that copy in it, may not.
func checkDefaultEncryption(_ context.Context, p *probe) finding {
	state, why := p.docs.state(report.DocumentEncryption)
	if state == report.Unreadable {
		return p.notRead(report.DocumentEncryption, p.accountB(), report.ArtefactEncryption, p.bucketARN(), why)
	}
	var out struct {
		ServerSideEncryptionConfiguration struct {
			Rules []struct {
				ApplyServerSideEncryptionByDefault struct{ SSEAlgorithm, KMSMasterKeyID string }
			}
		}
	}
	p.docs.setting(report.DocumentEncryption, &out)
	algorithm, key := "AES256", "" // S3's own default
	if rules := out.ServerSideEncryptionConfiguration.Rules; len(rules) > 0 {
		algorithm, key = rules[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm, rules[0].ApplyServerSideEncryptionByDefault.KMSMasterKeyID
	}
	if !strings.HasPrefix(algorithm, "aws:kms") || key == p.dest.KMSKey {
		return finding{Result: report.Pass, Detail: strings.TrimSpace(algorithm + " " + key)}
	}
	f := finding{Code: causeDefaultAlias, Result: report.Warn, Account: p.accountB(), Artefact: report.ArtefactEncryption, ArtefactARN: p.bucketARN(), Confidence: report.Strong}
	switch {
	case key == "" || strings.HasSuffix(key, "alias/aws/s3"):
		f.Code = causeDefaultManaged
		f.Detail = "the default encryption uses the AWS managed key aws/s3, which no other account can ever use: a write without encryption headers fails"
	case !strings.Contains(key, ":key/"):
		f.Detail = fmt.Sprintf("the default encryption names %q, which is looked up in the account of whoever writes: from account %s it is another key, or none", key, orA(p.accountA()))
	default:
		f.Detail = fmt.Sprintf("the default encryption uses %s and not the key of this destination", key)
	}
	f.Detail += ". brokerd always sends the headers"
	account := p.account(p.accountB())
	rule, _ := json.Marshal(map[string]any{"Rules": []any{map[string]any{
		"ApplyServerSideEncryptionByDefault": map[string]string{"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": p.dest.KMSKey}, "BucketKeyEnabled": p.bucketKey(),
	}}})
	f.Repair = report.Fix{
		Kind: report.FixSetting, Target: p.bucketARN(), Patch: rule, Account: account, Owner: p.owner(report.ArtefactEncryption, account),
		Text:    "Name the key by its full ARN in the bucket's default encryption.",
		Command: "aws s3api put-bucket-encryption --bucket " + p.dest.Bucket + " --server-side-encryption-configuration " + quote(string(rule)),
	}
	return f
}

// checkReadKey tells the state of the key, unless a call has told it.
func checkReadKey(_ context.Context, p *probe) []finding {
	out := p.readKeyState()
	for i := range out {
		if out[i].Result == report.Fail {
			out[i].Confirms = p.toldBy(out[i])
		}
	}
	return out
}

// checkPayment: brokerd does not agree to pay.
func checkPayment(_ context.Context, p *probe) finding {
	state, why := p.docs.state(report.DocumentPayment)
	if state == report.Unreadable {
		return p.notRead(report.DocumentPayment, p.accountB(), report.ArtefactBucket, p.bucketARN(), why)
	}
	var out struct{ Payer string }
	p.docs.setting(report.DocumentPayment, &out)
	if out.Payer != "Requester" {
		return finding{Result: report.Pass, Detail: "the bucket's owner"}
	}
	f := p.requesterPays(finding{Result: report.Fail})
	f.Confirms = p.toldBy(f)
	return f
}
