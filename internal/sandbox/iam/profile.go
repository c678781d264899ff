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

func createInstanceProfile(s *Service, cl *kernel.Request, acct *account) (any, error) {
	name := cl.Form.Get("InstanceProfileName")
	path := formPath(cl.Form)
	tags, err := formExactTags(cl.Form)
	if err != nil {
		return nil, err
	}
	arn := "arn:aws:iam::" + acct.id + ":instance-profile" + path + name
	if err := s.allow(cl, arn, tags); err != nil {
		return nil, err
	}
	if taken(acct.profiles, name) {
		return nil, kernel.Fail(http.StatusConflict, "EntityAlreadyExists", "Instance Profile %s already exists.", name)
	}
	if err := checkQuota("InstanceProfilesPerAccount", len(acct.profiles), maxProfiles); err != nil {
		return nil, err
	}
	p := &instanceProfile{ARN: arn, ID: kernel.NewID("AIPA", 17), Name: name, Path: path, Tags: tags, Created: cl.Now}
	acct.profiles[name] = p
	return struct {
		XMLName         xml.Name
		InstanceProfile profileXML
	}{resultName(cl), s.profileXML(acct, p)}, nil
}

func (s *Service) namedProfile(cl *kernel.Request, acct *account) (*instanceProfile, error) {
	name := cl.Form.Get("InstanceProfileName")
	p := acct.profiles[name]
	arn := "arn:aws:iam::" + acct.id + ":instance-profile/" + name
	var tags []kernel.Tag
	if p != nil {
		arn, tags = p.ARN, p.Tags
	}
	if err := s.allowOn(cl, target{arn: arn, tags: tags}, requestTags(cl)); err != nil {
		return nil, err
	}
	if p == nil {
		return nil, kernel.Fail(http.StatusNotFound, "NoSuchEntity", "Instance Profile %s cannot be found.", name)
	}
	return p, nil
}

func getInstanceProfile(s *Service, cl *kernel.Request, acct *account) (any, error) {
	p, err := s.namedProfile(cl, acct)
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName         xml.Name
		InstanceProfile profileXML
	}{resultName(cl), s.profileXML(acct, p)}, nil
}

func deleteInstanceProfile(s *Service, cl *kernel.Request, acct *account) (any, error) {
	p, err := s.namedProfile(cl, acct)
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
	delete(acct.profiles, p.Name)
	return nil, nil
}

// listProfiles writes the profiles that keep picks.
func (s *Service) listProfiles(cl *kernel.Request, acct *account, keep func(*instanceProfile) bool) (any, error) {
	var list []profileXML
	for _, name := range slices.Sorted(maps.Keys(acct.profiles)) {
		if p := acct.profiles[name]; keep(p) {
			x := s.profileXML(acct, p)
			x.Tags = nil
			list = append(list, x)
		}
	}
	list, p, err := paginate(cl.Form, list, func(x profileXML) string { return x.InstanceProfileName })
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName  xml.Name
		Profiles []profileXML `xml:"InstanceProfiles>member"`
		page
	}{resultName(cl), list, p}, nil
}

func listInstanceProfiles(s *Service, cl *kernel.Request, acct *account) (any, error) {
	if err := s.allow(cl, "arn:aws:iam::"+acct.id+":instance-profile/*", nil); err != nil {
		return nil, err
	}
	return s.listProfiles(cl, acct, func(p *instanceProfile) bool { return strings.HasPrefix(p.Path, cl.Form.Get("PathPrefix")) })
}

func listInstanceProfilesForRole(s *Service, cl *kernel.Request, acct *account) (any, error) {
	r, err := s.namedRole(cl, acct)
	if err != nil {
		return nil, err
	}
	return s.listProfiles(cl, acct, func(p *instanceProfile) bool { return slices.Contains(p.Roles, r.name) })
}

func addRoleToInstanceProfile(s *Service, cl *kernel.Request, acct *account) (any, error) {
	p, err := s.namedProfile(cl, acct)
	if err != nil {
		return nil, err
	}
	r := acct.roles[cl.Form.Get("RoleName")]
	if r == nil {
		return nil, noSuchEntity("role", cl.Form.Get("RoleName"))
	}
	if len(p.Roles) > 0 {
		return nil, kernel.Fail(http.StatusConflict, "LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
	}
	// The caller needs iam:PassRole to give a role to EC2.
	ctx := cl.Conditions("")
	ctx["iam:PassedToService"] = []string{"ec2.amazonaws.com"}
	if e := s.AuthorizeLocked(cl, kernel.Access{
		Caller: cl.Caller, Action: "iam:PassRole", Resource: r.arn, Owner: acct.id, Context: ctx,
	}); e != nil {
		return nil, e
	}
	p.Roles = []string{r.name}
	return nil, nil
}

func removeRoleFromInstanceProfile(s *Service, cl *kernel.Request, acct *account) (any, error) {
	p, err := s.namedProfile(cl, acct)
	if err != nil {
		return nil, err
	}
	name := cl.Form.Get("RoleName")
	if !slices.Contains(p.Roles, name) {
		return nil, noSuchEntity("role", name)
	}
	p.Roles = nil
	return nil, nil
}
