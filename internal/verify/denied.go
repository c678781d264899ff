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

// denied explains a refusal from three sources: the documents, AWS's text, and the
// same request with one header changed. The documents come first. AWS names one layer
// even if several refuse, gives no reason to callers of other organizations, and
// names the resource's policy when the caller's own policy lacks the action.
func (d *diagnosis) denied(ctx context.Context, c finding, s step, info awserr.Info) []finding {
	text, told := d.errorText(c, s, info)
	if blockers := findingsFor(d.predicted.blockers, s.id); len(blockers) > 0 {
		out := d.confirmed(blockers, c, s, info)
		// AWS names a layer whose document was not read.
		if told && text.precise && !d.docs.read(text.Artefact) &&
			!slices.ContainsFunc(out, func(f finding) bool { return f.Artefact == text.Artefact }) {
			out = append(out, text.finding)
		}
		return out
	}
	if s.id == stepAssume {
		if suspects := findingsFor(d.predicted.suspects, s.id); len(suspects) > 0 {
			return d.confirmed(suspects, c, s, info)
		}
		return d.assumeDenied(c, info)
	}
	if told {
		if suspects := findingsFor(d.predicted.suspects, s.id); !text.precise || d.docs.read(text.Artefact) {
			same := slices.DeleteFunc(suspects, func(f finding) bool {
				eitherSide := !text.precise && f.Artefact == report.ArtefactKeyPolicy && strings.HasPrefix(strings.ToLower(info.Action), "kms:")
				return f.Artefact != text.Artefact && !eitherSide
			})
			if len(same) > 0 {
				out := d.confirmed(same, c, s, info)
				if !text.precise && !d.docs.read(report.DocumentIdentity) {
					for i := range out {
						out[i].Confidence = report.Weak // a policy that was not read explains it as well
					}
				}
				return out
			}
		}
		if d.docs.read(text.Artefact) {
			return []finding{d.contradicted(c, s, info, text.finding)}
		}
		return []finding{text.finding}
	}
	return d.unexplained(ctx, c, s)
}

// confirmed adds AWS's answer to findings that follow from the documents.
func (d *diagnosis) confirmed(list []finding, c finding, s step, info awserr.Info) []finding {
	out := make([]finding, 0, len(list))
	for _, f := range list {
		switch {
		case f.Confidence == report.Strong:
			f.Confidence = report.Proven // the documents and AWS agree
		case len(list) == 1:
			f.Confidence = report.Strong // no other statement explains it
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

// takeCall copies the evidence of a call.
func (f *finding) takeCall(c finding) {
	f.AWSCode, f.AWSMessage, f.RequestID, f.HostID, f.HTTPStatus, f.Operation = c.AWSCode, c.AWSMessage, c.RequestID, c.HostID,
		c.HTTPStatus, c.Operation
	f.Evidence = slices.Concat(c.Evidence, f.Evidence)
}

// misleading corrects AWS's text where it names another policy than the finding.
func misleading(f finding, info awserr.Info) string {
	kind := kindOf(info)
	if kind == "" || kind == f.Artefact {
		return ""
	}
	return fmt.Sprintf("AWS's text names the %s, which is not at fault", noun(kind))
}

// kindOf returns the artefact that AWS's text names.
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

// contradicted handles a refusal by a document whose copy allows the request.
func (d *diagnosis) contradicted(c finding, s step, info awserr.Info, text finding) finding {
	f := d.unseen(c, s, orText(info.Action, s.action))
	f.Detail = fmt.Sprintf("%s: AWS's text names the %s, and the copy that was read allows %s. "+
		"The copy is old, it is a copy of another policy, or a policy that was not read refuses",
		s.name, noun(text.Artefact), orText(info.Action, s.action))
	return f
}

// unexplained handles a bare "Access Denied".
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
		return []finding{d.partSide(c, s, identity, bucket)}
	}
	return []finding{d.bucketSide(c, s, identity, bucket)}
}

// unseen handles a refusal of a request that every document allows. It lists the
// policies that were not read.
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
		left = []string{"an old copy of a policy, or a condition key whose value only AWS knows"}
	}
	c.Detail = fmt.Sprintf(
		"%s: every policy that was read allows %s, and AWS refuses it. Possible causes: %s",
		s.name,
		action,
		strings.Join(left, "; "),
	)
	c.Assumptions = d.docs.unread()
	account := d.account(d.accountA())
	c.Repair = report.Fix{
		Kind: report.FixSetting, Target: d.dest.Role, Account: account, Owner: d.owner(report.ArtefactSCP, account),
		Text: "Ask the administrators of both organizations for the policy that refuses. " +
			"CloudTrail may name it: the command finds the event of the session; " +
			"compare the request id " + orText(
			c.RequestID,
			"of this report",
		) + ".",
		Command: d.fixes.trailQuery(action),
	}
	return c
}

// keySide handles a refusal by KMS that does not name the policy.
func (d *diagnosis) keySide(c finding, action, doing string, identityRead, keyRead bool) finding {
	decrypt := strings.EqualFold(action, "kms:Decrypt")
	why := whyKey(decrypt)
	c.Assumptions = d.docs.unread()
	switch {
	case identityRead:
		c.blame(causeKeyPolicy, d.accountB(), report.ArtefactKeyPolicy, d.dest.KMSKey)
		c.Confidence = report.Strong
		if decrypt {
			c.Code = causeDecryptKey
		}
		c.Detail = fmt.Sprintf("%s: KMS refuses %s, and the role's identity policy allows it. So the key policy in account %s lacks it; %s",
			doing, action, d.accountB(), why)
		c.Fix, c.FixStatement = "Add this statement to the key policy.", d.fixes.statement(docKey, action)
	case keyRead:
		c.blame(causeKeyIdentity, d.accountA(), report.ArtefactIdentity, d.dest.Role)
		c.Confidence = report.Strong
		if decrypt {
			c.Code = causeDecryptIdentity
		}
		c.Detail = fmt.Sprintf("%s: KMS refuses %s, and the key policy allows it. So the role's identity policy in account %s lacks it; %s",
			doing, action, d.accountA(), why)
		c.Fix, c.FixStatement = "Add this statement to the identity policy of the role.", d.fixes.statement(docIdentity, action)
	default:
		c.Code, c.Artefact, c.ArtefactARN, c.Confidence = causeKeySide, report.ArtefactIdentityKey, d.dest.KMSKey, report.Weak
		c.Detail = fmt.Sprintf("%s: KMS refuses %s and does not name the policy; %s", doing, action, why)
		c.Fix = fmt.Sprintf(
			"Two policies must allow it: the key policy in account %s (this statement), and the identity policy of the role in account %s:\n%s\n%s",
			d.accountB(),
			d.accountA(),
			d.fixes.statement(docIdentity, action),
			d.decide(),
		)
		c.FixStatement = d.fixes.statement(docKey, action)
	}
	return c
}

// decide is the advice to read the policies of both accounts.
func (d *diagnosis) decide() string {
	return fmt.Sprintf(
		"To name the policy, run `brokerctl verify %s --source-profile %s --target-profile %s` with an AWS profile named after each account, "+
			"or with the names of your own profiles. Where brokerd does not run, add `--standalone --config FILE`.",
		d.dest.Name,
		accountOrA(d.accountA()),
		accountOrB(d.accountB()),
	)
}

func whyKey(decrypt bool) string {
	if decrypt {
		return "S3 needs it for every part of a multipart upload: small objects arrive, large ones fail"
	}
	return "without a data key S3 cannot encrypt"
}

// partSide handles a part that S3 refuses although it accepted the start of the same
// upload, without a reason. Only the start carries headers for encryption, tags, ACL
// and storage class: a policy of either account that wants one refuses every part.
func (d *diagnosis) partSide(c finding, s step, identityRead, bucketRead bool) finding {
	c.Code, c.Artefact, c.ArtefactARN, c.Confidence = causePartRefused, report.ArtefactIdentityBucket, d.bucketARN(), report.Weak
	c.Assumptions = d.docs.unread()
	where := fmt.Sprintf(
		"the bucket policy of account %s, a policy of account %s, or a policy of an organization",
		accountOrB(d.accountB()),
		accountOrA(d.accountA()),
	)
	switch {
	case bucketRead:
		where = fmt.Sprintf("a policy of account %s or of an organization: the bucket policy allows the part", accountOrA(d.accountA()))
	case identityRead:
		where = fmt.Sprintf(
			"the bucket policy of account %s or a policy of an organization: the role's policies allow the part",
			accountOrB(d.accountB()),
		)
	}
	c.Detail = s.name + ": S3 refuses the part without a reason, and accepted the start of the same upload. " +
		"A part carries no headers for encryption, tags, ACL or storage class. A condition that wants one refuses every part: small objects " +
		"arrive, large ones fail. It is in " + where
	c.Fix = "Find the statement with a condition on a header or a tag of the upload, such as s3:x-amz-server-side-encryption or " +
		"s3:RequestObjectTag, and except the role from it. " + d.decide()
	return c
}

// bucketSide handles a refusal by S3 that does not name the policy.
func (d *diagnosis) bucketSide(c finding, s step, identityRead, bucketRead bool) finding {
	c.Assumptions = d.docs.unread()
	switch {
	case d.dest.Role == "" || d.dest.Compatible:
		c.Code, c.Artefact, c.ArtefactARN, c.Confidence = causeS3Side, report.ArtefactIdentityBucket, d.bucketARN(), report.Weak
		c.Detail = fmt.Sprintf("%s: the store refuses %s", s.name, s.action)
		c.Fix = "Give the credentials the right to write below the prefix, in the settings of the store."
	case identityRead:
		c.blame(causeS3Bucket, d.accountB(), report.ArtefactBucketPolicy, d.bucketARN())
		c.Confidence = report.Weak
		c.Detail = fmt.Sprintf(
			"%s: S3 refuses %s, and the policies of the role allow it. Most likely the bucket policy in account %s, which was not read, "+
				"does not allow the role",
			s.name,
			s.action,
			d.accountB(),
		)
		c.Fix = "Compare the bucket policy with this statement. If the statement is there, look for a Deny, for a public statement together " +
			"with RestrictPublicBuckets, for an old id of the role as principal, and for a resource control policy. " + d.decide()
		c.FixStatement = d.fixes.statement(docBucket, s.action)
	case bucketRead:
		c.blame(causeS3Identity, d.accountA(), report.ArtefactIdentity, d.dest.Role)
		c.Confidence = report.Weak
		c.Detail = fmt.Sprintf(
			"%s: S3 refuses %s, and the bucket policy allows it. Most likely the identity policy of the role in account %s, "+
				"which was not read, does not",
			s.name,
			s.action,
			d.accountA(),
		)
		c.Fix = "Compare the identity policy of the role with this statement. If the statement is there, look at the permissions boundary, " +
			"the service control policies and the VPC endpoint. " + d.decide()
		c.FixStatement = d.fixes.statement(docIdentity, s.action)
	default:
		c.Code, c.Artefact, c.ArtefactARN, c.Confidence = causeS3Side, report.ArtefactIdentityBucket, d.bucketARN(), report.Weak
		c.Detail = fmt.Sprintf("%s: S3 refuses %s without a reason, as it does for callers outside the organization of the bucket's account. "+
			"A policy for S3 is the cause, not KMS: refusals of KMS have a text", s.name, s.action)
		c.Fix = fmt.Sprintf(
			"Two policies must allow it: the bucket policy in account %s (this statement), and the identity policy of the role in account %s:\n%s\n"+
				"If both do: the role was created again, and a policy names its old id (AROA…); a Deny in the bucket policy; "+
				"a public statement together with RestrictPublicBuckets; an RCP of B's organization; an SCP of A's; the policy of a VPC endpoint. %s",
			d.accountB(),
			d.accountA(),
			d.fixes.statement(docIdentity, s.action),
			d.decide(),
		)
		c.FixStatement = d.fixes.statement(docBucket, s.action)
	}
	return c
}

// noRole comes before all other findings from the documents: they name the role.
func noRole(a *arrangement, c finding) finding {
	c.Code, c.Account, c.Artefact, c.ArtefactARN, c.step = causeNoRole, a.accountA(), report.ArtefactTrust, a.dest.Role, stepAssume
	c.Detail = fmt.Sprintf("the role %s does not exist; STS gives the same answer for a role that does not trust the caller", a.dest.Role)
	c.Fix = "Create the role with `brokerctl setup`, which also writes the policies that name it. Or correct `role` in the configuration."
	return c
}

// assumeDenied explains a refused AssumeRole that the documents do not explain. STS
// gives the same answer for a missing role, a trust policy without the caller, and a
// condition that is not met.
func (d *diagnosis) assumeDenied(c finding, info awserr.Info) []finding {
	source := orText(d.source, "the source identity")
	account := awsarn.Account(d.source)
	assume := statementJSON(map[string]any{"Sid": "BrokerdAssumeRole", "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": d.dest.Role})
	if info.Layer == awserr.LayerIdentity || info.Layer == awserr.LayerBoundary || info.Layer == awserr.LayerSCP {
		c.blame(causeSourcePolicy, account, report.ArtefactSourcePolicy, awsarn.Role(d.source))
		c.Detail = fmt.Sprintf("a policy of %s does not allow it to assume %s", source, d.dest.Role)
		c.Fix = fmt.Sprintf("In account %s, allow sts:AssumeRole on the role in the identity policy of %s.", accountOrB(account), source)
		c.FixStatement = assume
		return []finding{c}
	}
	elsewhere := ""
	if account != "" && account != d.accountA() {
		elsewhere = fmt.Sprintf(
			" %s is in another account (%s): its identity policy must allow sts:AssumeRole on the role, too.",
			d.source,
			account,
		)
	}
	if d.docs.read(report.DocumentTrust) {
		c.blame(causeSourcePolicy, d.accountA(), report.ArtefactSourcePolicy, awsarn.Role(d.source))
		c.Confidence = report.Weak
		c.Detail = fmt.Sprintf("STS refuses to let %s assume %s, although the trust policy that was read allows it. "+
			"Possible causes: the policy of the source, a service control policy, an old copy of the trust policy", source, d.dest.Role)
		c.FixStatement, c.Fix = assume, "Compare the identity policy of the source with this statement."+elsewhere
		return []finding{c}
	}
	c.blame(causeTrust, d.accountA(), report.ArtefactTrust, d.dest.Role)
	c.Confidence = report.Weak
	c.Assumptions = []string{"not read: trust policy"}
	c.Detail = fmt.Sprintf(
		"STS refuses to let %s assume %s in account %s. The trust policy does not allow it, or the role does not exist: STS gives "+
			"the same answer",
		source,
		d.dest.Role,
		d.accountA(),
	)
	if d.dest.Session.ExternalID == "" {
		// A statement without a condition could take an external id out of the way.
		c.Detail += ". No external id is configured, and a trust policy that wants one refuses as well"
		c.Fix = fmt.Sprintf("First ask account %s for an external id, and set it as `session: {external_id: …}` of the destination. "+
			"If the trust policy has no condition on sts:ExternalId, let it name %s as principal: `brokerctl setup plan` prints the statement.%s %s",
			d.accountA(), source, elsewhere, d.decide())
		return []finding{c}
	}
	c.Detail += ". The configured external id must be the one of the trust policy"
	c.FixStatement = d.fixes.statement(docTrust, "sts:AssumeRole")
	c.Fix = fmt.Sprintf("In account %s, compare the trust policy of the role with this statement.%s %s", d.accountA(), elsewhere, d.decide())
	return []finding{c}
}
