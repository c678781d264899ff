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

func createRole(c *call) (any, error) {
	form := c.cl.Form
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
	arn := roleARN(c.acct.id, path, name)
	if err := c.allow(arn, tags); err != nil {
		return nil, err
	}
	if taken(c.acct.roles, name) {
		return nil, kernel.Fail(http.StatusConflict, "EntityAlreadyExists", "Role with name %s already exists.", name)
	}
	if err := checkQuota("RolesPerAccount", len(c.acct.roles), maxRoles); err != nil {
		return nil, err
	}
	trust, err := c.iam.checkTrust(form.Get("AssumeRolePolicyDocument"))
	if err != nil {
		return nil, err
	}
	r := &Role{
		entity: entity{arn: arn, ID: kernel.NewID("AROA", 17)}, name: name, path: path, Account: c.acct.id,
		description: form.Get("Description"), MaxSession: maxSession, Trust: trust, inline: namedDocuments{}, tags: tags, created: c.cl.Now,
	}
	if b := form.Get("PermissionsBoundary"); b != "" {
		if err := r.setBoundary(c.iam, c.acct, b); err != nil {
			return nil, err
		}
	}
	c.acct.roles[name] = r
	c.iam.ids[r.ID] = r.entity
	c.iam.generation++
	return struct {
		XMLName xml.Name `xml:"CreateRoleResult"`
		Role    roleXML
	}{Role: c.iam.briefRoleXML(r)}, nil
}

// role decides the call and finds the role it names.
func (c *call) role() (*Role, error) {
	name := c.cl.Form.Get("RoleName")
	r := c.acct.roles[name]
	on := target{arn: roleARN(c.acct.id, "/", name)}
	if r != nil {
		on = target{r.arn, r.tags, r.Boundary}
	}
	if err := c.allowOn(on, requestTags(c.cl)); err != nil {
		return nil, err
	}
	if r == nil {
		return nil, noSuchEntity("role", name)
	}
	return r, nil
}

func getRole(c *call) (any, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName xml.Name `xml:"GetRoleResult"`
		Role    roleXML
	}{Role: c.iam.roleXML(r)}, nil
}

func deleteRole(c *call) (any, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	switch {
	case len(r.inline) > 0:
		return nil, kernel.Fail(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must delete policies first.")
	case len(r.Attached) > 0:
		return nil, kernel.Fail(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must detach all policies first.")
	}
	for _, p := range c.acct.profiles {
		if slices.Contains(p.Roles, r.name) {
			return nil, kernel.Fail(
				http.StatusConflict,
				"DeleteConflict",
				"Cannot delete entity, must remove roles from instance profile first.",
			)
		}
	}
	delete(c.acct.roles, r.name)
	delete(c.iam.ids, r.ID)
	c.iam.generation++
	return nil, nil
}

func updateRole(c *call) (any, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	if d := formMaxSession(c.cl.Form); d != 0 {
		r.MaxSession = d
	}
	if d, ok := c.cl.Form["Description"]; ok {
		r.description = d[0]
	}
	return struct {
		XMLName xml.Name `xml:"UpdateRoleResult"`
	}{}, nil
}

func updateRoleDescription(c *call) (any, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	r.description = c.cl.Form.Get("Description")
	return struct {
		XMLName xml.Name
		Role    roleXML
	}{resultName(c.cl), c.iam.briefRoleXML(r)}, nil
}

func listRoles(c *call) (any, error) {
	prefix := c.cl.Form.Get("PathPrefix")
	if prefix == "" {
		prefix = "/"
	}
	if err := c.allow("arn:aws:iam::"+c.acct.id+":role"+prefix, nil); err != nil {
		return nil, err
	}
	var list []roleXML
	for _, name := range slices.Sorted(maps.Keys(c.acct.roles)) {
		if r := c.acct.roles[name]; strings.HasPrefix(r.path, prefix) {
			x := c.iam.roleXML(r)
			x.Tags, x.PermissionsBoundary, x.RoleLastUsed = nil, nil, nil // only GetRole tells these
			list = append(list, x)
		}
	}
	list, p, err := paginate(c.cl.Form, list, func(x roleXML) string { return x.RoleName })
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName xml.Name
		Roles   []roleXML `xml:"Roles>member"`
		page
	}{resultName(c.cl), list, p}, nil
}

func updateAssumeRolePolicy(c *call) (any, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	trust, err := c.iam.checkTrust(c.cl.Form.Get("PolicyDocument"))
	if err != nil {
		return nil, err
	}
	r.Trust = trust
	return nil, nil
}
