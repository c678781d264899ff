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

// Instance profiles, through which EC2 instances get a role.

type instanceProfile struct {
	ARN, ID, Name, Path string

	Roles   []string // names; one at most
	Tags    []kernel.Tag
	Created time.Time
}

type profileXML struct {
	Path                string
	InstanceProfileName string
	InstanceProfileID   string `xml:"InstanceProfileId"`
	Arn                 string
	CreateDate          string
	Roles               []roleXML   `xml:"Roles>member"`
	Tags                *tagListXML `xml:",omitempty"`
}

func (s *Service) profileXML(acct *account, p *instanceProfile) profileXML {
	x := profileXML{
		Path:                p.Path,
		InstanceProfileName: p.Name,
		InstanceProfileID:   p.ID,
		Arn:                 p.ARN,
		CreateDate:          kernel.QueryTime(p.Created),
		Tags:                tagList(p.Tags),
	}
	for _, name := range p.Roles {
		if r := acct.roles[name]; r != nil {
			x.Roles = append(x.Roles, s.roleXML(r))
		}
	}
	return x
}

func createInstanceProfile(c *call) (any, error) {
	name := c.cl.Form.Get("InstanceProfileName")
	path := formPath(c.cl.Form)
	tags, err := formExactTags(c.cl.Form)
	if err != nil {
		return nil, err
	}
	arn := "arn:aws:iam::" + c.acct.id + ":instance-profile" + path + name
	if err := c.allow(arn, tags); err != nil {
		return nil, err
	}
	if taken(c.acct.profiles, name) {
		return nil, kernel.Fail(http.StatusConflict, "EntityAlreadyExists", "Instance Profile %s already exists.", name)
	}
	if err := checkQuota("InstanceProfilesPerAccount", len(c.acct.profiles), maxProfiles); err != nil {
		return nil, err
	}
	p := &instanceProfile{ARN: arn, ID: kernel.NewID("AIPA", 17), Name: name, Path: path, Tags: tags, Created: c.cl.Now}
	c.acct.profiles[name] = p
	return struct {
		XMLName         xml.Name
		InstanceProfile profileXML
	}{resultName(c.cl), c.iam.profileXML(c.acct, p)}, nil
}

func (c *call) profile() (*instanceProfile, error) {
	name := c.cl.Form.Get("InstanceProfileName")
	p := c.acct.profiles[name]
	arn := "arn:aws:iam::" + c.acct.id + ":instance-profile/" + name
	var tags []kernel.Tag
	if p != nil {
		arn, tags = p.ARN, p.Tags
	}
	if err := c.allowOn(target{arn: arn, tags: tags}, requestTags(c.cl)); err != nil {
		return nil, err
	}
	if p == nil {
		return nil, kernel.Fail(http.StatusNotFound, "NoSuchEntity", "Instance Profile %s cannot be found.", name)
	}
	return p, nil
}

func getInstanceProfile(c *call) (any, error) {
	p, err := c.profile()
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName         xml.Name
		InstanceProfile profileXML
	}{resultName(c.cl), c.iam.profileXML(c.acct, p)}, nil
}

func deleteInstanceProfile(c *call) (any, error) {
	p, err := c.profile()
	if err != nil {
		return nil, err
	}
	if len(p.Roles) > 0 {
		return nil, kernel.Fail(
			http.StatusConflict,
			"DeleteConflict",
			"Cannot delete entity, must remove roles from instance profile first.",
		)
	}
	delete(c.acct.profiles, p.Name)
	return nil, nil
}

// listProfiles writes the profiles that keep picks.
func (c *call) listProfiles(keep func(*instanceProfile) bool) (any, error) {
	var list []profileXML
	for _, name := range slices.Sorted(maps.Keys(c.acct.profiles)) {
		if p := c.acct.profiles[name]; keep(p) {
			x := c.iam.profileXML(c.acct, p)
			x.Tags = nil
			list = append(list, x)
		}
	}
	list, p, err := paginate(c.cl.Form, list, func(x profileXML) string { return x.InstanceProfileName })
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName  xml.Name
		Profiles []profileXML `xml:"InstanceProfiles>member"`
		page
	}{resultName(c.cl), list, p}, nil
}

func listInstanceProfiles(c *call) (any, error) {
	if err := c.allow("arn:aws:iam::"+c.acct.id+":instance-profile/*", nil); err != nil {
		return nil, err
	}
	return c.listProfiles(func(p *instanceProfile) bool { return strings.HasPrefix(p.Path, c.cl.Form.Get("PathPrefix")) })
}

func listInstanceProfilesForRole(c *call) (any, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	return c.listProfiles(func(p *instanceProfile) bool { return slices.Contains(p.Roles, r.name) })
}

func addRoleToInstanceProfile(c *call) (any, error) {
	p, err := c.profile()
	if err != nil {
		return nil, err
	}
	r := c.acct.roles[c.cl.Form.Get("RoleName")]
	if r == nil {
		return nil, noSuchEntity("role", c.cl.Form.Get("RoleName"))
	}
	if len(p.Roles) > 0 {
		return nil, kernel.Fail(http.StatusConflict, "LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
	}
	// The caller needs iam:PassRole to give a role to EC2.
	ctx := c.cl.Conditions("")
	ctx["iam:PassedToService"] = []string{"ec2.amazonaws.com"}
	if e := c.iam.AuthorizeLocked(c.cl, kernel.Access{
		Caller: c.cl.Caller, Action: "iam:PassRole", Resource: r.arn, Owner: c.acct.id, Context: ctx,
	}); e != nil {
		return nil, e
	}
	p.Roles = []string{r.name}
	return nil, nil
}

func removeRoleFromInstanceProfile(c *call) (any, error) {
	p, err := c.profile()
	if err != nil {
		return nil, err
	}
	name := c.cl.Form.Get("RoleName")
	if !slices.Contains(p.Roles, name) {
		return nil, noSuchEntity("role", name)
	}
	p.Roles = nil
	return nil, nil
}
