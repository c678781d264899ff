package iam

import (
	"encoding/xml"
	"maps"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// policyEntity is an entity that a managed policy is attached to, or bounds.
type policyEntity struct{ kind, name, id string }

type policyRoleXML struct {
	RoleName string
	RoleID   string `xml:"RoleId"`
}

type policyUserXML struct {
	UserName string
	UserID   string `xml:"UserId"`
}

type policyGroupXML struct {
	GroupName string
	GroupID   string `xml:"GroupId"`
}

// policyEntities are the entities that use a policy as a call asks, sorted:
// groups, then users, then roles.
func (a *account) policyEntities(cl *kernel.Request, arn string) []policyEntity {
	filter, prefix := cl.Form.Get("EntityFilter"), cl.Form.Get("PathPrefix")
	boundaries := cl.Form.Get("PolicyUsageFilter") == "PermissionsBoundary"
	var out []policyEntity
	add := func(e policyEntity, path string, g grants) {
		uses := slices.Contains(g.Attached, arn)
		if boundaries {
			uses = g.Boundary == arn
		}
		if uses && (filter == "" || filter == e.kind) && strings.HasPrefix(path, prefix) {
			out = append(out, e)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.groups)) {
		g := a.groups[name]
		add(policyEntity{"Group", name, g.ID}, g.Path, g.grants)
	}
	for _, name := range slices.Sorted(maps.Keys(a.users)) {
		u := a.users[name]
		add(policyEntity{"User", name, u.ID}, u.path, u.grants)
	}
	for _, name := range slices.Sorted(maps.Keys(a.roles)) {
		r := a.roles[name]
		add(policyEntity{"Role", name, r.ID}, r.path, r.grants)
	}
	return out
}

// pageOrder are the kinds in the order in which pages show them.
var pageOrder = map[string]string{"Group": "1", "User": "2", "Role": "3"}

func listEntitiesForPolicy(c *call) (any, error) {
	p, err := c.anyPolicy()
	if err != nil {
		return nil, err
	}
	found := c.acct.policyEntities(c.cl, p.ARN)
	list, rest, err := paginate(c.cl.Form, found, func(e policyEntity) string { return pageOrder[e.kind] + e.name })
	if err != nil {
		return nil, err
	}
	out := struct {
		XMLName xml.Name
		Groups  []policyGroupXML `xml:"PolicyGroups>member"`
		Users   []policyUserXML  `xml:"PolicyUsers>member"`
		Roles   []policyRoleXML  `xml:"PolicyRoles>member"`
		page
	}{XMLName: resultName(c.cl), page: rest}
	for _, e := range list {
		switch e.kind {
		case "Group":
			out.Groups = append(out.Groups, policyGroupXML{e.name, e.id})
		case "User":
			out.Users = append(out.Users, policyUserXML{e.name, e.id})
		case "Role":
			out.Roles = append(out.Roles, policyRoleXML{e.name, e.id})
		}
	}
	return out, nil
}
