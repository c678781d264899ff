package awserr

// Class is the kind of a failure.
type Class string

// The classes.
const (
	None               Class = ""                    // no error
	Network            Class = "network"             // no response: DNS, connect, TLS, timeout, reset
	Throttle           Class = "throttle"            // the service asks for fewer requests
	Transient          Class = "transient"           // 5xx and the like
	Conflict           Class = "conflict"            // 409: a concurrent conditional write
	ExpiredCredentials Class = "expired_credentials" // the session has expired, or was refused as expired
	BadCredentials     Class = "bad_credentials"     // unknown key, wrong secret, none at all
	ClockSkew          Class = "clock_skew"          // the local clock is wrong
	AccessDenied       Class = "access_denied"       // a policy denies, or no policy allows
	NotFound           Class = "not_found"           // NoSuchBucket and the like
	NoSuchUpload       Class = "no_such_upload"      // the multipart upload is gone
	KeyState           Class = "key_state"           // KMS key missing, disabled, pending deletion, wrong type: never a policy
	Region             Class = "region"              // the bucket is in another Region
	Owner              Class = "owner"               // the bucket of another account; S3 returns AccessDenied, so only a probe tells
	Precondition       Class = "precondition"        // 412: If-None-Match
	Invalid            Class = "invalid"             // the request can never succeed unchanged
	Integrity          Class = "integrity"           // S3 received other bytes than were sent
	Canceled           Class = "canceled"            // the caller gave up
	Terminal           Class = "terminal"            // any other refusal
)

// Retryable reports whether the same call may succeed later with no repair.
func (c Class) Retryable() bool {
	d := c.Disposition()
	return d == Retry || d == RefreshThenRetry
}

// codes maps the error codes of services. classOf handles codes whose meaning depends on
// their text.
var codes = map[string]Class{
	// Throttling.
	"SlowDown": Throttle, "Throttling": Throttle, "ThrottlingException": Throttle, "ThrottledException": Throttle,
	"RequestThrottled": Throttle, "RequestThrottledException": Throttle, "TooManyRequestsException": Throttle, "TooManyRequests": Throttle,
	"RequestLimitExceeded": Throttle, "BandwidthLimitExceeded": Throttle, "LimitExceededException": Throttle,
	"PriorRequestNotComplete": Throttle, "ProvisionedThroughputExceededException": Throttle, "EC2ThrottledException": Throttle,
	"SlowDownRead": Throttle, "SlowDownWrite": Throttle,

	// Failures of the service.
	"InternalError": Transient, "InternalFailure": Transient, "InternalServerError": Transient, "ServiceUnavailable": Transient,
	"ServiceUnavailableException": Transient, "RequestTimeout": Transient, "RequestTimeoutException": Transient,
	"IDPCommunicationError": Transient, "KMSInternalException": Transient, "DependencyTimeoutException": Transient,
	"KeyUnavailableException": Transient, "Busy": Transient, "XMinioServerNotInitialized": Transient,
	"TemporaryRedirect": Transient, "Redirect": Transient, // within the Region; see redirected

	"ConditionalRequestConflict": Conflict, "OperationAborted": Conflict,
	"PreconditionFailed": Precondition,

	// Credentials.
	"ExpiredToken": ExpiredCredentials, "ExpiredTokenException": ExpiredCredentials, "TokenRefreshRequired": ExpiredCredentials,
	"InvalidToken":       ExpiredCredentials,
	"InvalidAccessKeyId": BadCredentials, "InvalidClientTokenId": BadCredentials, "UnrecognizedClientException": BadCredentials,
	"SignatureDoesNotMatch": BadCredentials, "InvalidSignatureException": BadCredentials, "IncompleteSignature": BadCredentials,
	"MissingAuthenticationToken": BadCredentials, "MissingSecurityHeader": BadCredentials, "NotSignedUp": BadCredentials,
	"AuthFailure":          BadCredentials,
	"RequestTimeTooSkewed": ClockSkew, "RequestExpired": ClockSkew, "RequestInTheFuture": ClockSkew,

	// Refusals.
	"AccessDenied": AccessDenied, "AccessDeniedException": AccessDenied, "Forbidden": AccessDenied, "UnauthorizedOperation": AccessDenied,
	"UnauthorizedAccess": AccessDenied, "AllAccessDisabled": AccessDenied, "AccountProblem": AccessDenied, "IDPRejectedClaim": AccessDenied,
	"InvalidIdentityToken": AccessDenied, "AccessControlListNotSupported": Invalid,

	// Missing resources, and resources in another Region.
	"NoSuchBucket": NotFound, "NoSuchKey": NotFound, "NotFound": NotFound, "NoSuchEntity": NotFound,
	"NoSuchUpload":      NoSuchUpload,
	"PermanentRedirect": Region, "IllegalLocationConstraintException": Region,
	"RegionDisabledException": Region, "RegionDisabled": Region,

	// States of a key, never a policy.
	"DisabledException": KeyState, "KMSInvalidStateException": KeyState, "InvalidKeyUsageException": KeyState, "NotFoundException": KeyState,
	"InvalidArnException": KeyState, "InvalidGrantTokenException": KeyState, "UnsupportedOperationException": KeyState,
	"IncorrectKeyException": KeyState,

	// The request itself.
	"BadDigest": Integrity, "XAmzContentSHA256Mismatch": Integrity, "XAmzContentChecksumMismatch": Integrity, "IncompleteBody": Integrity,
	"InvalidDigest": Invalid, "EntityTooLarge": Invalid, "EntityTooSmall": Invalid, "KeyTooLongError": Invalid, "MetadataTooLarge": Invalid,
	"RequestHeaderSectionTooLarge": Invalid, "InvalidPart": Invalid, "InvalidPartOrder": Invalid, "InvalidArgument": Invalid,
	"InvalidRequest": Invalid, "InvalidBucketName": Invalid, "InvalidObjectName": Invalid, "InvalidStorageClass": Invalid,
	"InvalidTag": Invalid, "MalformedXML": Invalid, "MissingContentLength": Invalid, "ValidationError": Invalid,
	"ValidationException": Invalid, "MalformedPolicyDocument": Invalid, "PackedPolicyTooLarge": Invalid, "NotImplemented": Invalid,
	"MethodNotAllowed": Invalid, "InvalidParameterValue": Invalid, "InvalidParameterCombination": Invalid, "MissingParameter": Invalid,
}

// SessionClass is the class of a failed refresh of a role session.
type SessionClass string

// The classes of session failures.
const (
	SessionOK        SessionClass = ""
	SessionTerminal  SessionClass = "terminal"  // a retry does not help until a policy or credential changes
	SessionThrottle  SessionClass = "throttle"  // retry later
	SessionTransient SessionClass = "transient" // retry
	SessionSource    SessionClass = "source"    // the source credentials failed: read them again and retry once
)

// sessionTerminal are the codes of STS that do not pass by themselves.
var sessionTerminal = map[string]bool{
	"AccessDenied": true, "AccessDeniedException": true, "IDPRejectedClaim": true, "InvalidIdentityToken": true,
	"MalformedPolicyDocument": true, "PackedPolicyTooLarge": true, "RegionDisabled": true, "RegionDisabledException": true,
	"ValidationError": true, "ValidationException": true, "InvalidParameterValue": true, "InvalidParameterCombination": true,
}

// SessionFailure classifies a failed AssumeRole.
func SessionFailure(err error) SessionClass {
	if err == nil {
		return SessionOK
	}
	info := Classify(err, "sts")
	switch {
	case sessionTerminal[info.Code]:
		return SessionTerminal
	case info.Class == Throttle:
		return SessionThrottle
	case info.Class == ExpiredCredentials, info.Class == BadCredentials:
		return SessionSource
	}
	switch info.Class {
	case AccessDenied, Invalid, Region:
		return SessionTerminal
	}
	return SessionTransient
}
