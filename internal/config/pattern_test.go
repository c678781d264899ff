package config

import (
	"strings"
	"testing"
)

func TestBoundsOfNamesAndPaths(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct {
		form interface{ MatchString(string) bool }
		text string
		want bool
	}{
		{roleResource, "role/" + long(64), true},
		{roleResource, "role/" + long(65), false},
		{roleResource, "role/a/b/name", true},
		{roleResource, "role/" + long(510) + "/name", true},
		{roleResource, "role/" + long(511) + "/name", false},
		{roleResource, "role//name", false},
		{roleResource, "role/", false},
		{roleResource, "name", false},
		{userResource, "user/" + long(511) + "/name", false},
		{policyResource, "policy/" + long(128), true},
		{policyResource, "policy/" + long(129), false},
		{tokenClaim, long(255), true},
		{tokenClaim, long(256), false},
		{tokenClaim, "", false},
	} {
		if got := c.form.MatchString(c.text); got != c.want {
			t.Errorf("%.30s…, %d bytes: %v", c.text, len(c.text), got)
		}
	}
}
