package kernel

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"regexp"
)

// NewID makes an id of AWS's form: a prefix, then capital letters and digits.
func NewID(prefix string, n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw) // never fails, see crypto/rand
	return prefix + base32.StdEncoding.EncodeToString(raw)[:n]
}

// NewSecret makes a secret access key.
func NewSecret() string { return NewHex(20) }

// NewHex makes random bytes in hexadecimal.
func NewHex(bytes int) string {
	raw := make([]byte, bytes)
	_, _ = rand.Read(raw)
	return hex.EncodeToString(raw)
}

// NewUUID makes a random UUID.
func NewUUID() string {
	h := NewHex(16)
	return fmt.Sprintf("%s-%s-4%s-a%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:])
}

// RootARN is the ARN of an account's root user.
func RootARN(account string) string { return "arn:aws:iam::" + account + ":root" }

// Tag is a tag of a resource, or of a session.
type Tag struct {
	Key   string
	Value string
}

// TagXML is a tag in the XML of IAM and S3.
type TagXML struct{ Key, Value string }

// The limits of a tag.
const (
	MaxTagKey   = 128
	MaxTagValue = 256
)

// TagText matches keys and values of tags: letters and digits of any script, spaces and + - = . _ : / @.
var TagText = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
