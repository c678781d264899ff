package awserr

import (
	"strings"
	"testing"
)

// dispositions is the table of dispositions, spelt out for every known code. A code
// that moves to another row changes what happens to accepted data.
var dispositions = map[Disposition]string{
	Retry: `
		SlowDown SlowDownRead SlowDownWrite Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException
		TooManyRequestsException TooManyRequests RequestLimitExceeded BandwidthLimitExceeded LimitExceededException PriorRequestNotComplete
		ProvisionedThroughputExceededException EC2ThrottledException
		InternalError InternalFailure InternalServerError ServiceUnavailable ServiceUnavailableException RequestTimeout RequestTimeoutException
		IDPCommunicationError KMSInternalException DependencyTimeoutException KeyUnavailableException Busy XMinioServerNotInitialized
		ConditionalRequestConflict OperationAborted NoSuchUpload TemporaryRedirect Redirect
		BadDigest XAmzContentSHA256Mismatch XAmzContentChecksumMismatch IncompleteBody`,
	RefreshThenRetry: `ExpiredToken ExpiredTokenException TokenRefreshRequired InvalidToken`,
	Park: `
		InvalidAccessKeyId InvalidClientTokenId UnrecognizedClientException SignatureDoesNotMatch InvalidSignatureException IncompleteSignature
		MissingAuthenticationToken MissingSecurityHeader NotSignedUp AuthFailure RequestTimeTooSkewed RequestExpired RequestInTheFuture
		AccessDenied AccessDeniedException Forbidden UnauthorizedOperation UnauthorizedAccess AllAccessDisabled AccountProblem IDPRejectedClaim
		InvalidIdentityToken AccessControlListNotSupported
		NoSuchBucket NoSuchKey NotFound NoSuchEntity PermanentRedirect IllegalLocationConstraintException
		RegionDisabledException RegionDisabled
		DisabledException KMSInvalidStateException InvalidKeyUsageException NotFoundException InvalidArnException InvalidGrantTokenException
		UnsupportedOperationException IncorrectKeyException
		InvalidDigest EntityTooSmall InvalidPart InvalidPartOrder InvalidArgument InvalidRequest InvalidBucketName InvalidStorageClass InvalidTag
		MalformedXML MissingContentLength ValidationError ValidationException MalformedPolicyDocument PackedPolicyTooLarge NotImplemented
		MethodNotAllowed InvalidParameterValue InvalidParameterCombination MissingParameter`,
	Dead: `EntityTooLarge KeyTooLongError MetadataTooLarge RequestHeaderSectionTooLarge InvalidObjectName PreconditionFailed`,
}

func TestEveryCodeHasItsDisposition(t *testing.T) {
	said := map[string]bool{}
	for want, row := range dispositions {
		for code := range strings.FieldsSeq(row) {
			if said[code] {
				t.Errorf("%s is in two rows", code)
			}
			said[code] = true
			for _, text := range []string{code, "KMS." + code} { // S3 relays KMS's codes with a prefix
				info := Info{Code: text, Class: classOf(text, "a text", 400)}
				if got := info.Disposition(); got != want && (text == code || codes[code] == Throttle || codes[code] == KeyState) {
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

// An unknown code or status is never a reason to drop data.
func TestAnUnknownAnswerNeverCostsData(t *testing.T) {
	for status := 300; status < 600; status++ {
		for _, code := range []string{"", "SomethingNew", "KMS.SomethingNew", "kms:SomethingNew"} {
			class := classOf(code, "", status)
			if d := (Info{Code: code, Class: class}).Disposition(); d == Dead || d == Abort || class == Precondition {
				t.Errorf("%d %q: %s, %s", status, code, class, d)
			}
		}
	}
}
