package iam

import (
	"encoding/xml"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Groups of users.

type group struct {
	ARN, ID, Name, Path string

	Members []string // user names
	Created time.Time
	grants
	inline namedDocuments
}

type groupXML struct {
	Path       string
	GroupName  string
	GroupID    string `xml:"GroupId"`
	Arn        string
	CreateDate string
}

func (g *group) xml() groupXML {
	return groupXML{g.Path, g.Name, g.ID, g.ARN, kernel.QueryTime(g.Created)}
}

func createGroup(c *call) (any, error) {
	name := c.cl.Form.Get("GroupName")
	path := formPath(c.cl.Form)
	arn := "arn:aws:iam::" + c.acct.id + ":group" + path + name
	if err := c.allow(arn, nil); err != nil {
		return nil, err
	}
	if taken(c.acct.groups, name) {
		return nil, kernel.Fail(http.StatusConflict, "EntityAlreadyExists", "Group with name %s already exists.", name)
	}
	if err := checkQuota("GroupsPerAccount", len(c.acct.groups), maxGroups); err != nil {
		return nil, err
	}
	g := &group{ARN: arn, ID: kernel.NewID("AGPA", 17), Name: name, Path: path, Created: c.cl.Now, inline: namedDocuments{}}
	c.acct.groups[name] = g
	return struct {
		XMLName xml.Name
		Group   groupXML
	}{resultName(c.cl), g.xml()}, nil
}

func (c *call) group() (*group, error) {
	name := c.cl.Form.Get("GroupName")
	g := c.acct.groups[name]
	arn := "arn:aws:iam::" + c.acct.id + ":group/" + name
	if g != nil {
		arn = g.ARN
	}
	if err := c.allow(arn, nil); err != nil {
		return nil, err
	}
	if g == nil {
		return nil, noSuchEntity("group", name)
	}
	return g, nil
}

func getGroup(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	var users []userXML
	for _, name := range slices.Sorted(slices.Values(g.Members)) {
		if u := c.acct.users[name]; u != nil {
			users = append(users, u.xml())
		}
	}
	users, p, err := paginate(c.cl.Form, users, func(x userXML) string { return x.UserName })
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName xml.Name
		Group   groupXML
		Users   []userXML `xml:"Users>member"`
		page
	}{resultName(c.cl), g.xml(), users, p}, nil
}

func deleteGroup(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	switch {
	case len(g.Members) > 0:
		return nil, kernel.Fail(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must remove users from group first.")
	case len(g.inline) > 0:
		return nil, kernel.Fail(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must delete policies first.")
	case len(g.Attached) > 0:
		return nil, kernel.Fail(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must detach all policies first.")
	}
	delete(c.acct.groups, g.Name)
	return nil, nil
}

// writeGroups lists the groups that keep picks.
func writeGroups(cl *kernel.Request, acct *account, keep func(*group) bool) (any, error) {
	var list []groupXML
	for _, name := range slices.Sorted(maps.Keys(acct.groups)) {
		if g := acct.groups[name]; keep(g) {
			list = append(list, g.xml())
		}
	}
	list, p, err := paginate(cl.Form, list, func(x groupXML) string { return x.GroupName })
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName xml.Name
		Groups  []groupXML `xml:"Groups>member"`
		page
	}{resultName(cl), list, p}, nil
}

func listGroups(c *call) (any, error) {
	if err := c.allow("arn:aws:iam::"+c.acct.id+":group/*", nil); err != nil {
		return nil, err
	}
	return writeGroups(c.cl, c.acct, func(g *group) bool { return strings.HasPrefix(g.Path, c.cl.Form.Get("PathPrefix")) })
}

func listGroupsForUser(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	return writeGroups(c.cl, c.acct, func(g *group) bool { return slices.Contains(g.Members, u.name) })
}

func addUserToGroup(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	name := c.cl.Form.Get("UserName")
	if c.acct.users[name] == nil {
		return nil, noSuchEntity("user", name)
	}
	if !slices.Contains(g.Members, name) {
		in := 0
		for _, other := range c.acct.groups {
			if slices.Contains(other.Members, name) {
				in++
			}
		}
		if err := checkQuota("GroupsPerUser", in, maxGroupsPerUser); err != nil {
			return nil, err
		}
		g.Members = append(slices.Clone(g.Members), name)
	}
	return nil, nil
}

func removeUserFromGroup(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	name := c.cl.Form.Get("UserName")
	if !slices.Contains(g.Members, name) {
		return nil, noSuchEntity("user", name)
	}
	g.Members = slices.DeleteFunc(slices.Clone(g.Members), func(m string) bool { return m == name })
	return nil, nil
}

func putGroupPolicy(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	return putInline(c.cl, g.inline, maxInlineGroup, "group "+g.Name)
}

func getGroupPolicy(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	out, err := getInline(c.cl, g.inline)
	out.GroupName = g.Name
	return out, err
}

func deleteGroupPolicy(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	return deleteInline(c.cl, g.inline)
}

func listGroupPolicies(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	return listInline(c.cl, g.inline)
}
