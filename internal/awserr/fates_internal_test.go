package awserr

import (
	"strings"
	"testing"
)

// fates is the table of fates, spelt out for every code that is known. A code
// that moves to another row changes what becomes of accepted data.
var fates = map[Fate]string{
	RetryNow: `
		SlowDown SlowDownRead SlowDownWrite Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException
		TooManyRequestsException TooManyRequests RequestLimitExceeded BandwidthLimitExceeded LimitExceededException PriorRequestNotComplete
		ProvisionedThroughputExceededException EC2ThrottledException
		InternalError InternalFailure InternalServerError ServiceUnavailable ServiceUnavailableException RequestTimeout RequestTimeoutException
		IDPCommunicationError KMSInternalException DependencyTimeoutException KeyUnavailableException Busy XMinioServerNotInitialized
		ConditionalRequestConflict OperationAborted NoSuchUpload
		BadDigest XAmzContentSHA256Mismatch XAmzContentChecksumMismatch IncompleteBody`,
	RefreshThenRetry: `ExpiredToken ExpiredTokenException TokenRefreshRequired InvalidToken`,
	Park: `
		InvalidAccessKeyId InvalidClientTokenId UnrecognizedClientException SignatureDoesNotMatch InvalidSignatureException IncompleteSignature
		MissingAuthenticationToken MissingSecurityHeader NotSignedUp AuthFailure RequestTimeTooSkewed RequestExpired RequestInTheFuture
		AccessDenied AccessDeniedException Forbidden UnauthorizedOperation UnauthorizedAccess AllAccessDisabled AccountProblem IDPRejectedClaim
		InvalidIdentityToken AccessControlListNotSupported
		NoSuchBucket NoSuchKey NotFound NoSuchEntity PermanentRedirect TemporaryRedirect Redirect IllegalLocationConstraintException
		RegionDisabledException RegionDisabled
		DisabledException KMSInvalidStateException InvalidKeyUsageException NotFoundException InvalidArnException InvalidGrantTokenException
		UnsupportedOperationException IncorrectKeyException
		InvalidDigest EntityTooSmall InvalidPart InvalidPartOrder InvalidArgument InvalidRequest InvalidBucketName InvalidStorageClass InvalidTag
		MalformedXML MissingContentLength ValidationError ValidationException MalformedPolicyDocument PackedPolicyTooLarge NotImplemented
		MethodNotAllowed InvalidParameterValue InvalidParameterCombination MissingParameter`,
	Dead: `EntityTooLarge KeyTooLongError MetadataTooLarge RequestHeaderSectionTooLarge InvalidObjectName PreconditionFailed`,
}

func TestEveryCodeHasItsFate(t *testing.T) {
	said := map[string]bool{}
	for want, row := range fates {
		for code := range strings.FieldsSeq(row) {
			if said[code] {
				t.Errorf("%s is in two rows", code)
			}
			said[code] = true
			for _, text := range []string{code, "KMS." + code} { // S3 relays KMS's codes with a prefix
				info := Info{Code: text, Class: classOf(text, "a text", 400)}
				if got := info.Fate(); got != want && (text == code || codes[code] == Throttle || codes[code] == KeyState) {
					t.Errorf("%s: %s (%s), want %s", text, got, info.Class, want)
				}
			}
		}
	}
	for code := range codes {
		if !said[code] {
			t.Errorf("%s has no row", code)
		}
	}
}

// What nobody has heard of is never a reason to give data up.
func TestAnUnknownAnswerNeverCostsData(t *testing.T) {
	for status := 300; status < 600; status++ {
		for _, code := range []string{"", "SomethingNew", "KMS.SomethingNew", "kms:SomethingNew"} {
			class := classOf(code, "", status)
			if fate := (Info{Code: code, Class: class}).Fate(); fate == Dead || fate == GiveUp || class == Precondition {
				t.Errorf("%d %q: %s, %s", status, code, class, fate)
			}
		}
	}
}
