package verify

import "context"

// check is one row of the table: a positive assertion and the call that proves it.
type check struct {
	code, category, title string
	// needs are the checks without which this one proves nothing.
	needs []string
	run   func(context.Context, *probe) finding
}

// The codes of the checks. The codes of causes are in codes.go.
const (
	codeConfig   = "BRK-CFG-001"
	codeBucket   = "BRK-S3-001"
	codeClock    = "BRK-HOST-001"
	codeSource   = "BRK-ID-001"
	codeAssume   = "BRK-ID-002"
	codeIdentity = "BRK-ID-003"
	codeCreate   = "BRK-S3-002"
	codeEncrypt  = "BRK-KMS-001"
	codePart     = "BRK-KMS-002"
	codeAbort    = "BRK-S3-003"
)

// checks run in this order: what is cheap and would mislead everything after it comes first.
var checks = []check{
	{codeConfig, "config", "role, bucket and key of the configuration belong together", nil, checkConfig},
	{codeBucket, "bucket", "the bucket exists, in the configured Region", nil, checkBucket},
	{codeClock, "host", "this host's clock agrees with AWS", nil, checkClock},
	{codeSource, "identity", "STS accepts the source credentials", nil, checkSource},
	{codeAssume, "identity", "the role can be assumed", []string{codeSource}, checkAssume},
	{codeIdentity, "identity", "the session is a session of the configured role", []string{codeAssume}, checkIdentity},
	{codeCreate, "delivery", "the role may write below the prefix, encrypted with the key", []string{codeConfig, codeBucket, codeIdentity}, checkCreate},
	{codePart, "delivery", "the role may send parts of large objects", []string{codeCreate}, checkPart},
	{codeAbort, "delivery", "an interrupted upload can be cleaned up", []string{codeCreate}, checkAbort},
	{codeEncrypt, "encryption", "S3 uses the configured key", []string{codeCreate}, checkEncryption},
}
