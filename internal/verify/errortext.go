package verify

import (
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// layerFinding is what a refusal by one of the layers that setup does not write says.
type layerFinding struct{ code, kind, where, fix string }

func otherLayer(l awserr.Layer) (layerFinding, bool) {
	switch l {
	case awserr.LayerBoundary:
		return layerFinding{causeBoundary, report.ArtefactBoundary, "A", "Allow the action in the permissions boundary of the role."}, true
	case awserr.LayerSession:
		return layerFinding{causeSessionPol, report.ArtefactSessionPolicy, "A", "Allow the action in the session policy of the AssumeRole call. What brokerd sends is what `session.scope` limits: the destination's prefix and key; else look for what stands between it and STS."}, true
	case awserr.LayerSCP:
		return layerFinding{causeSCP, report.ArtefactSCP, "A", "The organization of account A has to allow the action in its service control policies."}, true
	case awserr.LayerRCP:
		return layerFinding{causeRCP, report.ArtefactRCP, "B", "The organization of account B has to except the role in its resource control policies."}, true
	case awserr.LayerVPCEndpoint:
		return layerFinding{causeEndpoint, report.ArtefactEndpointPolicy, "A", "Allow the bucket in the policy of the VPC endpoint that this host's requests take."}, true
	case awserr.LayerPublicAccess:
		return layerFinding{causePublicAccess, report.ArtefactPublicAccess, "B", "Remove the public statement from the bucket policy, not the public access block: with both, S3 refuses every other account."}, true
	}
	return layerFinding{}, false
}

// textFinding is what AWS's text says.
type textFinding struct {
	finding
	precise bool // AWS does not say it when another layer is at fault
}

// errorText reads AWS's text. It is evidence and no proof; told is false when it
// says nothing.
func (d *diagnosis) errorText(c finding, s step, info awserr.Info) (out textFinding, told bool) {
	action := orText(info.Action, s.action)
	isKMS := strings.HasPrefix(strings.ToLower(action), "kms:")
	if other, ok := otherLayer(info.Layer); ok {
		account := d.accountA()
		if other.where == "B" {
			account = d.accountB()
		}
		c.Code, c.Account, c.Artefact, c.ArtefactARN, c.Confidence = other.code, account, other.kind, info.PolicyARN, report.Proven
		c.Detail, c.Fix = fmt.Sprintf("%s: %s is refused by a %s", s.name, action, strings.ReplaceAll(other.kind, "-", " ")), other.fix
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

// keyText: the write itself was allowed, KMS refused what S3 asked in the role's name.
func (d *diagnosis) keyText(c *finding, s step, info awserr.Info, action string) {
	decrypt := strings.EqualFold(action, "kms:Decrypt")
	why := "without a data key S3 cannot encrypt"
	if decrypt {
		why = "S3 needs it for every part of a multipart upload: small files pass, large ones fail"
	}
	switch {
	case info.Layer == awserr.LayerIdentity && info.Explicit:
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeKeyDeny, d.accountA(), report.ArtefactIdentity, d.dest.Role
		c.Detail = fmt.Sprintf("an explicit deny in a policy of the role refuses %s; %s", action, why)
		c.Fix = "In account " + d.accountA() + ", remove or narrow the Deny statement: no Allow overrides it. S3 calls KMS from AWS's own addresses, so a Deny on aws:SourceIp or aws:SourceVpce needs an exception for aws:ViaAWSService."
	case info.Layer == awserr.LayerIdentity:
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeKeyIdentity, d.accountA(), report.ArtefactIdentity, d.dest.Role
		if decrypt {
			c.Code = causeDecryptIdentity
		}
		c.Detail = fmt.Sprintf("the identity policy of the role in account %s does not allow %s on the key; %s", d.accountA(), action, why)
		c.Fix = fmt.Sprintf("In account %s, add this statement to the identity policy of the role. If it is there, it has a condition that S3's own call to KMS does not meet: an address, a VPC endpoint, MFA.", d.accountA())
		c.FixStatement = d.fixes.statement(docIdentity, action)
	case info.Explicit:
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeKeyDeny, d.accountB(), report.ArtefactKeyPolicy, d.dest.KMSKey
		c.Detail = fmt.Sprintf("an explicit deny in the key policy refuses %s; %s", action, why)
		c.Fix = "In account " + d.accountB() + ", remove or narrow the Deny statement of the key policy: no Allow overrides it."
	case info.Layer == awserr.LayerKeyPolicy || info.Layer == awserr.LayerResource:
		c.Code, c.Account, c.Artefact, c.ArtefactARN, c.Confidence = causeKeyPolicy, d.accountB(), report.ArtefactKeyPolicy, d.dest.KMSKey, d.whenIdentityAllows()
		if decrypt {
			c.Code = causeDecryptKey
		}
		c.Detail = fmt.Sprintf("the key policy in account %s does not let the role use the key (%s); %s", d.accountB(), action, why)
		c.Fix = fmt.Sprintf("In account %s, add this statement to the key policy. If the key policy delegates to account %s as a whole (principal :root), the missing statement is in the identity policy of the role instead: AWS's text does not tell the two apart.", d.accountB(), d.accountA())
		c.FixStatement = d.fixes.statement(docKey, action)
		if d.docs.read(report.DocumentKeyPolicy) && !d.docs.read(report.DocumentIdentity) {
			*c = d.keySide(*c, action, s.name, false, true)
		}
	default:
		*c = d.keySide(*c, action, s.name, d.docs.read(report.DocumentIdentity), d.docs.read(report.DocumentKeyPolicy))
	}
}

// whenIdentityAllows is how sure AWS's blame of a resource's policy is: it says the
// same when that policy lets the account in and the role's own policy lacks it.
func (d *diagnosis) whenIdentityAllows() report.Confidence {
	if d.docs.read(report.DocumentIdentity) {
		return report.Strong
	}
	return report.Weak
}

func (d *diagnosis) bucketText(c *finding, s step, info awserr.Info, action string) {
	switch {
	case info.Explicit && info.Layer == awserr.LayerIdentity:
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeS3Deny, d.accountA(), report.ArtefactIdentity, d.dest.Role
		c.Detail = fmt.Sprintf("an explicit deny in a policy of the role refuses %s", action)
		c.Fix = "In account " + d.accountA() + ", remove or narrow the Deny statement: no Allow overrides it."
	case info.Explicit:
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeS3Deny, d.accountB(), report.ArtefactBucketPolicy, d.bucketARN()
		c.Detail = fmt.Sprintf("an explicit deny in the bucket policy refuses %s", action)
		c.Fix = "In account " + d.accountB() + ", compare the Deny statements of the bucket policy with what is sent: TLS, SSE-KMS with the full key ARN " + d.dest.KMSKey + ", signature v4. A Deny on addresses, VPC endpoints or organizations has to except the role."
	case info.Layer == awserr.LayerIdentity:
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeS3Identity, d.accountA(), report.ArtefactIdentity, d.dest.Role
		c.Detail = fmt.Sprintf("the identity policy of the role in account %s does not allow %s on %s", d.accountA(), action, d.objectARN())
		c.Fix = fmt.Sprintf("In account %s, add this statement to the identity policy of the role.", d.accountA())
		c.FixStatement = d.fixes.statement(docIdentity, action)
	case info.Layer == awserr.LayerResource:
		c.Code, c.Account, c.Artefact, c.ArtefactARN, c.Confidence = causeS3Bucket, d.accountB(), report.ArtefactBucketPolicy, d.bucketARN(), d.whenIdentityAllows()
		c.Detail = fmt.Sprintf("the bucket policy in account %s does not let the role do %s on %s", d.accountB(), action, d.objectARN())
		c.Fix = fmt.Sprintf("In account %s, add this statement to the bucket policy. If the bucket policy delegates to account %s as a whole (principal :root), the missing statement is in the identity policy of the role instead.", d.accountB(), d.accountA())
		c.FixStatement = d.fixes.statement(docBucket, action)
	default:
		*c = d.bucketSide(*c, s, d.docs.read(report.DocumentIdentity), d.docs.read(report.DocumentBucketPolicy))
	}
}
