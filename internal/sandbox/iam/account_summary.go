package iam

import (
	"encoding/xml"
	"maps"
	"net/http"
	"regexp"
	"slices"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// The alias and the summary of an account.

var accountAliasPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9]|-[a-z0-9]){2,62}$`)

func createAccountAlias(s *Service, cl *kernel.Request, acct *account) (any, error) {
	if err := s.allow(cl, "*", nil); err != nil {
		return nil, err
	}
	alias := cl.Form.Get("AccountAlias")
	for _, other := range s.accounts {
		if other.alias == alias {
			return nil, kernel.Fail(http.StatusConflict, "EntityAlreadyExists", "The account alias %s already exists.", alias)
		}
	}
	acct.alias = alias
	return nil, nil
}

func deleteAccountAlias(s *Service, cl *kernel.Request, acct *account) (any, error) {
	if err := s.allow(cl, "*", nil); err != nil {
		return nil, err
	}
	if alias := cl.Form.Get("AccountAlias"); alias == "" || acct.alias != alias {
		return nil, kernel.Fail(http.StatusNotFound, "NoSuchEntity", "The account alias %s cannot be found.", alias)
	}
	acct.alias = ""
	return nil, nil
}

func listAccountAliases(s *Service, cl *kernel.Request, acct *account) (any, error) {
	if err := s.allow(cl, "*", nil); err != nil {
		return nil, err
	}
	out := struct {
		XMLName xml.Name
		Aliases []string `xml:"AccountAliases>member"`
		page
	}{XMLName: resultName(cl)}
	if acct.alias != "" {
		out.Aliases = []string{acct.alias}
	}
	return out, nil
}

func getAccountSummary(s *Service, cl *kernel.Request, acct *account) (any, error) {
	if err := s.allow(cl, "*", nil); err != nil {
		return nil, err
	}
	type entry struct {
		Key   string `xml:"key"`
		Value int    `xml:"value"`
	}
	counts := map[string]int{
		"Users": len(acct.users), "Roles": len(acct.roles), "Groups": len(acct.groups), "Policies": len(acct.policies),
		"InstanceProfiles": len(acct.profiles), "Providers": len(acct.providers),
		"AttachedPoliciesPerRoleQuota": maxAttached, "AttachedPoliciesPerUserQuota": maxAttached, "VersionsPerPolicyQuota": maxPolicyVersions,
		"PolicySizeQuota": maxManagedPolicy, "AssumeRolePolicySizeQuota": maxTrustPolicy, "AccessKeysPerUserQuota": maxKeysPerUser,
	}
	out := struct {
		XMLName xml.Name
		Entries []entry `xml:"SummaryMap>entry"`
	}{XMLName: resultName(cl)}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		out.Entries = append(out.Entries, entry{name, counts[name]})
	}
	return out, nil
}
