package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// denied explains a refusal by fusing what the documents say, what AWS's text
// says, and what the same question with one thing changed is answered. The
// documents come first: AWS names one layer even when several refuse, says
// nothing at all to callers from other organizations, and names the resource's
// policy when the caller's own is what is missing.
func (p *probe) denied(ctx context.Context, c finding, s step, info awserr.Info) []finding {
	text, told := p.byText(c, s, info)
	if blockers := of(p.predicted.blockers, s.id); len(blockers) > 0 {
		out := p.confirmed(blockers, c, s, info)
		// A layer that no document shows, and that AWS names all the same.
		if told && text.precise && !p.docs.read(text.Artefact) && !slices.ContainsFunc(out, func(f finding) bool { return f.Artefact == text.Artefact }) {
			out = append(out, text.finding)
		}
		return out
	}
	if s.id == stepAssume {
		return p.assumeDenied(c, info)
	}
	if told {
		if suspects := of(p.predicted.suspects, s.id); !text.precise || p.docs.read(text.Artefact) {
			if same := slices.DeleteFunc(suspects, func(f finding) bool { return f.Artefact != text.Artefact }); len(same) > 0 {
				return p.confirmed(same, c, s, info)
			}
		}
		if p.docs.read(text.Artefact) {
			return []finding{p.contradicted(c, s, info, text.finding)}
		}
		return []finding{text.finding}
	}
	return p.untold(ctx, c, s)
}

// confirmed gives findings that follow from documents what AWS answered.
func (p *probe) confirmed(list []finding, c finding, s step, info awserr.Info) []finding {
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
func (p *probe) contradicted(c finding, s step, info awserr.Info, text finding) finding {
	f := p.unseen(c, s, orText(info.Action, s.action))
	f.Detail = fmt.Sprintf("%s: AWS's text names the %s, and the copy of it that was read allows %s. Either the copy is old, or it is another one than AWS asks, or a policy that nobody here can see refuses", s.name, noun(text.Artefact), orText(info.Action, s.action))
	return f
}

// untold: AWS says "Access Denied" and not why.
func (p *probe) untold(ctx context.Context, c finding, s step) []finding {
	if s.id == stepCreate {
		if f, ok := p.differ(ctx, c); ok {
			return f
		}
	}
	if suspects := of(p.predicted.suspects, s.id); len(suspects) > 0 {
		return p.confirmed(suspects, c, s, awserr.Info{})
	}
	identity, bucket := p.docs.read(report.DocumentIdentity) && p.docs.read(report.DocumentBoundary), p.docs.read(report.DocumentBucketPolicy)
	switch {
	case identity && bucket:
		return []finding{p.unseen(c, s, s.action)}
	case s.id == stepPart:
		return []finding{p.partSide(c, s)}
	}
	return []finding{p.bucketSide(c, s, identity, bucket)}
}

// unseen: every document that was read allows it, and AWS refuses. What remains
// is what neither account's administrators see.
func (p *probe) unseen(c finding, s step, action string) finding {
	c.Code, c.Artefact, c.Confidence = causeUnseen, report.ArtefactUnseen, report.Strong
	var left []string
	for _, l := range []struct{ kind, text string }{
		{report.DocumentSCP, "a service control policy over account " + orA(p.accountA())},
		{report.DocumentRCP, "a resource control policy over account " + orUnknown(p.accountB())},
		{report.DocumentEndpointPolicy, "the policy of a VPC endpoint on the way"},
		{report.DocumentBoundary, "a permissions boundary of the role"},
	} {
		if !p.docs.read(l.kind) {
			left = append(left, l.text)
		}
	}
	if len(left) == 0 {
		left = []string{"a copy that is older than the policy, or a condition key that AWS sets and nobody here knows"}
	}
	c.Detail = fmt.Sprintf("%s: every policy that was read allows %s, and AWS refuses it. What is left: %s", s.name, action, strings.Join(left, "; "))
	c.Assumptions = p.unread()
	account := p.account(p.accountA())
	c.Repair = report.Fix{
		Kind: report.FixSetting, Target: p.dest.Role, Account: account, Owner: p.owner(report.ArtefactSCP, account),
		Text:    "Ask the administrators of the organizations for the policy that refuses. CloudTrail has the refusal: the command finds it by the session and the request id " + orText(c.RequestID, "of this report") + ".",
		Command: p.trailQuery(action),
	}
	return c
}

// trailQuery finds a refusal in CloudTrail. Calls to S3 objects are data events,
// which LookupEvents does not have: they are in a trail's or an event data store.
func (p *probe) trailQuery(action string) string {
	session := p.sessionARN()
	if strings.HasPrefix(action, "kms:") || strings.HasPrefix(action, "sts:") {
		name := session[strings.LastIndexByte(session, '/')+1:]
		return fmt.Sprintf("aws cloudtrail lookup-events --region %s --lookup-attributes AttributeKey=Username,AttributeValue=%s --query 'Events[].CloudTrailEvent' --output text", p.dest.Region, quote(name))
	}
	return fmt.Sprintf(`aws cloudtrail start-query --region %s --query-statement "SELECT eventTime, eventName, errorCode, errorMessage, vpcEndpointId, requestID FROM EVENT_DATA_STORE_ID WHERE userIdentity.arn = '%s' AND errorCode = 'AccessDenied'"`, p.dest.Region, session)
}

// keySide: KMS refuses, and it is not said which of the two policies.
func (p *probe) keySide(c finding, action, doing string, identityRead, keyRead bool) finding {
	decrypt := strings.EqualFold(action, "kms:Decrypt")
	why := "without a data key S3 cannot encrypt"
	if decrypt {
		why = "S3 needs it for every part of a multipart upload: small files pass, large ones fail"
	}
	c.Assumptions = p.unread()
	switch {
	case identityRead:
		c.Code, c.Account, c.Artefact, c.ArtefactARN, c.Confidence = causeKeyPolicy, p.accountB(), report.ArtefactKeyPolicy, p.dest.KMSKey, report.Strong
		if decrypt {
			c.Code = causeDecryptKey
		}
		c.Detail = fmt.Sprintf("%s: %s is refused, and the identity policy of the role allows it: so it is the key policy in account %s; %s", doing, action, p.accountB(), why)
		c.Fix, c.FixStatement = "Add this statement to the key policy.", p.statement(docKey, action)
	case keyRead:
		c.Code, c.Account, c.Artefact, c.ArtefactARN, c.Confidence = causeKeyIdentity, p.accountA(), report.ArtefactIdentity, p.dest.Role, report.Strong
		if decrypt {
			c.Code = causeDecryptIdentity
		}
		c.Detail = fmt.Sprintf("%s: %s is refused, and the key policy allows it: so it is the identity policy of the role in account %s; %s", doing, action, p.accountA(), why)
		c.Fix, c.FixStatement = "Add this statement to the identity policy of the role.", p.statement(docIdentity, action)
	default:
		c.Code, c.Artefact, c.ArtefactARN, c.Confidence = causeKeySide, report.ArtefactIdentityKey, p.dest.KMSKey, report.Weak
		c.Detail = fmt.Sprintf("%s: %s is refused, and AWS does not say by which side; %s", doing, action, why)
		c.Fix = fmt.Sprintf("Both must allow it: the key policy in account %s (this statement) and the identity policy of the role in account %s:\n%s", p.accountB(), p.accountA(), p.statement(docIdentity, action))
		c.FixStatement = p.statement(docKey, action)
	}
	return c
}

// partSide: the start of the upload passed by the same permission, and KMS says
// what it refuses. What is different is that a part carries no encryption headers.
func (p *probe) partSide(c finding, s step) finding {
	c.Code, c.Account, c.Artefact, c.ArtefactARN, c.Confidence = causeBucketEncryption, p.accountB(), report.ArtefactBucketPolicy, p.bucketARN(), report.Weak
	c.Assumptions = p.unread()
	c.Detail = s.name + ": S3 refuses it without saying why, and took the start of the same upload. A part carries no encryption headers: a Deny of the bucket policy that insists on them refuses every part, so that small objects arrive and large ones do not"
	c.Fix = "In account " + orUnknown(p.accountB()) + ", let the Deny statements on encryption speak of requests that carry the header (add `\"Null\": {\"s3:x-amz-server-side-encryption\": \"false\"}` to their conditions), as setup writes them. If there is no such statement, look for kms:Decrypt in the key policy and in the policy of the role."
	return c
}

// bucketSide: S3 refuses, and it is not said which of the two policies.
func (p *probe) bucketSide(c finding, s step, identityRead, bucketRead bool) finding {
	c.Assumptions = p.unread()
	switch {
	case p.dest.Role == "" || p.dest.Compatible:
		c.Code, c.Artefact, c.ArtefactARN, c.Confidence = causeS3Side, report.ArtefactIdentityBucket, p.bucketARN(), report.Weak
		c.Detail = fmt.Sprintf("%s: the store refuses %s", s.name, s.action)
		c.Fix = "Give the credentials the right to write below the prefix, in the store's own way."
	case identityRead:
		c.Code, c.Account, c.Artefact, c.ArtefactARN, c.Confidence = causeS3Bucket, p.accountB(), report.ArtefactBucketPolicy, p.bucketARN(), report.Weak
		c.Detail = fmt.Sprintf("%s: S3 refuses %s, and the policies of the role allow it: the bucket policy in account %s, which was not read, does not let the role in", s.name, s.action, p.accountB())
		c.Fix, c.FixStatement = "Add this statement to the bucket policy. If it is there: look for a Deny, a public statement together with RestrictPublicBuckets, and a resource control policy of the organization.", p.statement(docBucket, s.action)
	case bucketRead:
		c.Code, c.Account, c.Artefact, c.ArtefactARN, c.Confidence = causeS3Identity, p.accountA(), report.ArtefactIdentity, p.dest.Role, report.Weak
		c.Detail = fmt.Sprintf("%s: S3 refuses %s, and the bucket policy allows it: the identity policy of the role in account %s, which was not read, does not", s.name, s.action, p.accountA())
		c.Fix, c.FixStatement = "Add this statement to the identity policy of the role. If it is there: look at its permissions boundary, the service control policies and the VPC endpoint on the way.", p.statement(docIdentity, s.action)
	default:
		c.Code, c.Artefact, c.ArtefactARN, c.Confidence = causeS3Side, report.ArtefactIdentityBucket, p.bucketARN(), report.Weak
		c.Detail = fmt.Sprintf("%s: S3 refuses %s and does not say by which policy, as it does for callers outside the organization of the bucket's account. KMS refusals have a text, so it is S3's side", s.name, s.action)
		c.Fix = fmt.Sprintf("Two policies must allow it. In account %s, the bucket policy (this statement). In account %s, the identity policy of the role:\n%s\nIf both do: look for a Deny in the bucket policy, a public statement together with RestrictPublicBuckets, an RCP in B's organization, an SCP in A's, a VPC endpoint policy on the way. With the policies at hand (--policies) this is decided.",
			p.accountB(), p.accountA(), p.statement(docIdentity, s.action))
		c.FixStatement = p.statement(docBucket, s.action)
	}
	return c
}

func (p *probe) objectARN() string { return p.bucketARN() + "/" + p.key }
