package kernel

import (
	"slices"
	"strings"
)

// IsData tells object-level calls of S3 from those that manage something.
func IsData(service, operation string) bool {
	if service != "s3" || strings.Contains(operation, "Bucket") || strings.Contains(operation, "PublicAccessBlock") || strings.Contains(operation, "LockConfiguration") {
		return false
	}
	return true
}

// readOnlyOperations are reads by CloudTrail's reckoning although their names do not say so.
var readOnlyOperations = []string{
	"AssumeRole", "AssumeRoleWithWebIdentity", "Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair",
	"GenerateDataKeyPairWithoutPlaintext", "GenerateMac", "GenerateRandom", "ReEncrypt", "Sign", "Verify", "VerifyMac",
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
