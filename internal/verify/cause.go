package verify

import (
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/verify/report"
)

func isNetworkKey(key string) bool {
	switch strings.ToLower(key) {
	case "aws:sourceip",
		"aws:sourcevpce",
		"aws:sourcevpc",
		"aws:vpcsourceip",
		"aws:sourcevpcarn",
		"aws:multifactorauthpresent",
		"aws:multifactorauthage":
		return true
	}
	return false
}

func isOrganizationKey(key string) bool {
	switch strings.ToLower(key) {
	case "aws:principalorgid",
		"aws:principalorgpaths",
		"aws:resourceorgid",
		"aws:resourceorgpaths",
		"aws:principalaccount",
		"aws:resourceaccount",
		"s3:resourceaccount":
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

// limitCodes are the codes of policies with one code for a Deny and for a missing Allow.
var limitCodes = map[string]string{
	report.ArtefactBoundary: causeBoundary, report.ArtefactSessionPolicy: causeSessionPol, report.ArtefactSCP: causeSCP,
	report.ArtefactRCP: causeRCP, report.ArtefactEndpointPolicy: causeEndpoint, report.ArtefactSourcePolicy: causeSourcePolicy,
}

// denyCode returns the code of a Deny statement.
func denyCode(kind, action string, s statementParts) string {
	if code := limitCodes[kind]; code != "" {
		return code
	}
	isKMS := strings.HasPrefix(action, "kms:")
	has := func(is func(string) bool) bool { return slices.ContainsFunc(s.keys(), is) }
	switch kind {
	case report.ArtefactTrust:
		return causeTrust
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

// lackCode returns the code of a missing Allow, by the nearest statement.
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
	if code := limitCodes[kind]; code != "" {
		return code
	}
	switch kind {
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

// isOption reports whether an action belongs to a header of the destination's options.
func isOption(action string) bool {
	switch action {
	case "s3:PutObjectTagging", "s3:PutObjectAcl", "s3:PutObjectRetention", "s3:PutObjectLegalHold":
		return true
	}
	return false
}

// isStale reports whether a statement names a deleted role or user.
func isStale(n report.NearMiss) bool {
	return n.FailedOn == string(iampolicy.ElementPrincipal) && slices.ContainsFunc(n.Want, isUniqueID)
}

// isUniqueID recognizes the ids that AWS shows for deleted roles and users.
func isUniqueID(s string) bool {
	s = strings.TrimPrefix(s, "AWS:")
	return len(s) >= 16 && (strings.HasPrefix(s, "AROA") || strings.HasPrefix(s, "AIDA")) && !strings.ContainsAny(s, ":/")
}

// forwardedNote explains conditions that S3's call to KMS cannot meet.
func forwardedNote(action string, s statementParts) string {
	if strings.HasPrefix(action, "kms:") && slices.ContainsFunc(s.keys(), isNetworkKey) {
		return "S3 calls KMS for the role from AWS's own network, which meets no condition on addresses, VPC endpoints or MFA"
	}
	return ""
}

// lackNote adds knowledge that the documents do not hold.
func (p *prediction) lackNote(sc iampolicy.Scenario, f finding) string {
	switch f.Code {
	case causeKeyIdentityNetwork, causeKeyNetwork:
		return "S3 calls KMS for the role from AWS's own network, which meets no condition on addresses, VPC endpoints or MFA"
	case causeKeyContext:
		if p.bucketKey() {
			return "This destination uses Bucket Keys, so the encryption context is the ARN of the bucket, not of the object"
		}
		return "This destination uses no Bucket Keys, so the encryption context is the ARN of the object, not of the bucket"
	case causeKeyIdentityName:
		return "For encryption KMS compares the ARN of the key itself: an alias, a key id and the ARN of a replica do not match"
	case causeBucketStale, causeKeyStale, causeTrustStale:
		return "The named role was deleted. A new role with the same name has another id: save the statement again with the ARN"
	case causeExternalID:
		if p.dest.Session.ExternalID == "" {
			return "No external id is configured"
		}
	case causeDecryptIdentity, causeDecryptKey:
		return "S3 needs it for every part of a multipart upload: small files pass, large ones fail"
	}
	if f.Artefact == report.ArtefactSourcePolicy {
		return "The trust policy names the account and not this identity, so the identity's own policy must allow it, too"
	}
	if f.Artefact == report.ArtefactIdentity && p.delegates(sc) {
		return "AWS's text names the resource's policy, because that policy delegates to the whole account"
	}
	return ""
}

// delegates reports whether the resource's policy delegates to account A as a whole.
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
