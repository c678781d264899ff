package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// denied explains a refusal by fusing what the documents say, what AWS's text
// says, and what the same question with one thing changed is answered. The
// documents come first: AWS names one layer even when several refuse, says
// nothing at all to callers from other organizations, and names the resource's
// policy when the caller's own is what is missing.
func (d *diagnosis) denied(ctx context.Context, c finding, s step, info awserr.Info) []finding {
	text, told := d.errorText(c, s, info)
	if blockers := findingsFor(d.predicted.blockers, s.id); len(blockers) > 0 {
		out := d.confirmed(blockers, c, s, info)
		// A layer that no document shows, and that AWS names all the same.
		if told && text.precise && !d.docs.read(text.Artefact) && !slices.ContainsFunc(out, func(f finding) bool { return f.Artefact == text.Artefact }) {
			out = append(out, text.finding)
		}
		return out
	}
	if s.id == stepAssume {
		return d.assumeDenied(c, info)
	}
	if told {
		if suspects := findingsFor(d.predicted.suspects, s.id); !text.precise || d.docs.read(text.Artefact) {
			if same := slices.DeleteFunc(suspects, func(f finding) bool { return f.Artefact != text.Artefact }); len(same) > 0 {
				return d.confirmed(same, c, s, info)
			}
		}
		if d.docs.read(text.Artefact) {
			return []finding{d.contradicted(c, s, info, text.finding)}
		}
		return []finding{text.finding}
	}
	return d.unexplained(ctx, c, s)
}

// confirmed gives findings that follow from documents what AWS answered.
func (d *diagnosis) confirmed(list []finding, c finding, s step, info awserr.Info) []finding {
	out := make([]finding, 0, len(list))
	for _, f := range list {
		switch {
		case f.Confidence == report.Strong:
			f.Confidence = report.Proven // the documents and AWS agree
		case len(list) == 1:
			f.Confidence = report.Strong // the one statement that can explain it
		}
		f.takeCall(c)
		f.Detail = s.name + ": " + f.Detail
		if note := misleading(f, info); note != "" {
			f.Detail += ". " + note
		}
		out = append(out, f)
	}
	return out
}

// takeCall takes over what was seen of a call.
func (f *finding) takeCall(c finding) {
	f.AWSCode, f.AWSMessage, f.RequestID, f.HostID, f.HTTPStatus, f.Operation = c.AWSCode, c.AWSMessage, c.RequestID, c.HostID, c.HTTPStatus, c.Operation
	f.Evidence = slices.Concat(c.Evidence, f.Evidence)
}

// misleading corrects AWS's text where it names another policy than the one at fault.
func misleading(f finding, info awserr.Info) string {
	kind := kindOf(info)
	if kind == "" || kind == f.Artefact {
		return ""
	}
	return fmt.Sprintf("AWS's text names the %s: that is not where the fault is", noun(kind))
}

// kindOf is the artefact that AWS's text names.
func kindOf(info awserr.Info) string {
	isKMS := strings.HasPrefix(strings.ToLower(info.Action), "kms:")
	switch info.Layer {
	case awserr.LayerIdentity:
		return report.ArtefactIdentity
	case awserr.LayerKeyPolicy:
		return report.ArtefactKeyPolicy
	case awserr.LayerResource:
		if isKMS {
			return report.ArtefactKeyPolicy
		}
		return report.ArtefactBucketPolicy
	case awserr.LayerTrust:
		return report.ArtefactTrust
	}
	if other, ok := otherLayer(info.Layer); ok {
		return other.kind
	}
	return ""
}

// contradicted: AWS says that a document refuses, and the copy that was read
// does not.
func (d *diagnosis) contradicted(c finding, s step, info awserr.Info, text finding) finding {
	f := d.unseen(c, s, orText(info.Action, s.action))
	f.Detail = fmt.Sprintf("%s: AWS's text names the %s, and the copy of it that was read allows %s. Either the copy is old, or it is another one than AWS asks, or a policy that nobody here can see refuses", s.name, noun(text.Artefact), orText(info.Action, s.action))
	return f
}

// unexplained: AWS says "Access Denied" and not why.
func (d *diagnosis) unexplained(ctx context.Context, c finding, s step) []finding {
	if s.id == stepCreate && d.variant != nil {
		if f, ok := d.variant(ctx, c); ok {
			return f
		}
	}
	if suspects := findingsFor(d.predicted.suspects, s.id); len(suspects) > 0 {
		return d.confirmed(suspects, c, s, awserr.Info{})
	}
	identity, bucket := d.docs.read(report.DocumentIdentity) && d.docs.read(report.DocumentBoundary), d.docs.read(report.DocumentBucketPolicy)
	switch {
	case identity && bucket:
		return []finding{d.unseen(c, s, s.action)}
	case s.id == stepPart:
		return []finding{d.partSide(c, s)}
	}
	return []finding{d.bucketSide(c, s, identity, bucket)}
}

// unseen: every document that was read allows it, and AWS refuses. What remains
// is what neither account's administrators see.
func (d *diagnosis) unseen(c finding, s step, action string) finding {
	c.Code, c.Artefact, c.Confidence = causeUnseen, report.ArtefactUnseen, report.Strong
	var left []string
	for _, l := range []struct{ kind, text string }{
		{report.DocumentSCP, "a service control policy over account " + accountOrA(d.accountA())},
		{report.DocumentRCP, "a resource control policy over account " + accountOrB(d.accountB())},
		{report.DocumentEndpointPolicy, "the policy of a VPC endpoint on the way"},
		{report.DocumentBoundary, "a permissions boundary of the role"},
	} {
		if !d.docs.read(l.kind) {
			left = append(left, l.text)
		}
	}
	if len(left) == 0 {
		left = []string{"a copy that is older than the policy, or a condition key that AWS sets and nobody here knows"}
	}
	c.Detail = fmt.Sprintf("%s: every policy that was read allows %s, and AWS refuses it. What is left: %s", s.name, action, strings.Join(left, "; "))
	c.Assumptions = d.docs.unread()
	account := d.account(d.accountA())
	c.Repair = report.Fix{
		Kind: report.FixSetting, Target: d.dest.Role, Account: account, Owner: d.owner(report.ArtefactSCP, account),
		Text:    "Ask the administrators of the organizations for the policy that refuses. CloudTrail has the refusal: the command finds it by the session and the request id " + orText(c.RequestID, "of this report") + ".",
		Command: d.fixes.trailQuery(action),
	}
	return c
}

// keySide: KMS refuses, and it is not said which of the two policies.
func (d *diagnosis) keySide(c finding, action, doing string, identityRead, keyRead bool) finding {
	decrypt := strings.EqualFold(action, "kms:Decrypt")
	why := "without a data key S3 cannot encrypt"
	if decrypt {
		why = "S3 needs it for every part of a multipart upload: small files pass, large ones fail"
	}
	c.Assumptions = d.docs.unread()
	switch {
	case identityRead:
		c.Code, c.Account, c.Artefact, c.ArtefactARN, c.Confidence = causeKeyPolicy, d.accountB(), report.ArtefactKeyPolicy, d.dest.KMSKey, report.Strong
		if decrypt {
			c.Code = causeDecryptKey
		}
		c.Detail = fmt.Sprintf("%s: %s is refused, and the identity policy of the role allows it: so it is the key policy in account %s; %s", doing, action, d.accountB(), why)
		c.Fix, c.FixStatement = "Add this statement to the key policy.", d.fixes.statement(docKey, action)
	case keyRead:
		c.Code, c.Account, c.Artefact, c.ArtefactARN, c.Confidence = causeKeyIdentity, d.accountA(), report.ArtefactIdentity, d.dest.Role, report.Strong
		if decrypt {
			c.Code = causeDecryptIdentity
		}
		c.Detail = fmt.Sprintf("%s: %s is refused, and the key policy allows it: so it is the identity policy of the role in account %s; %s", doing, action, d.accountA(), why)
		c.Fix, c.FixStatement = "Add this statement to the identity policy of the role.", d.fixes.statement(docIdentity, action)
	default:
		c.Code, c.Artefact, c.ArtefactARN, c.Confidence = causeKeySide, report.ArtefactIdentityKey, d.dest.KMSKey, report.Weak
		c.Detail = fmt.Sprintf("%s: %s is refused, and AWS does not say by which side; %s", doing, action, why)
		c.Fix = fmt.Sprintf("Both must allow it: the key policy in account %s (this statement) and the identity policy of the role in account %s:\n%s", d.accountB(), d.accountA(), d.fixes.statement(docIdentity, action))
		c.FixStatement = d.fixes.statement(docKey, action)
	}
	return c
}

// partSide: the start of the upload passed by the same permission, and KMS says
// what it refuses. What is different is that a part carries no encryption headers.
func (d *diagnosis) partSide(c finding, s step) finding {
	c.Code, c.Account, c.Artefact, c.ArtefactARN, c.Confidence = causeBucketEncryption, d.accountB(), report.ArtefactBucketPolicy, d.bucketARN(), report.Weak
	c.Assumptions = d.docs.unread()
	c.Detail = s.name + ": S3 refuses it without saying why, and took the start of the same upload. A part carries no encryption headers: a Deny of the bucket policy that insists on them refuses every part, so that small objects arrive and large ones do not"
	c.Fix = "In account " + accountOrB(d.accountB()) + ", let the Deny statements on encryption speak of requests that carry the header (add `\"Null\": {\"s3:x-amz-server-side-encryption\": \"false\"}` to their conditions), as setup writes them. If there is no such statement, look for kms:Decrypt in the key policy and in the policy of the role."
	return c
}

// bucketSide: S3 refuses, and it is not said which of the two policies.
func (d *diagnosis) bucketSide(c finding, s step, identityRead, bucketRead bool) finding {
	c.Assumptions = d.docs.unread()
	switch {
	case d.dest.Role == "" || d.dest.Compatible:
		c.Code, c.Artefact, c.ArtefactARN, c.Confidence = causeS3Side, report.ArtefactIdentityBucket, d.bucketARN(), report.Weak
		c.Detail = fmt.Sprintf("%s: the store refuses %s", s.name, s.action)
		c.Fix = "Give the credentials the right to write below the prefix, in the store's own way."
	case identityRead:
		c.Code, c.Account, c.Artefact, c.ArtefactARN, c.Confidence = causeS3Bucket, d.accountB(), report.ArtefactBucketPolicy, d.bucketARN(), report.Weak
		c.Detail = fmt.Sprintf("%s: S3 refuses %s, and the policies of the role allow it: the bucket policy in account %s, which was not read, does not let the role in", s.name, s.action, d.accountB())
		c.Fix, c.FixStatement = "Add this statement to the bucket policy. If it is there: look for a Deny, a public statement together with RestrictPublicBuckets, and a resource control policy of the organization.", d.fixes.statement(docBucket, s.action)
	case bucketRead:
		c.Code, c.Account, c.Artefact, c.ArtefactARN, c.Confidence = causeS3Identity, d.accountA(), report.ArtefactIdentity, d.dest.Role, report.Weak
		c.Detail = fmt.Sprintf("%s: S3 refuses %s, and the bucket policy allows it: the identity policy of the role in account %s, which was not read, does not", s.name, s.action, d.accountA())
		c.Fix, c.FixStatement = "Add this statement to the identity policy of the role. If it is there: look at its permissions boundary, the service control policies and the VPC endpoint on the way.", d.fixes.statement(docIdentity, s.action)
	default:
		c.Code, c.Artefact, c.ArtefactARN, c.Confidence = causeS3Side, report.ArtefactIdentityBucket, d.bucketARN(), report.Weak
		c.Detail = fmt.Sprintf("%s: S3 refuses %s and does not say by which policy, as it does for callers outside the organization of the bucket's account. KMS refusals have a text, so it is S3's side", s.name, s.action)
		c.Fix = fmt.Sprintf("Two policies must allow it. In account %s, the bucket policy (this statement). In account %s, the identity policy of the role:\n%s\nIf both do: look for a Deny in the bucket policy, a public statement together with RestrictPublicBuckets, an RCP in B's organization, an SCP in A's, a VPC endpoint policy on the way. With the policies at hand (--policies) this is decided.",
			d.accountB(), d.accountA(), d.fixes.statement(docIdentity, s.action))
		c.FixStatement = d.fixes.statement(docBucket, s.action)
	}
	return c
}

// noRole is told before anything else of the policies: the others name the role.
func noRole(a *arrangement, c finding) finding {
	c.Code, c.Account, c.Artefact, c.ArtefactARN, c.step = causeNoRole, a.accountA(), report.ArtefactTrust, a.dest.Role, stepAssume
	c.Detail = fmt.Sprintf("there is no role %s: STS says the same for a role that is missing as for one that does not trust the caller", a.dest.Role)
	c.Fix = "Create the role (`brokerctl setup` does, and then what names it), or correct `role` in the configuration."
	return c
}

// assumeDenied explains a refused AssumeRole that the documents do not explain.
// STS says the same words whether the role is missing, does not trust the caller,
// or asks for a condition.
func (d *diagnosis) assumeDenied(c finding, info awserr.Info) []finding {
	source := orText(d.source, "the source identity")
	if info.Layer == awserr.LayerIdentity || info.Layer == awserr.LayerBoundary || info.Layer == awserr.LayerSCP {
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeSourcePolicy, awsarn.Account(d.source), report.ArtefactSourcePolicy, awsarn.Role(d.source)
		c.Detail = fmt.Sprintf("a policy of %s itself does not let it assume %s", source, d.dest.Role)
		c.Fix = fmt.Sprintf("In account %s, allow sts:AssumeRole on the role in the identity policy of %s.", accountOrB(awsarn.Account(d.source)), source)
		c.FixStatement = statementJSON(map[string]any{"Sid": "BrokerdAssumeRole", "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": d.dest.Role})
		return []finding{c}
	}
	c.Code, c.Account, c.Artefact, c.ArtefactARN, c.Confidence = causeTrust, d.accountA(), report.ArtefactTrust, d.dest.Role, report.Weak
	c.Assumptions = []string{"not read: trust policy"}
	c.Detail = fmt.Sprintf("the trust policy of %s in account %s does not let %s assume it, or there is no such role: STS says the same in both cases", d.dest.Role, d.accountA(), source)
	if d.dest.Session.ExternalID == "" {
		c.Detail += "; no external id is configured, so a trust policy that asks for one refuses as well"
	} else {
		c.Detail += "; an external id is configured and must be the one that the trust policy asks for"
	}
	c.FixStatement = d.fixes.statement(docTrust, "sts:AssumeRole")
	c.Fix = fmt.Sprintf("In account %s, add this statement to the trust policy of the role.", d.accountA())
	if d.docs.read(report.DocumentTrust) {
		c.Assumptions = nil
		c.Detail = fmt.Sprintf("STS refuses to let %s assume %s, although the trust policy that was read allows it: the policy of the source, a service control policy, or an old copy", source, d.dest.Role)
		c.Code, c.Artefact, c.ArtefactARN = causeSourcePolicy, report.ArtefactSourcePolicy, awsarn.Role(d.source)
		c.FixStatement = statementJSON(map[string]any{"Sid": "BrokerdAssumeRole", "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": d.dest.Role})
		c.Fix = "Add this statement to the identity policy of the source."
	}
	if awsarn.Account(d.source) != "" && awsarn.Account(d.source) != d.accountA() {
		c.Fix += fmt.Sprintf(" %s is in another account (%s) and needs an identity policy that allows sts:AssumeRole on the role, too.", d.source, awsarn.Account(d.source))
	}
	return []finding{c}
}
