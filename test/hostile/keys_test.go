//go:build linux

package hostile

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// evilNames are object names that would leave the prefix of a destination if they were
// taken as paths, or would break a log line, a header or a policy.
func evilNames() []string {
	return []string{
		"../audit-logs/x", "../../x", "/../x", "/etc/passwd", "a/../../audit-logs/x", "a/../../../x", "..", ".", "./..", "//", "/", "",
		"..\\audit-logs\\x", "%2e%2e/x", "..%2fx", "..%252fx", "a\x00b", "a\nb", "a\r\nX-Amz-Acl: public-read", "a\tb", "\x7f", "\u202egnp.exe",
		"\uff0e\uff0e/x", "\u2025/x", "{id}", "{name}/../x", "${jndi:ldap://x}", "$(id)", "`id`", "a?versionId=x", "a#b", "a;b", "*", "a b",
		strings.Repeat("a", 1025), strings.Repeat("../", 300) + "x", strings.Repeat("é", 600), "\xff\xfe",
	}
}

// keyAttacks upload under names that look for a key outside of bob's prefix.
func keyAttacks() []Attack {
	var out []Attack
	for i, name := range evilNames() {
		label := strings.ToValidUTF8(name, "?")
		if len(label) > 24 {
			label = label[:24]
		}
		out = append(out, Attack{
			Area: "keys", Name: fmt.Sprintf("name %02d %q", i, label), As: bob,
			Try: func(ctx context.Context, t *Target) Outcome {
				r, err := t.dial().Upload(ctx, "dumps", name, strings.NewReader("bob"))
				switch {
				case err != nil:
					return held("%s", short(err))
				case !strings.HasPrefix(r.Key, "logs/dumps/"):
					return gotIn("stored as %q", r.Key)
				}
				return held("stored below the prefix, as %q", r.Key)
			},
			Check: func(_ *testing.T, a *arena) string {
				for _, key := range a.bed.Sandbox.Objects(a.bed.Bucket) {
					if !strings.HasPrefix(key.Key, "logs/dumps/") && !strings.HasPrefix(key.Key, "logs/audit-logs/") || strings.Contains(key.Key, "/../") {
						return "the bucket holds " + key.Key
					}
				}
				return ""
			},
		})
	}
	return out
}
