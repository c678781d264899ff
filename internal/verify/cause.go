package verify

import (
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/verify/report"
)

func isNetworkKey(key string) bool {
	switch strings.ToLower(key) {
	case "aws:sourceip", "aws:sourcevpce", "aws:sourcevpc", "aws:vpcsourceip", "aws:sourcevpcarn", "aws:multifactorauthpresent", "aws:multifactorauthage":
		return true
	}
	return false
}

func isOrganizationKey(key string) bool {
	switch strings.ToLower(key) {
	case "aws:principalorgid", "aws:principalorgpaths", "aws:resourceorgid", "aws:resourceorgpaths", "aws:principalaccount", "aws:resourceaccount", "s3:resourceaccount":
		return true
	}
	return false
}

func isTransportKey(key string) bool {
	switch strings.ToLower(key) {
	case "aws:securetransport", "s3:tlsversion", "s3:signatureversion", "s3:authtype", "s3:signatureage":
		return true
	}
	return false
}

const (
	encryptionKey   = "s3:x-amz-server-side-encryption"
	encryptionKeyID = "s3:x-amz-server-side-encryption-aws-kms-key-id"
)

// denyCode is the code of a statement that refuses.
func denyCode(kind, action string, s statementParts) string {
	isKMS := strings.HasPrefix(action, "kms:")
	has := func(is func(string) bool) bool { return slices.ContainsFunc(s.keys(), is) }
	switch kind {
	case report.ArtefactBoundary:
		return causeBoundary
	case report.ArtefactSessionPolicy:
		return causeSessionPol
	case report.ArtefactSCP:
		return causeSCP
	case report.ArtefactRCP:
		return causeRCP
	case report.ArtefactEndpointPolicy:
		return causeEndpoint
	case report.ArtefactTrust:
		return causeTrust
	case report.ArtefactSourcePolicy:
		return causeSourcePolicy
	case report.ArtefactKeyPolicy:
		if has(isNetworkKey) {
			return causeKeyNetwork
		}
		return causeKeyDeny
	case report.ArtefactIdentity:
		switch {
		case isKMS && has(isNetworkKey):
			return causeKeyIdentityNetwork
		case isKMS:
			return causeKeyDeny
		}
		return causeS3Deny
	}
	switch {
	case has(func(k string) bool { return strings.EqualFold(k, encryptionKeyID) }):
		return causeBucketKeyID
	case has(func(k string) bool { return strings.EqualFold(k, encryptionKey) }):
		return causeBucketEncryption
	case has(func(k string) bool { return k == "s3:x-amz-acl" || strings.HasPrefix(k, "s3:x-amz-grant-") }):
		return causeBucketACL
	case has(isTransportKey):
		return causeBucketTransport
	case has(isNetworkKey), has(isOrganizationKey):
		return causeBucketNetwork
	}
	return causeS3Deny
}

// lackCode is the code of a document in which nothing allows, by what came nearest.
func lackCode(kind, action string, misses []report.NearMiss) string {
	isKMS, decrypt := strings.HasPrefix(action, "kms:"), strings.EqualFold(action, "kms:Decrypt")
	var near report.NearMiss
	if len(misses) > 0 {
		near = misses[0]
	}
	onResource := near.FailedOn == string(iampolicy.ElementResource)
	onCondition := near.FailedOn == string(iampolicy.ElementCondition)
	stale := slices.ContainsFunc(misses, isStale)
	if isOption(action) && (kind == report.ArtefactIdentity || kind == report.ArtefactBucketPolicy) {
		return causeOptionDenied
	}
	switch kind {
	case report.ArtefactBoundary:
		return causeBoundary
	case report.ArtefactSessionPolicy:
		return causeSessionPol
	case report.ArtefactSCP:
		return causeSCP
	case report.ArtefactRCP:
		return causeRCP
	case report.ArtefactEndpointPolicy:
		return causeEndpoint
	case report.ArtefactSourcePolicy:
		return causeSourcePolicy
	case report.ArtefactTrust:
		switch {
		case action == "sts:AssumeRoleWithWebIdentity":
			return causeWebIdentity
		case onCondition && strings.EqualFold(near.Key, "sts:ExternalId"):
			return causeExternalID
		case stale:
			return causeTrustStale
		}
		return causeTrust
	case report.ArtefactIdentity:
		switch {
		case isKMS && onCondition && isNetworkKey(near.Key):
			return causeKeyIdentityNetwork
		case isKMS && onResource:
			return causeKeyIdentityName
		case isKMS && decrypt:
			return causeDecryptIdentity
		case isKMS:
			return causeKeyIdentity
		case onResource:
			return causeS3IdentityResource
		}
		return causeS3Identity
	case report.ArtefactKeyPolicy:
		switch {
		case stale:
			return causeKeyStale
		case onCondition && isNetworkKey(near.Key):
			return causeKeyNetwork
		case onCondition && strings.HasPrefix(strings.ToLower(near.Key), "kms:encryptioncontext"):
			return causeKeyContext
		case onCondition:
			return causeKeyCondition
		case decrypt:
			return causeDecryptKey
		}
		return causeKeyPolicy
	}
	switch {
	case stale:
		return causeBucketStale
	case onResource:
		return causeBucketResource
	case onCondition && (isNetworkKey(near.Key) || isOrganizationKey(near.Key)):
		return causeBucketNetwork
	}
	return causeS3Bucket
}

// isOption lists the actions that headers of a destination's options ask for.
func isOption(action string) bool {
	switch action {
	case "s3:PutObjectTagging", "s3:PutObjectAcl", "s3:PutObjectRetention", "s3:PutObjectLegalHold":
		return true
	}
	return false
}

// stale says that the statement names a role or user that was deleted.
func isStale(n report.NearMiss) bool {
	return n.FailedOn == string(iampolicy.ElementPrincipal) && slices.ContainsFunc(n.Want, isUniqueID)
}

// isUniqueID recognizes the ids that AWS shows for deleted roles and users.
func isUniqueID(s string) bool {
	s = strings.TrimPrefix(s, "AWS:")
	return len(s) >= 16 && (strings.HasPrefix(s, "AROA") || strings.HasPrefix(s, "AIDA")) && !strings.ContainsAny(s, ":/")
}

// forwardedNote explains the conditions that S3's own call to KMS cannot meet.
func forwardedNote(action string, s statementParts) string {
	if strings.HasPrefix(action, "kms:") && slices.ContainsFunc(s.keys(), isNetworkKey) {
		return "S3 calls KMS from AWS's own network, in the role's name: a condition on addresses, VPC endpoints or MFA never holds there"
	}
	return ""
}

// lackNote says what the documents alone do not.
func (p *prediction) lackNote(sc iampolicy.Scenario, f finding) string {
	switch f.Code {
	case causeKeyIdentityNetwork, causeKeyNetwork:
		return "S3 calls KMS from AWS's own network, in the role's name: a condition on addresses, VPC endpoints or MFA never holds there"
	case causeKeyContext:
		if p.bucketKey() {
			return "With bucket keys, which this destination uses, the encryption context is the bucket's ARN and not the object's"
		}
		return "Without bucket keys the encryption context is the object's ARN and not the bucket's"
	case causeKeyIdentityName:
		return "For encryption KMS compares the key's own ARN: an alias, a key id or the ARN of another Region's replica never matches"
	case causeBucketStale, causeKeyStale, causeTrustStale:
		return "The role that it named was deleted; a role made again under the same name is another one, and the statement has to be saved again with the ARN"
	case causeExternalID:
		if p.dest.Session.ExternalID == "" {
			return "No external id is configured"
		}
	case causeDecryptIdentity, causeDecryptKey:
		return "S3 needs it for every part of a multipart upload: small files pass, large ones fail"
	}
	if f.Artefact == report.ArtefactSourcePolicy {
		return "The trust policy lets the account in rather than this identity, so that its own policy must allow, too"
	}
	if f.Artefact == report.ArtefactIdentity && p.delegates(sc) {
		return "AWS blames the resource's policy for it, because that lets the whole account in and leaves the choice to its administrators"
	}
	return ""
}

// delegates says that the resource's policy lets account A in as a whole.
func (p *prediction) delegates(sc iampolicy.Scenario) bool {
	for _, l := range iampolicy.Evaluate(sc).Layers {
		if l.Layer != iampolicy.LayerResource {
			continue
		}
		for _, s := range l.Statements {
			if s.Outcome == iampolicy.Matched && s.Effect == "Allow" && s.Grant == iampolicy.GrantAccount {
				return true
			}
		}
	}
	return false
}
