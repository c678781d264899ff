package verify

// The codes of causes. A code never changes its meaning, and each has a page in
// docs/checks.
const (
	causeNetwork      = "BRK-NET-001"
	causeThrottled    = "BRK-AWS-001"
	causeOther        = "BRK-AWS-002"
	causeIncoherent   = "BRK-CFG-010"
	causeNoPrefix     = "BRK-CFG-011"
	causePlainHTTP    = "BRK-HOST-011"
	causeRouteUnknown = "BRK-HOST-012"
	causeClock        = "BRK-HOST-010"

	causeNoSource      = "BRK-ID-010" // no source credentials
	causeBadSource     = "BRK-ID-011" // source credentials rejected
	causeTrust         = "BRK-ID-020" // AssumeRole refused
	causeSourcePolicy  = "BRK-ID-021" // the source's own policy refuses
	causeAssumeInvalid = "BRK-ID-022" // AssumeRole request refused as such
	causeOtherRole     = "BRK-ID-030" // session of another role
	causeNoSTS         = "BRK-ID-040" // a compatible store without GetCallerIdentity
	causeSession       = "BRK-ID-050" // the session was rejected
	causeExternalID    = "BRK-ID-023" // the trust policy wants another external id
	causeWebIdentity   = "BRK-ID-024" // the token of the identity provider does not fit
	causePacked        = "BRK-ID-025" // session policy or tags too large or malformed
	causeTrustStale    = "BRK-ID-026" // the trust policy names a deleted principal
	causeNoRole        = "BRK-ID-027" // there is no such role
	causeAssumeValue   = "BRK-ID-028" // a value of the AssumeRole request is not valid
	causeOptInRegion   = "BRK-ID-052" // an opt-in Region, or tokens of the global STS endpoint
	causeTampered      = "BRK-ID-051" // signature broken on the way

	causeNoBucket     = "BRK-S3-010"
	causeRegion       = "BRK-S3-011"
	causeOwner        = "BRK-S3-012"
	causeRegionUnsaid = "BRK-S3-013"
	causeAllDisabled  = "BRK-S3-014"
	causeS3Identity   = "BRK-S3-020"
	causeS3Bucket     = "BRK-S3-021"
	causeS3Deny       = "BRK-S3-022"
	causeS3Side       = "BRK-S3-023" // refused, side unknown
	causeAbort        = "BRK-S3-030"

	causeS3IdentityResource = "BRK-S3-024" // the role's policy is about another resource
	causeBucketStale        = "BRK-S3-025" // the bucket policy names a deleted role
	causeBucketResource     = "BRK-S3-026" // the bucket policy is about another resource
	causeBucketTransport    = "BRK-S3-040" // a Deny on TLS or the signature
	causeBucketEncryption   = "BRK-S3-041" // a Deny on the encryption header
	causeBucketKeyID        = "BRK-S3-042" // a Deny on the key's name
	causeBucketNetwork      = "BRK-S3-043" // network or organization
	causeBucketACL          = "BRK-S3-044" // a Deny on the ACL header
	causeACLRefused         = "BRK-S3-045" // the bucket takes no ACLs
	causeOptionDenied       = "BRK-S3-046" // tags, ACL or lock headers without their action
	causeOwnership          = "BRK-S3-047" // writers own their objects
	causeRequesterPays      = "BRK-S3-048"
	causePartRefused        = "BRK-S3-049" // parts are refused, the start was accepted
	causeHeaderless         = "BRK-S3-050" // objects without headers would be encrypted otherwise

	causeKeyPolicy       = "BRK-KMS-010" // GenerateDataKey, key policy
	causeKeyIdentity     = "BRK-KMS-011" // GenerateDataKey, identity policy
	causeDecryptIdentity = "BRK-KMS-012"
	causeDecryptKey      = "BRK-KMS-013"
	causeKeyDeny         = "BRK-KMS-014"
	causeKeySide         = "BRK-KMS-015" // KMS refused, side unknown
	causeKeyDisabled     = "BRK-KMS-020"
	causeKeyPending      = "BRK-KMS-021"
	causeKeyNotFound     = "BRK-KMS-022"
	causeKeyUnusable     = "BRK-KMS-023"
	causeOtherKey        = "BRK-KMS-030"
	causeNoKeyProof      = "BRK-KMS-031"

	causeKeyIdentityName    = "BRK-KMS-016" // the role's policy names the key wrongly
	causeKeyIdentityNetwork = "BRK-KMS-017" // a network condition on a call that S3 forwards
	causeKeyStale           = "BRK-KMS-018" // the key policy names a deleted role
	causeKeyThrottled       = "BRK-KMS-024"
	causeDefaultManaged     = "BRK-KMS-032" // default encryption with aws/s3
	causeDefaultAlias       = "BRK-KMS-033" // default encryption with an alias or another key
	causeKeyCondition       = "BRK-KMS-040" // ViaService, CallerAccount and the like
	causeKeyContext         = "BRK-KMS-041" // encryption context
	causeKeyNetwork         = "BRK-KMS-042" // a network condition in the key policy
	causeKeyDirect          = "BRK-KMS-043" // usable outside S3
	causeKeyUnproven        = "BRK-KMS-044"

	causeBoundary     = "BRK-POL-001"
	causeSessionPol   = "BRK-POL-002"
	causeSCP          = "BRK-POL-003"
	causeRCP          = "BRK-POL-004"
	causeEndpoint     = "BRK-POL-005"
	causePublicAccess = "BRK-POL-006"
	causeUnseen       = "BRK-POL-010" // AWS denies what every document allows
	causeStaleCopy    = "BRK-POL-011" // AWS allows a request that a document denies
	causeMalformed    = "BRK-POL-012"
	causeUnread       = "BRK-POL-020" // the document was not read
	causeUndecided    = "BRK-AWS-004"
	causeBudget       = "BRK-AWS-003" // the calls of a run are used up
)
