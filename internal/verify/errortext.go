package verify

import (
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// layerFinding is the finding for a layer that setup does not write.
type layerFinding struct{ code, kind, side, fix string }

func otherLayer(l awserr.Layer) (layerFinding, bool) {
	switch l {
	case awserr.LayerBoundary:
		return layerFinding{
			causeBoundary,
			report.ArtefactBoundary,
			"A",
			"Allow the action in the permissions boundary of the role. The same policy may be the boundary of other roles.",
		}, true
	case awserr.LayerSession:
		return layerFinding{
			causeSessionPol,
			report.ArtefactSessionPolicy,
			"A",
			"Allow the action in the session policy of the AssumeRole call. " +
				"brokerd sends a policy for the destination's prefix and key (`session.scope`); a proxy before STS may send another.",
		}, true
	case awserr.LayerSCP:
		return layerFinding{
			causeSCP,
			report.ArtefactSCP,
			"A",
			"The organization of account A has to allow the action for the role in its service control policies.",
		}, true
	case awserr.LayerRCP:
		return layerFinding{
			causeRCP,
			report.ArtefactRCP,
			"B",
			"The organization of account B has to except the role in its resource control policies.",
		}, true
	case awserr.LayerVPCEndpoint:
		return layerFinding{
			causeEndpoint,
			report.ArtefactEndpointPolicy,
			"A",
			"Allow the bucket for the role in the policy of the VPC endpoint that this host uses. " +
				"In a gateway endpoint, name the role by a condition on aws:PrincipalArn.",
		}, true
	case awserr.LayerPublicAccess:
		return layerFinding{
			causePublicAccess,
			report.ArtefactPublicAccess,
			"B",
			"Limit the public statement of the bucket policy to fixed accounts, and keep the public access block: " +
				"with both, S3 refuses every other account.",
		}, true
	}
	return layerFinding{}, false
}

// textFinding is the finding that AWS's text leads to.
type textFinding struct {
	finding
	precise bool // AWS names this layer only if it refuses
}

// errorText reads AWS's text, which is evidence and no proof. told is false when the
// text gives no reason.
func (d *diagnosis) errorText(c finding, s step, info awserr.Info) (out textFinding, told bool) {
	action := orText(info.Action, s.action)
	isKMS := strings.HasPrefix(strings.ToLower(action), "kms:")
	if other, ok := otherLayer(info.Layer); ok {
		account := d.accountA()
		if other.side == "B" {
			account = d.accountB()
		}
		c.blame(other.code, account, other.kind, info.PolicyARN)
		c.Confidence = report.Proven
		c.Detail, c.Fix = fmt.Sprintf("%s: a %s refuses %s", s.name, noun(other.kind), action), other.fix
		return textFinding{c, true}, true
	}
	if info.Layer == awserr.LayerUnknown && !info.Explicit && !isKMS {
		return textFinding{}, false
	}
	precise := info.Layer == awserr.LayerIdentity || info.Explicit
	switch {
	case isKMS:
		d.keyText(&c, s, info, action)
	default:
		d.bucketText(&c, s, info, action)
	}
	return textFinding{c, precise}, true
}

// keyText handles a text of KMS, which S3 relays: S3's own policies allowed the write.
func (d *diagnosis) keyText(c *finding, s step, info awserr.Info, action string) {
	decrypt := strings.EqualFold(action, "kms:Decrypt")
	why := whyKey(decrypt)
	a, b := d.accountA(), d.accountB()
	switch {
	case info.Layer == awserr.LayerIdentity && info.Explicit:
		c.blame(causeKeyDeny, a, report.ArtefactIdentity, d.dest.Role)
		c.Detail = fmt.Sprintf("a Deny statement in a policy of the role refuses %s; %s", action, why)
		c.Fix = "In account " + a + ", narrow the Deny statement: no Allow overrides it. S3 calls KMS from addresses of AWS, " +
			"so a Deny on aws:SourceIp or aws:SourceVpce needs an exception for aws:ViaAWSService."
	case info.Layer == awserr.LayerIdentity:
		c.blame(causeKeyIdentity, a, report.ArtefactIdentity, d.dest.Role)
		if decrypt {
			c.Code = causeDecryptIdentity
		}
		c.Detail = fmt.Sprintf("the identity policy of the role in account %s does not allow %s on the key; %s", a, action, why)
		c.Fix = fmt.Sprintf("In account %s, add this statement to the identity policy of the role. If the policy has it, look for a condition "+
			"that S3's call to KMS does not meet: an address, a VPC endpoint, MFA.", a)
		c.FixStatement = d.fixes.statement(docIdentity, action)
	case info.Explicit:
		c.blame(causeKeyDeny, b, report.ArtefactKeyPolicy, d.dest.KMSKey)
		c.Detail = fmt.Sprintf("a Deny statement in the key policy refuses %s; %s", action, why)
		c.Fix = "In account " + b + ", except the role from the Deny statement of the key policy: no Allow overrides it."
	case info.Layer == awserr.LayerKeyPolicy || info.Layer == awserr.LayerResource:
		c.blame(causeKeyPolicy, b, report.ArtefactKeyPolicy, d.dest.KMSKey)
		c.Confidence = d.whenIdentityAllows()
		if decrypt {
			c.Code = causeDecryptKey
		}
		c.Detail = fmt.Sprintf("the key policy in account %s does not let the role use the key (%s); %s", b, action, why)
		c.Fix = fmt.Sprintf(
			"In account %s, add this statement to the key policy. If the key policy delegates to account %s as a whole (principal :root), "+
				"the identity policy of the role lacks it instead: AWS's text is the same.",
			b,
			a,
		)
		c.FixStatement = d.fixes.statement(docKey, action)
		if d.docs.read(report.DocumentKeyPolicy) && !d.docs.read(report.DocumentIdentity) {
			*c = d.keySide(*c, action, s.name, false, true)
		}
	default:
		*c = d.keySide(*c, action, s.name, d.docs.read(report.DocumentIdentity), d.docs.read(report.DocumentKeyPolicy))
	}
}

// whenIdentityAllows is the confidence in a text that names the resource's policy.
// AWS gives the same text when that policy delegates to the account and the role's own
// policy lacks the action.
func (d *diagnosis) whenIdentityAllows() report.Confidence {
	if d.docs.read(report.DocumentIdentity) {
		return report.Strong
	}
	return report.Weak
}

// bucketText handles a text of S3.
func (d *diagnosis) bucketText(c *finding, s step, info awserr.Info, action string) {
	a, b := d.accountA(), d.accountB()
	switch {
	case info.Explicit && info.Layer == awserr.LayerIdentity:
		c.blame(causeS3Deny, a, report.ArtefactIdentity, d.dest.Role)
		c.Detail = fmt.Sprintf("a Deny statement in a policy of the role refuses %s", action)
		c.Fix = "In account " + a + ", narrow the Deny statement: no Allow overrides it."
	case info.Explicit:
		c.blame(causeS3Deny, b, report.ArtefactBucketPolicy, d.bucketARN())
		c.Detail = fmt.Sprintf("a Deny statement in the bucket policy refuses %s", action)
		c.Fix = "In account " + b + ", compare the Deny statements of the bucket policy with the request: TLS, SSE-KMS with the full key ARN " +
			d.dest.KMSKey +
			", signature version 4. Except the role from a Deny on addresses, VPC endpoints or organizations."
	case info.Layer == awserr.LayerIdentity:
		c.blame(causeS3Identity, a, report.ArtefactIdentity, d.dest.Role)
		c.Detail = fmt.Sprintf("the identity policy of the role in account %s does not allow %s on %s", a, action, d.objectARN())
		c.Fix = fmt.Sprintf("In account %s, add this statement to the identity policy of the role.", a)
		c.FixStatement = d.fixes.statement(docIdentity, action)
	case info.Layer == awserr.LayerResource:
		c.blame(causeS3Bucket, b, report.ArtefactBucketPolicy, d.bucketARN())
		c.Confidence = d.whenIdentityAllows()
		c.Detail = fmt.Sprintf("the bucket policy in account %s does not allow the role %s on %s", b, action, d.objectARN())
		c.Fix = fmt.Sprintf(
			"In account %s, add this statement to the bucket policy. If the bucket policy delegates to account %s as a whole (principal :root), "+
				"the identity policy of the role lacks it instead.",
			b,
			a,
		)
		c.FixStatement = d.fixes.statement(docBucket, action)
	default:
		*c = d.bucketSide(*c, s, d.docs.read(report.DocumentIdentity), d.docs.read(report.DocumentBucketPolicy))
	}
}
