package kernel

import (
	"slices"
	"strings"
)

// IsData reports whether an operation is about objects of S3: CloudTrail counts it among the data events.
func IsData(service, operation string) bool {
	if service != "s3" || strings.Contains(operation, "Bucket") || strings.Contains(operation, "PublicAccessBlock") ||
		strings.Contains(operation, "LockConfiguration") {
		return false
	}
	return true
}

// readOnlyOperations are the operations that CloudTrail counts among the reads in spite of their names.
var readOnlyOperations = []string{
	"AssumeRole", "AssumeRoleWithWebIdentity", "Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
	"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GenerateMac", "GenerateRandom", "ReEncrypt", "Sign", "Verify", "VerifyMac",
}

// IsReadOnly reports whether CloudTrail counts an operation among the reads.
func IsReadOnly(operation string) bool {
	for _, prefix := range []string{"Get", "List", "Head", "Describe", "Lookup", "Simulate"} {
		if strings.HasPrefix(operation, prefix) {
			return true
		}
	}
	return slices.Contains(readOnlyOperations, operation)
}
