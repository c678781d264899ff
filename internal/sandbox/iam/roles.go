package iam

import (
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Roles and their trust policies.

type roleXML struct {
	Path                     string
	RoleName                 string
	RoleID                   string `xml:"RoleId"`
	Arn                      string
	CreateDate               string
	AssumeRolePolicyDocument string
	Description              string       `xml:",omitempty"`
	MaxSessionDuration       int          `xml:",omitempty"`
	PermissionsBoundary      *boundaryXML `xml:",omitempty"`
	Tags                     *tagListXML  `xml:",omitempty"`
	RoleLastUsed             *lastUsedXML `xml:",omitempty"`
}

type lastUsedXML struct {
	LastUsedDate string `xml:",omitempty"`
	Region       string `xml:",omitempty"`
}

// escapeDocument is the form in which IAM returns policies.
func escapeDocument(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

func (s *Service) roleXML(r *Role) roleXML {
	trust, _ := s.PolicyNowLocked(r.Trust)
	out := roleXML{
		Path: r.path, RoleName: r.name, RoleID: r.ID, Arn: r.arn, CreateDate: kernel.QueryTime(r.created),
		AssumeRolePolicyDocument: escapeDocument(trust), Description: r.description, MaxSessionDuration: kernel.Seconds(r.MaxSession),
		PermissionsBoundary: r.boundaryXML(), RoleLastUsed: &lastUsedXML{Region: r.lastIn},
	}
	if !r.lastUsed.IsZero() {
		out.RoleLastUsed.LastUsedDate = kernel.QueryTime(r.lastUsed)
	}
	out.Tags = tagList(r.tags)
	return out
}

// briefRoleXML is a role as CreateRole and UpdateRoleDescription answer it: without
// its longest session and its last use.
func (s *Service) briefRoleXML(r *Role) roleXML {
	x := s.roleXML(r)
	x.MaxSessionDuration, x.RoleLastUsed = 0, nil
	return x
}

func formPath(form url.Values) string {
	if form.Has("Path") {
		return form.Get("Path")
	}
	return "/"
}

// formMaxSession is 0 for a call that names none.
func formMaxSession(form url.Values) time.Duration {
	n, err := strconv.Atoi(form.Get("MaxSessionDuration"))
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

func createRole(s *Service, cl *kernel.Request, acct *account) (any, error) {
	form := cl.Form
	name := form.Get("RoleName")
	path := formPath(form)
	maxSession := formMaxSession(form)
	if maxSession == 0 {
		maxSession = defaultMaxRole
	}
	tags, err := FormTags(form)
	if err != nil {
		return nil, err
	}
	arn := roleARN(acct.id, path, name)
	if err := s.allow(cl, arn, tags); err != nil {
		return nil, err
	}
	if taken(acct.roles, name) {
		return nil, kernel.Fail(http.StatusConflict, "EntityAlreadyExists", "Role with name %s already exists.", name)
	}
	if err := checkQuota("RolesPerAccount", len(acct.roles), maxRoles); err != nil {
		return nil, err
	}
	trust, err := s.checkTrust(form.Get("AssumeRolePolicyDocument"))
	if err != nil {
		return nil, err
	}
	r := &Role{
		entity: entity{arn: arn, ID: kernel.NewID("AROA", 17)}, name: name, path: path, Account: acct.id,
		description: form.Get("Description"), MaxSession: maxSession, Trust: trust, inline: namedDocuments{}, tags: tags, created: cl.Now,
	}
	if b := form.Get("PermissionsBoundary"); b != "" {
		if err := r.setBoundary(s, acct, b); err != nil {
			return nil, err
		}
	}
	acct.roles[name] = r
	s.ids[r.ID] = r.entity
	s.generation++
	return struct {
		XMLName xml.Name `xml:"CreateRoleResult"`
		Role    roleXML
	}{Role: s.briefRoleXML(r)}, nil
}

// namedRole decides the call and finds the role it names.
func (s *Service) namedRole(cl *kernel.Request, acct *account) (*Role, error) {
	name := cl.Form.Get("RoleName")
	r := acct.roles[name]
	on := target{arn: roleARN(acct.id, "/", name)}
	if r != nil {
		on = target{r.arn, r.tags, r.Boundary}
	}
	if err := s.allowOn(cl, on, requestTags(cl)); err != nil {
		return nil, err
	}
	if r == nil {
		return nil, noSuchEntity("role", name)
	}
	return r, nil
}

func getRole(s *Service, cl *kernel.Request, acct *account) (any, error) {
	r, err := s.namedRole(cl, acct)
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName xml.Name `xml:"GetRoleResult"`
		Role    roleXML
	}{Role: s.roleXML(r)}, nil
}

func deleteRole(s *Service, cl *kernel.Request, acct *account) (any, error) {
	r, err := s.namedRole(cl, acct)
	if err != nil {
		return nil, err
	}
	switch {
	case len(r.inline) > 0:
		return nil, kernel.Fail(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must delete policies first.")
	case len(r.Attached) > 0:
		return nil, kernel.Fail(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must detach all policies first.")
	}
	for _, p := range acct.profiles {
		if slices.Contains(p.Roles, r.name) {
			return nil, kernel.Fail(
				http.StatusConflict,
				"DeleteConflict",
				"Cannot delete entity, must remove roles from instance profile first.",
			)
		}
	}
	delete(acct.roles, r.name)
	delete(s.ids, r.ID)
	s.generation++
	return nil, nil
}

func updateRole(s *Service, cl *kernel.Request, acct *account) (any, error) {
	r, err := s.namedRole(cl, acct)
	if err != nil {
		return nil, err
	}
	if d := formMaxSession(cl.Form); d != 0 {
		r.MaxSession = d
	}
	if d, ok := cl.Form["Description"]; ok {
		r.description = d[0]
	}
	return struct {
		XMLName xml.Name `xml:"UpdateRoleResult"`
	}{}, nil
}

func updateRoleDescription(s *Service, cl *kernel.Request, acct *account) (any, error) {
	r, err := s.namedRole(cl, acct)
	if err != nil {
		return nil, err
	}
	r.description = cl.Form.Get("Description")
	return struct {
		XMLName xml.Name
		Role    roleXML
	}{resultName(cl), s.briefRoleXML(r)}, nil
}

func listRoles(s *Service, cl *kernel.Request, acct *account) (any, error) {
	prefix := cl.Form.Get("PathPrefix")
	if prefix == "" {
		prefix = "/"
	}
	if err := s.allow(cl, "arn:aws:iam::"+acct.id+":role"+prefix, nil); err != nil {
		return nil, err
	}
	var list []roleXML
	for _, name := range slices.Sorted(maps.Keys(acct.roles)) {
		if r := acct.roles[name]; strings.HasPrefix(r.path, prefix) {
			x := s.roleXML(r)
			x.Tags, x.PermissionsBoundary, x.RoleLastUsed = nil, nil, nil // only GetRole tells these
			list = append(list, x)
		}
	}
	list, p, err := paginate(cl.Form, list, func(x roleXML) string { return x.RoleName })
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName xml.Name
		Roles   []roleXML `xml:"Roles>member"`
		page
	}{resultName(cl), list, p}, nil
}

func updateAssumeRolePolicy(s *Service, cl *kernel.Request, acct *account) (any, error) {
	r, err := s.namedRole(cl, acct)
	if err != nil {
		return nil, err
	}
	trust, err := s.checkTrust(cl.Form.Get("PolicyDocument"))
	if err != nil {
		return nil, err
	}
	r.Trust = trust
	return nil, nil
}
