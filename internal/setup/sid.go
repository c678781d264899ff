package setup

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

// How the statement ids begin; sidOf makes their end. Ids are stable: apply and
// remove find their statements by them in policies that others edit, too.
const (
	SidAssume        = "BrokerdAssumeRole"
	SidNextRole      = "BrokerdAssumeNextRole"
	SidWrite         = "BrokerdWriteObjects"
	SidEncrypt       = "BrokerdUseKeyThroughS3"
	SidBucketWrite   = "BrokerdAllowWrite"
	SidDenyPlainHTTP = "BrokerdDenyInsecureTransport"
	SidDenyNoKMS     = "BrokerdDenyOtherEncryption"
	SidDenyOtherKey  = "BrokerdDenyOtherKey"
	SidKeyAdmin      = "BrokerdKeepAccountAdmin"
	SidKeyUse        = "BrokerdAllowUseThroughS3"
)

// shared are the ids without a destination: one statement serves all of them, and
// it goes with the last one.
var shared = []string{SidDenyPlainHTTP, SidKeyAdmin}

func bases() []string {
	return []string{SidAssume, SidNextRole, SidWrite, SidEncrypt, SidBucketWrite, SidDenyNoKMS, SidDenyOtherKey, SidKeyUse}
}

// plainName is a name whose CamelCase no other plain name has.
var plainName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$`)

// sidOf is the end of a destination's statement ids: its name in CamelCase, and a
// hash of its role's ARN. Two configurations may use one name for destinations of
// two roles or accounts; neither takes the statements of the other for its own. Ids
// hold letters and digits only, for IAM takes no others.
func sidOf(destination, role string) string {
	sum := sha256.Sum256([]byte(destination + "\n" + role))
	return camelCase(destination) + hex.EncodeToString(sum[:])[:hashLen]
}

// hashLen is the length of the hash in ids.
const hashLen = 6

// legacySidOf is how ids ended before they carried the hash. Statements with
// such an id are taken over when they are about the destination's role.
func legacySidOf(destination string) string {
	sid := camelCase(destination)
	if !plainName.MatchString(destination) {
		sum := sha256.Sum256([]byte(destination))
		sid += hex.EncodeToString(sum[:3])
	}
	return sid
}

// lifecycleID is the id of a destination's lifecycle rule, with the same hash.
func lifecycleID(destination, role string) string {
	sid := sidOf(destination, role)
	return LifecycleID + destination + "-" + sid[len(sid)-hashLen:]
}

func camelCase(name string) string {
	var b strings.Builder
	up := true
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z' && up:
			b.WriteRune(r - 'a' + 'A')
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		}
		up = r == '-' || r == '.' || r == '_'
	}
	return b.String()
}

// isBrokerdSid reports whether a Sid has the form of ours, whosever it is.
func isBrokerdSid(sid string) bool {
	return slices.Contains(shared, sid) || slices.ContainsFunc(bases(), func(base string) bool {
		rest, ok := strings.CutPrefix(sid, base)
		return ok && rest != "" && rest[0] >= '0' && rest[0] <= 'Z'
	})
}
