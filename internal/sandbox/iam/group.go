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

func createGroup(s *Service, cl *kernel.Request, acct *account) (any, error) {
	name := cl.Form.Get("GroupName")
	path := formPath(cl.Form)
	arn := "arn:aws:iam::" + acct.id + ":group" + path + name
	if err := s.allow(cl, arn, nil); err != nil {
		return nil, err
	}
	if taken(acct.groups, name) {
		return nil, kernel.Fail(http.StatusConflict, "EntityAlreadyExists", "Group with name %s already exists.", name)
	}
	if err := checkQuota("GroupsPerAccount", len(acct.groups), maxGroups); err != nil {
		return nil, err
	}
	g := &group{ARN: arn, ID: kernel.NewID("AGPA", 17), Name: name, Path: path, Created: cl.Now, inline: namedDocuments{}}
	acct.groups[name] = g
	return struct {
		XMLName xml.Name
		Group   groupXML
	}{resultName(cl), g.xml()}, nil
}

func (s *Service) namedGroup(cl *kernel.Request, acct *account) (*group, error) {
	name := cl.Form.Get("GroupName")
	g := acct.groups[name]
	arn := "arn:aws:iam::" + acct.id + ":group/" + name
	if g != nil {
		arn = g.ARN
	}
	if err := s.allow(cl, arn, nil); err != nil {
		return nil, err
	}
	if g == nil {
		return nil, noSuchEntity("group", name)
	}
	return g, nil
}

func getGroup(s *Service, cl *kernel.Request, acct *account) (any, error) {
	g, err := s.namedGroup(cl, acct)
	if err != nil {
		return nil, err
	}
	var users []userXML
	for _, name := range slices.Sorted(slices.Values(g.Members)) {
		if u := acct.users[name]; u != nil {
			users = append(users, u.xml())
		}
	}
	users, p, err := paginate(cl.Form, users, func(x userXML) string { return x.UserName })
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName xml.Name
		Group   groupXML
		Users   []userXML `xml:"Users>member"`
		page
	}{resultName(cl), g.xml(), users, p}, nil
}

func deleteGroup(s *Service, cl *kernel.Request, acct *account) (any, error) {
	g, err := s.namedGroup(cl, acct)
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
	delete(acct.groups, g.Name)
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

func listGroups(s *Service, cl *kernel.Request, acct *account) (any, error) {
	if err := s.allow(cl, "arn:aws:iam::"+acct.id+":group/*", nil); err != nil {
		return nil, err
	}
	return writeGroups(cl, acct, func(g *group) bool { return strings.HasPrefix(g.Path, cl.Form.Get("PathPrefix")) })
}

func listGroupsForUser(s *Service, cl *kernel.Request, acct *account) (any, error) {
	u, err := s.namedUser(cl, acct)
	if err != nil {
		return nil, err
	}
	return writeGroups(cl, acct, func(g *group) bool { return slices.Contains(g.Members, u.name) })
}

func addUserToGroup(s *Service, cl *kernel.Request, acct *account) (any, error) {
	g, err := s.namedGroup(cl, acct)
	if err != nil {
		return nil, err
	}
	name := cl.Form.Get("UserName")
	if acct.users[name] == nil {
		return nil, noSuchEntity("user", name)
	}
	if !slices.Contains(g.Members, name) {
		in := 0
		for _, other := range acct.groups {
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

func removeUserFromGroup(s *Service, cl *kernel.Request, acct *account) (any, error) {
	g, err := s.namedGroup(cl, acct)
	if err != nil {
		return nil, err
	}
	name := cl.Form.Get("UserName")
	if !slices.Contains(g.Members, name) {
		return nil, noSuchEntity("user", name)
	}
	g.Members = slices.DeleteFunc(slices.Clone(g.Members), func(m string) bool { return m == name })
	return nil, nil
}

func putGroupPolicy(s *Service, cl *kernel.Request, acct *account) (any, error) {
	g, err := s.namedGroup(cl, acct)
	if err != nil {
		return nil, err
	}
	return putInline(cl, g.inline, maxInlineGroup, "group "+g.Name)
}

func getGroupPolicy(s *Service, cl *kernel.Request, acct *account) (any, error) {
	g, err := s.namedGroup(cl, acct)
	if err != nil {
		return nil, err
	}
	out, err := getInline(cl, g.inline)
	out.GroupName = g.Name
	return out, err
}

func deleteGroupPolicy(s *Service, cl *kernel.Request, acct *account) (any, error) {
	g, err := s.namedGroup(cl, acct)
	if err != nil {
		return nil, err
	}
	return deleteInline(cl, g.inline)
}

func listGroupPolicies(s *Service, cl *kernel.Request, acct *account) (any, error) {
	g, err := s.namedGroup(cl, acct)
	if err != nil {
		return nil, err
	}
	return listInline(cl, g.inline)
}
