package iam

import (
	"net/http"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// How many entities an account may have, by default.
const (
	maxRoles         = 1000
	maxUsers         = 5000
	maxGroups        = 300
	maxPolicies      = 1500
	maxProfiles      = 1000
	maxProviders     = 100
	maxGroupsPerUser = 10
)

// checkQuota refuses one more where there are n already.
func checkQuota(name string, n, most int) error {
	if n < most {
		return nil
	}
	return kernel.Fail(http.StatusConflict, "LimitExceeded", "Cannot exceed quota for %s: %d", name, most)
}

// taken reports whether an account has an entity of the name. Names that
// differ in case only are the same name.
func taken[T any](entities map[string]T, name string) bool {
	for other := range entities {
		if strings.EqualFold(other, name) {
			return true
		}
	}
	return false
}
