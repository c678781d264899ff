package sandbox

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/hex"
	"fmt"
)

// newID makes ids of AWS's form: a prefix and capital letters and digits.
func newID(prefix string, n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw) // never fails, see crypto/rand
	return prefix + base32.StdEncoding.EncodeToString(raw)[:n]
}

func newSecret() string { return newHex(20) }

func newHex(bytes int) string {
	raw := make([]byte, bytes)
	_, _ = rand.Read(raw)
	return hex.EncodeToString(raw)
}

func newUUID() string {
	h := newHex(16)
	return fmt.Sprintf("%s-%s-4%s-a%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:])
}

func rootARN(account string) string { return "arn:aws:iam::" + account + ":root" }

// tag is a tag of a resource, or of a session.
type tag struct {
	Key   string
	Value string
}
