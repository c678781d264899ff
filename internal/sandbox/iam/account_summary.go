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

func createAccountAlias(c *call) (any, error) {
	if err := c.allow("*", nil); err != nil {
		return nil, err
	}
	alias := c.cl.Form.Get("AccountAlias")
	for _, other := range c.iam.accounts {
		if other.alias == alias {
			return nil, kernel.Fail(http.StatusConflict, "EntityAlreadyExists", "The account alias %s already exists.", alias)
		}
	}
	c.acct.alias = alias
	return nil, nil
}

func deleteAccountAlias(c *call) (any, error) {
	if err := c.allow("*", nil); err != nil {
		return nil, err
	}
	if alias := c.cl.Form.Get("AccountAlias"); alias == "" || c.acct.alias != alias {
		return nil, kernel.Fail(http.StatusNotFound, "NoSuchEntity", "The account alias %s cannot be found.", alias)
	}
	c.acct.alias = ""
	return nil, nil
}

func listAccountAliases(c *call) (any, error) {
	if err := c.allow("*", nil); err != nil {
		return nil, err
	}
	out := struct {
		XMLName xml.Name
		Aliases []string `xml:"AccountAliases>member"`
		page
	}{XMLName: resultName(c.cl)}
	if c.acct.alias != "" {
		out.Aliases = []string{c.acct.alias}
	}
	return out, nil
}

func getAccountSummary(c *call) (any, error) {
	if err := c.allow("*", nil); err != nil {
		return nil, err
	}
	type entry struct {
		Key   string `xml:"key"`
		Value int    `xml:"value"`
	}
	counts := map[string]int{
		"Users": len(c.acct.users), "Roles": len(c.acct.roles), "Groups": len(c.acct.groups), "Policies": len(c.acct.policies),
		"InstanceProfiles": len(c.acct.profiles), "Providers": len(c.acct.providers),
		"AttachedPoliciesPerRoleQuota": maxAttached, "AttachedPoliciesPerUserQuota": maxAttached, "VersionsPerPolicyQuota": maxPolicyVersions,
		"PolicySizeQuota": maxManagedPolicy, "AssumeRolePolicySizeQuota": maxTrustPolicy, "AccessKeysPerUserQuota": maxKeysPerUser,
	}
	out := struct {
		XMLName xml.Name
		Entries []entry `xml:"SummaryMap>entry"`
	}{XMLName: resultName(c.cl)}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		out.Entries = append(out.Entries, entry{name, counts[name]})
	}
	return out, nil
}
