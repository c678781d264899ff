package verify

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/awserr"
)

// otherLayers are the policies that setup does not write and this program cannot see.
var otherLayers = map[awserr.Layer]struct{ code, kind, where, fix string }{
	awserr.LayerBoundary:     {causeBoundary, "boundary", "A", "Allow the action in the permissions boundary of the role."},
	awserr.LayerSession:      {causeSessionPol, "session-policy", "A", "Allow the action in the session policy of the AssumeRole call; brokerd sends none, so look for what stands between it and STS."},
	awserr.LayerSCP:          {causeSCP, "scp", "A", "The organization of account A has to allow the action in its service control policies."},
	awserr.LayerRCP:          {causeRCP, "rcp", "B", "The organization of account B has to except the role in its resource control policies."},
	awserr.LayerVPCEndpoint:  {causeEndpoint, "vpc-endpoint-policy", "A", "Allow the bucket in the policy of the VPC endpoint that this host's requests take."},
	awserr.LayerPublicAccess: {causePublicAccess, "public-access-block", "B", "Remove the public statement from the bucket policy, not the public access block: with both, S3 refuses every other account."},
}

// denied explains a refusal. Where AWS's text names a layer, that layer is at
// fault; where it does not, one more question is asked with one thing changed.
func (p *probe) denied(ctx context.Context, c finding, s step, info awserr.Info) finding {
	if s.action == "sts:AssumeRole" {
		return p.assumeDenied(c, info)
	}
	action := orText(info.Action, s.action)
	isKMS := strings.HasPrefix(strings.ToLower(action), "kms:")
	if other, ok := otherLayers[info.Layer]; ok {
		account := p.accountA()
		if other.where == "B" {
			account = p.accountB()
		}
		c.Code, c.Account, c.Artefact, c.ArtefactARN = other.code, account, other.kind, info.PolicyARN
		c.Detail, c.Fix = fmt.Sprintf("%s: %s is refused by a %s", s.name, action, strings.ReplaceAll(other.kind, "-", " ")), other.fix
		return c
	}
	switch {
	case isKMS:
		p.keyDenied(&c, s, info, action)
	case s.create && info.Layer == awserr.LayerUnknown && !info.Explicit:
		p.bareDenied(ctx, &c, s)
	default:
		p.bucketDenied(&c, s, info, action)
	}
	return c
}

// keyDenied: the write itself was allowed, KMS refused what S3 asked in the role's name.
func (p *probe) keyDenied(c *finding, s step, info awserr.Info, action string) {
	decrypt := strings.EqualFold(action, "kms:Decrypt")
	why := "without a data key S3 cannot encrypt"
	if decrypt {
		why = "S3 needs it for every part of a multipart upload: small files pass, large ones fail"
	}
	switch {
	case info.Layer == awserr.LayerIdentity && info.Explicit:
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeKeyDeny, p.accountA(), ArtefactIdentity, p.dest.Role
		c.Detail = fmt.Sprintf("an explicit deny in a policy of the role refuses %s; %s", action, why)
		c.Fix = "In account " + p.accountA() + ", remove or narrow the Deny statement: no Allow overrides it. S3 calls KMS from AWS's own addresses, so a Deny on aws:SourceIp or aws:SourceVpce needs an exception for aws:ViaAWSService."
	case info.Layer == awserr.LayerIdentity:
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeKeyIdentity, p.accountA(), ArtefactIdentity, p.dest.Role
		if decrypt {
			c.Code = causeDecryptIdentity
		}
		c.Detail = fmt.Sprintf("the identity policy of the role in account %s does not allow %s on the key; %s", p.accountA(), action, why)
		c.Fix = fmt.Sprintf("In account %s, add this statement to the identity policy of the role.", p.accountA())
		c.FixStatement = p.statement(docIdentity, action)
	case info.Explicit:
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeKeyDeny, p.accountB(), ArtefactKeyPolicy, p.dest.KMSKey
		c.Detail = fmt.Sprintf("an explicit deny in the key policy refuses %s; %s", action, why)
		c.Fix = "In account " + p.accountB() + ", remove or narrow the Deny statement of the key policy: no Allow overrides it."
	case info.Layer == awserr.LayerKeyPolicy || info.Layer == awserr.LayerResource:
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeKeyPolicy, p.accountB(), ArtefactKeyPolicy, p.dest.KMSKey
		if decrypt {
			c.Code = causeDecryptKey
		}
		c.Detail = fmt.Sprintf("the key policy in account %s does not let the role use the key (%s); %s", p.accountB(), action, why)
		c.Fix = fmt.Sprintf("In account %s, add this statement to the key policy. If the key policy delegates to account %s as a whole (principal :root), the missing statement is in the identity policy of the role instead: AWS's text does not tell the two apart.", p.accountB(), p.accountA())
		c.FixStatement = p.statement(docKey, action)
	default:
		p.keySideUnknown(c, action, why)
	}
}

func (p *probe) keySideUnknown(c *finding, action, why string) {
	c.Code, c.Artefact, c.ArtefactARN = causeKeySide, ArtefactIdentityKey, p.dest.KMSKey
	c.Detail = fmt.Sprintf("%s is refused, and AWS does not say by which side; %s", action, why)
	c.Fix = fmt.Sprintf("Both must allow it: the key policy in account %s (statement below) and the identity policy of the role in account %s:\n%s", p.accountB(), p.accountA(), p.statement(docIdentity, action))
	c.FixStatement = p.statement(docKey, action)
}

func (p *probe) bucketDenied(c *finding, s step, info awserr.Info, action string) {
	switch {
	case info.Explicit && info.Layer == awserr.LayerIdentity:
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeS3Deny, p.accountA(), ArtefactIdentity, p.dest.Role
		c.Detail = fmt.Sprintf("an explicit deny in a policy of the role refuses %s", action)
		c.Fix = "In account " + p.accountA() + ", remove or narrow the Deny statement: no Allow overrides it."
	case info.Explicit:
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeS3Deny, p.accountB(), ArtefactBucketPolicy, p.bucketARN()
		c.Detail = fmt.Sprintf("an explicit deny in the bucket policy refuses %s", action)
		c.Fix = "In account " + p.accountB() + ", compare the Deny statements of the bucket policy with what is sent: TLS, SSE-KMS with the full key ARN " + p.dest.KMSKey + ", signature v4. A Deny on addresses, VPC endpoints or organizations has to except the role."
	case info.Layer == awserr.LayerIdentity:
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeS3Identity, p.accountA(), ArtefactIdentity, p.dest.Role
		c.Detail = fmt.Sprintf("the identity policy of the role in account %s does not allow %s on %s", p.accountA(), action, p.objectARN())
		c.Fix = fmt.Sprintf("In account %s, add this statement to the identity policy of the role.", p.accountA())
		c.FixStatement = p.statement(docIdentity, action)
	case info.Layer == awserr.LayerResource:
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeS3Bucket, p.accountB(), ArtefactBucketPolicy, p.bucketARN()
		c.Detail = fmt.Sprintf("the bucket policy in account %s does not let the role do %s on %s", p.accountB(), action, p.objectARN())
		c.Fix = fmt.Sprintf("In account %s, add this statement to the bucket policy. If the bucket policy delegates to account %s as a whole (principal :root), the missing statement is in the identity policy of the role instead.", p.accountB(), p.accountA())
		c.FixStatement = p.statement(docBucket, action)
	case s.part:
		// The same permission as Create, which passed, and kms:Decrypt: it is the latter.
		p.keySideUnknown(c, "kms:Decrypt", "S3 needs it for every part of a multipart upload: small files pass, large ones fail")
	default:
		p.sideUnknown(c, s, action)
	}
}

func (p *probe) sideUnknown(c *finding, s step, action string) {
	c.Code, c.Artefact, c.ArtefactARN = causeS3Side, ArtefactIdentityBucket, p.bucketARN()
	c.Detail = fmt.Sprintf("%s: S3 refuses %s and does not say by which policy, as it does for callers outside the organization of the bucket's account. KMS refusals have a text, so it is S3's side", s.name, action)
	if p.dest.Role == "" || p.dest.Compatible {
		c.Fix = "Give the credentials the right to write below the prefix, in the store's own way."
		return
	}
	c.Fix = fmt.Sprintf("Two policies must allow it. In account %s, the bucket policy (statement below). In account %s, the identity policy of the role:\n%s\nIf both do: look for a Deny in the bucket policy, a public statement together with RestrictPublicBuckets, an RCP in B's organization, an SCP in A's, a VPC endpoint policy on the way.",
		p.accountB(), p.accountA(), p.statement(docIdentity, action))
	c.FixStatement = p.statement(docBucket, action)
}

func (p *probe) objectARN() string { return p.bucketARN() + "/" + p.key }

// bareDenied asks twice more, to tell the owner check, KMS and S3's own policies
// apart. Whatever a question starts is aborted at once.
func (p *probe) bareDenied(ctx context.Context, c *finding, s step) {
	if p.dest.Owner != "" {
		in := p.createInput()
		in.ExpectedBucketOwner = nil
		if out, err := p.s3().CreateMultipartUpload(ctx, in); err == nil {
			p.ownerMismatch(c)
			p.discard(ctx, c, aws.ToString(out.UploadId), false)
			return
		}
	}
	if p.dest.KMSKey != "" {
		in := p.createInput()
		in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled = types.ServerSideEncryptionAes256, nil, nil
		if out, err := p.s3().CreateMultipartUpload(ctx, in); err == nil {
			p.keySideUnknown(c, "kms:GenerateDataKey", "the same upload without the key is accepted, so S3's side is fine")
			p.discard(ctx, c, aws.ToString(out.UploadId), true)
			return
		}
	}
	p.sideUnknown(c, s, "s3:PutObject")
}

// discard aborts an upload that a question started.
func (p *probe) discard(ctx context.Context, c *finding, id string, expectOwner bool) {
	keep := p.dest
	if !expectOwner {
		d := *p.dest
		d.Owner = ""
		p.dest = &d
	}
	err := p.abortUpload(ctx, id)
	p.dest = keep
	if err != nil {
		c.Detail += fmt.Sprintf("; multipart upload %s of %s was left behind, tried to abort it at %s", id, p.key, time.Now().UTC().Format(time.RFC3339))
	}
}
