package errtext

import (
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/awserr"
)

// Kind says what sort of cause an error has.
type Kind string

// The kinds.
const (
	KindPolicy      Kind = "policy"      // a policy refused, or none allows
	KindCredentials Kind = "credentials" // the caller is not known, or its session has ended
	KindClock       Kind = "clock"       // the caller's clock is wrong
	KindKeyState    Kind = "key_state"   // the KMS key is missing, disabled or of another kind
	KindNotFound    Kind = "not_found"   // bucket, role or object does not exist
	KindRegion      Kind = "region"      // the request went to another Region
	KindRequest     Kind = "request"     // the request itself is wrong
	KindObjectLock  Kind = "object_lock" // a retention period or a legal hold protects the object
	KindThrottle    Kind = "throttle"    // too many requests
	KindService     Kind = "service"     // the service failed
	KindNetwork     Kind = "network"     // no answer from AWS
	KindOther       Kind = "other"
)

// cause is the meaning of a code or of a sentence.
type cause struct {
	kind Kind
	what string // the cause, as a clause
	next string // the next step, in the imperative
	page string // code of the page, for `brokerctl explain`
}

// codeCauses are the codes that a delivery, or its set-up, meets. Refusals are explained
// by their text; see denialCause.
var codeCauses = map[string]cause{
	"ExpiredToken": {KindCredentials, "the session has expired",
		"Get new session credentials. A program that holds them for long needs credentials that refresh themselves.", "BRK-ID-050"},
	"ExpiredTokenException": {KindCredentials, "the session or the web identity token has expired",
		"Get new credentials, or a new web identity token.", "BRK-ID-050"},
	"TokenRefreshRequired": {KindCredentials, "the session must be refreshed", "Get new session credentials.", "BRK-ID-050"},
	"InvalidToken": {KindCredentials,
		"the session token is malformed, of another account's access key, or of the global STS endpoint in a Region that needs opting in",
		"Use access key, secret and token of the same session, from the STS endpoint of a Region.", "BRK-ID-050"},
	"InvalidClientTokenId": {KindCredentials, "AWS does not know the access key, or its session token is missing",
		"Compare the access key with the account's keys. A key that begins with ASIA needs its session token.", "BRK-ID-011"},
	"UnrecognizedClientException": {KindCredentials, "AWS does not know the access key",
		"Compare the access key with the account's keys, and the partition of the endpoint.", "BRK-ID-011"},
	"InvalidAccessKeyId": {KindCredentials, "AWS does not know the access key",
		"Compare the access key with the account's keys. A key that begins with ASIA needs its session token.", "BRK-ID-011"},
	"SignatureDoesNotMatch": {KindCredentials,
		"the signature does not fit the request: a wrong secret key, or a proxy that changes requests",
		"Check the secret access key. If other calls with it succeed, look for a proxy that rewrites headers.", "BRK-ID-051"},
	"InvalidSignatureException": {KindCredentials, "the signature does not fit the request",
		"Check the secret access key and the clock.", "BRK-ID-051"},
	"IncompleteSignature": {KindRequest, "the Authorization header is incomplete",
		"Look for a proxy that rewrites headers, or for an endpoint of another service.", "BRK-ID-051"},
	"MissingAuthenticationToken": {KindCredentials, "the request is not signed", "Give the program credentials.", "BRK-ID-010"},
	"MissingSecurityHeader":      {KindRequest, "the request lacks a header", "Look for a proxy that removes headers.", "BRK-ID-051"},
	"NotSignedUp": {KindCredentials, "the account is not signed up for the service",
		"Complete the sign-up of the account.", "BRK-ID-011"},
	"AuthFailure": {KindCredentials, "AWS could not validate the credentials",
		"Check the access key, the secret and the clock.", "BRK-ID-011"},
	"OptInRequired": {KindRegion, "the account has not enabled the Region or the service",
		"Enable the Region in the caller's account.", "BRK-ID-052"},
	"RequestTimeTooSkewed": {KindClock, "the caller's clock differs from AWS's by more than 15 minutes",
		"Set the clock of the host (NTP).", "BRK-HOST-010"},
	"RequestExpired":     {KindClock, "the request was signed too long ago", "Set the clock of the host (NTP).", "BRK-HOST-010"},
	"RequestInTheFuture": {KindClock, "the request was signed in the future", "Set the clock of the host (NTP).", "BRK-HOST-010"},

	"NoSuchBucket": {KindNotFound, "there is no such bucket", "Check the name, the partition and the endpoint.",
		"BRK-S3-010"},
	"NoSuchKey": {KindNotFound, "there is no such object",
		"Check the key. Without s3:ListBucket, S3 answers 403 instead.", "BRK-AWS-002"},
	"NoSuchUpload": {KindNotFound, "the multipart upload was completed or aborted", "Start the upload again.",
		"BRK-S3-030"},
	"NoSuchBucketPolicy": {KindNotFound, "the bucket has no policy",
		"Create a bucket policy; a bucket without one refuses every other account.", "BRK-S3-021"},
	"NoSuchEntity": {KindNotFound, "there is no such role, user or policy", "Check the name and the account.",
		"BRK-ID-027"},
	"NotFound": {KindNotFound, "the bucket or the object does not exist", "Check the name.", "BRK-S3-010"},
	"PermanentRedirect": {KindRegion, "the bucket is in another Region",
		"Send the request to the Region of the bucket; S3 names it in the header x-amz-bucket-region.", "BRK-S3-011"},
	"TemporaryRedirect": {KindRegion, "S3 redirects to another endpoint",
		"Follow the redirect, or wait until the new bucket's name is known everywhere.", "BRK-S3-011"},
	"AuthorizationHeaderMalformed": {KindRegion, "the request was signed for another Region",
		"Sign for the Region that the message names.", "BRK-S3-011"},
	"IllegalLocationConstraintException": {KindRegion, "the Region of the request and the Region of the endpoint differ",
		"Use the endpoint of the Region in which the bucket is, or is to be made.", "BRK-S3-011"},
	"IllegalLocationConstraint": {KindRegion, "the Region of the request and the Region of the endpoint differ",
		"Use the endpoint of the Region in which the bucket is, or is to be made.", "BRK-S3-011"},
	"InvalidLocationConstraint": {KindRegion, "the location constraint is no Region that S3 accepts there",
		"Use the endpoint of the Region in which the bucket is to be made.", "BRK-S3-011"},
	"RegionDisabledException": {KindRegion, "STS is not active in this Region for the account",
		"Activate STS in the Region, or use the endpoint of another Region.", "BRK-ID-052"},
	"RegionDisabled": {KindRegion, "STS is not active in this Region for the account",
		"Activate STS in the Region, or use the endpoint of another Region.", "BRK-ID-052"},

	"AllAccessDisabled": {KindPolicy, "AWS has disabled all access to the bucket or the account; no policy can allow it",
		"Check the name of the bucket, and the state of its owner's account.", "BRK-S3-014"},
	"AccountProblem": {KindPolicy, "AWS has restricted the account; no policy can allow it",
		"Contact AWS Support for the account.", "BRK-AWS-002"},
	"AccessControlListNotSupported": {KindRequest, "the bucket does not accept ACLs",
		"Send no ACL. Object ownership is BucketOwnerEnforced.", "BRK-S3-045"},
	"InvalidBucketAclWithObjectOwnership": {KindRequest, "the bucket does not accept ACLs", "Send no ACL with BucketOwnerEnforced.",
		"BRK-S3-045"},
	"MalformedPolicy": {KindRequest, "S3 does not accept the bucket policy",
		"Correct the policy; `brokerctl policy lint --kind bucket` finds the place.", "BRK-POL-012"},
	"MalformedPolicyDocument": {KindRequest, "AWS does not accept the policy document",
		"Correct the policy; `brokerctl policy lint` finds the place.", "BRK-POL-012"},
	"MalformedPolicyDocumentException": {KindRequest, "KMS does not accept the key policy",
		"Correct the policy; `brokerctl policy lint --kind key` finds the place.", "BRK-POL-012"},
	"PackedPolicyTooLarge": {KindRequest, "session policy and session tags are too large together",
		"Shorten the session policy (by the prefix of the destination) or `session.tags`, or set `session.scope: \"off\"`.", "BRK-ID-025"},
	"InvalidIdentityToken": {KindCredentials, "STS does not accept the web identity token",
		"Compare the token's issuer and audience with the identity provider in the role's account.", "BRK-ID-024"},
	"IDPRejectedClaim": {KindCredentials, "the identity provider rejected the token", "Get a new web identity token.",
		"BRK-ID-024"},
	"IDPCommunicationError": {KindService, "STS could not reach the identity provider",
		"Check that the issuer's keys can be fetched from the internet; retry.", "BRK-ID-024"},
	"ValidationError": {KindRequest, "STS or IAM does not accept a parameter",
		"Correct the parameter that the message names.", "BRK-ID-028"},
	"ValidationException": {KindRequest, "the service does not accept a parameter",
		"Correct the parameter that the message names.", "BRK-AWS-002"},

	"DisabledException": {KindKeyState, "the KMS key is disabled; no policy can help", "Enable the key in its account.",
		"BRK-KMS-020"},
	"KMSInvalidStateException": {KindKeyState, "the KMS key is pending deletion or import; no policy can help",
		"Cancel the deletion of the key in its account, or import its material.", "BRK-KMS-021"},
	"NotFoundException": {KindKeyState, "there is no such KMS key in this Region and account",
		"Check the key's ARN: Region, account and id. An alias or a bare id is looked up in the caller's account.", "BRK-KMS-022"},
	"InvalidArnException": {KindKeyState, "the ARN of the KMS key is malformed", "Write the key's full ARN.", "BRK-KMS-022"},
	"InvalidKeyUsageException": {KindKeyState, "the KMS key is not for symmetric encryption",
		"Use a symmetric key with the usage ENCRYPT_DECRYPT.", "BRK-KMS-023"},
	"UnsupportedOperationException": {KindKeyState, "the KMS key does not support the operation",
		"Use a symmetric key with the usage ENCRYPT_DECRYPT.", "BRK-KMS-023"},
	"IncorrectKeyException": {KindKeyState, "the data was encrypted with another KMS key", "Use the key that encrypted the data.",
		"BRK-KMS-023"},
	"InvalidCiphertextException": {KindKeyState, "KMS cannot decrypt the data: it was changed, or the encryption context differs",
		"Use the encryption context with which the data was encrypted.", "BRK-KMS-023"},
	"KMSInternalException":       {KindService, "KMS failed", "Retry.", "BRK-AWS-001"},
	"KeyUnavailableException":    {KindService, "KMS could not use the key at this moment", "Retry.", "BRK-AWS-001"},
	"DependencyTimeoutException": {KindService, "KMS timed out", "Retry.", "BRK-AWS-001"},
	"DryRunOperationException":   {KindOther, "the request would have succeeded: it was a dry run", "Nothing is wrong.", "BRK-KMS-043"},

	"ObjectLockConfigurationNotFoundError": {KindNotFound, "the bucket has no object lock",
		"Send no retention and no legal hold to this bucket.", "BRK-S3-046"},
	"InvalidArgument": {KindRequest, "S3 does not accept a header or a parameter",
		"Correct the header that the message names.", "BRK-AWS-002"},
	"InvalidRequest": {KindRequest, "S3 does not accept the request", "Correct what the message names.",
		"BRK-AWS-002"},
	"ServerSideEncryptionConfigurationNotFoundError": {KindNotFound, "the bucket has no default encryption",
		"Send the encryption headers, or set a default encryption.", "BRK-KMS-033"},
	"BucketAlreadyExists": {KindRequest, "the bucket name is taken by another account", "Choose another name.",
		"BRK-S3-012"},
	"BucketAlreadyOwnedByYou": {KindRequest, "the bucket exists in this account", "Use it as it is.", "BRK-S3-001"},
	"PreconditionFailed": {KindRequest, "the object exists, and the request forbids overwriting",
		"Use another key, or send no If-None-Match.", "BRK-AWS-002"},
	"ConditionalRequestConflict": {KindRequest, "another request wrote the same key at the same time",
		"Send the object again.", "BRK-AWS-002"},
	"EntityTooLarge": {KindRequest, "the object is larger than a single PUT allows",
		"Use a multipart upload.", "BRK-AWS-002"},
	"EntityTooSmall": {KindRequest, "a part other than the last is smaller than 5 MiB",
		"Send larger parts.", "BRK-AWS-002"},
	"BadDigest": {KindRequest, "S3 received other bytes than were announced",
		"Send the object again; look for a proxy that changes bodies.", "BRK-ID-051"},
	"XAmzContentSHA256Mismatch": {KindRequest, "S3 received other bytes than were signed",
		"Look for a proxy that changes bodies.", "BRK-ID-051"},
	"MethodNotAllowed": {KindRequest, "the resource does not support the operation",
		"Check whether the object's newest version is a delete marker.", "BRK-AWS-002"},
	"NotImplemented": {KindRequest, "S3 does not implement a header of the request",
		"Send the header that the message names no more.", "BRK-AWS-002"},

	"SlowDown":   {KindThrottle, "S3 limits the request rate", "Retry with exponential backoff.", "BRK-AWS-001"},
	"Throttling": {KindThrottle, "the service limits the request rate", "Retry with exponential backoff.", "BRK-AWS-001"},
	"ThrottlingException": {KindThrottle, "the service limits the request rate",
		"Retry with exponential backoff. For KMS, enable S3 Bucket Keys.", "BRK-KMS-024"},
	"TooManyRequestsException": {KindThrottle, "the service limits the request rate", "Retry with exponential backoff.", "BRK-AWS-001"},
	"RequestLimitExceeded":     {KindThrottle, "the service limits the request rate", "Retry with exponential backoff.", "BRK-AWS-001"},
	"LimitExceededException": {KindThrottle, "a quota is used up", "Delete resources that are not needed, or ask for a higher quota.",
		"BRK-AWS-002"},
	"InternalError":      {KindService, "the service failed", "Retry.", "BRK-AWS-001"},
	"InternalFailure":    {KindService, "the service failed", "Retry.", "BRK-AWS-001"},
	"ServiceUnavailable": {KindService, "the service is not available", "Retry.", "BRK-AWS-001"},
	"RequestTimeout":     {KindService, "the client sent no data for too long", "Retry.", "BRK-AWS-001"},
}

// refusals are the codes whose text says what refused.
var refusals = []string{
	"AccessDenied", "AccessDeniedException", "AccessDeniedError", "Forbidden", "UnauthorizedOperation", "UnauthorizedAccess",
	"NotAuthorized", "AuthorizationError", "AuthorizationErrorException",
}

// knownCodes lists all codes, the longest first, for regular expressions.
func knownCodes() []string {
	out := slices.Clone(refusals)
	for code := range codeCauses {
		out = append(out, code)
	}
	slices.SortFunc(out, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return out
}

func isKnownCode(code string) bool {
	_, ok := codeCauses[code]
	return ok || slices.Contains(refusals, code)
}

// Known reports whether the package has an explanation of its own for a code.
func Known(code string) bool { return isKnownCode(strings.TrimPrefix(code, "KMS.")) }

// IsRefusal reports whether a code stands for many causes: only the text says which
// policy refused.
func IsRefusal(code string) bool {
	return slices.Contains(refusals, strings.TrimPrefix(code, "Client."))
}

// classCause is the cause of a code that the tables do not have, by its class.
func classCause(code string, status int) cause {
	next := "Read the message and AWS's documentation of the operation."
	switch awserr.ClassOf(code, "", status) {
	case awserr.Throttle:
		return cause{KindThrottle, "the service limits the request rate", "Retry with exponential backoff.", "BRK-AWS-001"}
	case awserr.Transient, awserr.Conflict:
		return cause{KindService, "the service failed", "Retry.", "BRK-AWS-001"}
	case awserr.ExpiredCredentials, awserr.BadCredentials:
		return cause{KindCredentials, "AWS does not accept the credentials", "Get new credentials.", "BRK-ID-011"}
	case awserr.ClockSkew:
		return codeCauses["RequestTimeTooSkewed"]
	case awserr.KeyState:
		return cause{KindKeyState, "the KMS key cannot be used; its policies are not the cause",
			"Check the state, the kind and the Region of the key.", "BRK-KMS-023"}
	case awserr.Region:
		return codeCauses["PermanentRedirect"]
	case awserr.NotFound:
		return codeCauses["NotFound"]
	case awserr.Invalid, awserr.Integrity:
		return cause{KindRequest, "the service does not accept the request", next, "BRK-AWS-002"}
	}
	return cause{KindOther, "the service refused for the reason of its code", next, "BRK-AWS-002"}
}
