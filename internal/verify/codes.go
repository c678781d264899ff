package verify

// The codes of causes. They are stable: a code is never given a second meaning,
// and each has a page in docs/checks.
const (
	causeNetwork    = "BRK-NET-001"
	causeThrottled  = "BRK-AWS-001"
	causeOther      = "BRK-AWS-002"
	causeIncoherent = "BRK-CFG-010"
	causeClock      = "BRK-HOST-010"

	causeNoSource      = "BRK-ID-010" // no source credentials
	causeBadSource     = "BRK-ID-011" // source credentials rejected
	causeTrust         = "BRK-ID-020" // AssumeRole refused
	causeSourcePolicy  = "BRK-ID-021" // the source's own policy refuses
	causeAssumeInvalid = "BRK-ID-022" // AssumeRole request refused as such
	causeOtherRole     = "BRK-ID-030" // session of another role
	causeNoSTS         = "BRK-ID-040" // a compatible store without GetCallerIdentity
	causeSession       = "BRK-ID-050" // the session was rejected

	causeNoBucket     = "BRK-S3-010"
	causeRegion       = "BRK-S3-011"
	causeOwner        = "BRK-S3-012"
	causeRegionUnsaid = "BRK-S3-013"
	causeS3Identity   = "BRK-S3-020"
	causeS3Bucket     = "BRK-S3-021"
	causeS3Deny       = "BRK-S3-022"
	causeS3Side       = "BRK-S3-023" // refused, side unknown
	causeAbort        = "BRK-S3-030"

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

	causeBoundary     = "BRK-POL-001"
	causeSessionPol   = "BRK-POL-002"
	causeSCP          = "BRK-POL-003"
	causeRCP          = "BRK-POL-004"
	causeEndpoint     = "BRK-POL-005"
	causePublicAccess = "BRK-POL-006"
)
