package setup

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

// How the statement ids begin; the destination's name in CamelCase follows, so
// that configurations that share a bucket or a key do not take each other's
// statements for their own. They are stable: apply and remove find their
// statements in other people's policies by them.
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

// shared are the ids without a destination: one statement serves everybody, and
// it goes when nobody of ours is left.
var shared = []string{SidDenyPlainHTTP, SidKeyAdmin}

func bases() []string {
	return []string{SidAssume, SidNextRole, SidWrite, SidEncrypt, SidBucketWrite, SidDenyNoKMS, SidDenyOtherKey, SidKeyUse}
}

// plainName is a name whose CamelCase no other plain name has.
var plainName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$`)

// sidOf is how the statement ids of a destination end: letters and digits alone,
// for that is all that IAM takes.
func sidOf(destination string) string {
	var b strings.Builder
	up := true
	for _, r := range destination {
		switch {
		case r >= 'a' && r <= 'z' && up:
			b.WriteRune(r - 'a' + 'A')
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		}
		up = r == '-' || r == '.' || r == '_'
	}
	if !plainName.MatchString(destination) {
		sum := sha256.Sum256([]byte(destination))
		b.WriteString(hex.EncodeToString(sum[:3]))
	}
	return b.String()
}

// ownership tells our statements from other people's, and from those of other
// configurations of ours.
type ownership struct{ suffixes []string }

// ours reports whether a statement of this Sid belongs to the destinations.
func (o ownership) ours(sid string) bool {
	for _, base := range bases() {
		if rest, ok := strings.CutPrefix(sid, base); ok && slices.Contains(o.suffixes, rest) {
			return true
		}
	}
	return false
}

// isBrokerdSid reports whether a Sid has the form of ours, whosever it is.
func isBrokerdSid(sid string) bool {
	return slices.Contains(shared, sid) || slices.ContainsFunc(bases(), func(base string) bool {
		rest, ok := strings.CutPrefix(sid, base)
		return ok && rest != "" && rest[0] >= '0' && rest[0] <= 'Z'
	})
}
