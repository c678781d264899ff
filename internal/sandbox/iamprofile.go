package sandbox

import (
	"encoding/xml"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Instance profiles: the box in which EC2 takes a role.

type instanceProfile struct {
	ARN, ID, Name, Path string

	Roles   []string // names; one at most
	Tags    []tag
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

func (s *iamService) profileXML(acct *account, p *instanceProfile) profileXML {
	x := profileXML{Path: p.Path, InstanceProfileName: p.Name, InstanceProfileID: p.ID, Arn: p.ARN, CreateDate: queryTime(p.Created), Tags: tagList(p.Tags)}
	for _, name := range p.Roles {
		if r := acct.roles[name]; r != nil {
			x.Roles = append(x.Roles, s.roleXML(r))
		}
	}
	return x
}

func createInstanceProfile(s *iamService, cl *call, acct *account) (any, error) {
	name := cl.query.Get("InstanceProfileName")
	path := formPath(cl.query)
	tags, err := formExactTags(cl.query)
	if err != nil {
		return nil, err
	}
	arn := "arn:aws:iam::" + acct.id + ":instance-profile" + path + name
	if err := s.iamAllow(cl, arn, tags); err != nil {
		return nil, err
	}
	if taken(acct.profiles, name) {
		return nil, fail(http.StatusConflict, "EntityAlreadyExists", "Instance Profile %s already exists.", name)
	}
	if err := checkQuota("InstanceProfilesPerAccount", len(acct.profiles), maxProfiles); err != nil {
		return nil, err
	}
	p := &instanceProfile{ARN: arn, ID: newID("AIPA", 17), Name: name, Path: path, Tags: tags, Created: cl.now}
	acct.profiles[name] = p
	return struct {
		XMLName         xml.Name
		InstanceProfile profileXML
	}{resultName(cl), s.profileXML(acct, p)}, nil
}

func (s *iamService) namedProfile(cl *call, acct *account) (*instanceProfile, error) {
	name := cl.query.Get("InstanceProfileName")
	p := acct.profiles[name]
	arn := "arn:aws:iam::" + acct.id + ":instance-profile/" + name
	var tags []tag
	if p != nil {
		arn, tags = p.ARN, p.Tags
	}
	if err := s.iamAllowOn(cl, iamResource{arn: arn, tags: tags}, requestTags(cl)); err != nil {
		return nil, err
	}
	if p == nil {
		return nil, fail(http.StatusNotFound, "NoSuchEntity", "Instance Profile %s cannot be found.", name)
	}
	return p, nil
}

func getInstanceProfile(s *iamService, cl *call, acct *account) (any, error) {
	p, err := s.namedProfile(cl, acct)
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName         xml.Name
		InstanceProfile profileXML
	}{resultName(cl), s.profileXML(acct, p)}, nil
}

func deleteInstanceProfile(s *iamService, cl *call, acct *account) (any, error) {
	p, err := s.namedProfile(cl, acct)
	if err != nil {
		return nil, err
	}
	if len(p.Roles) > 0 {
		return nil, fail(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.")
	}
	delete(acct.profiles, p.Name)
	return nil, nil
}

// listProfiles writes the profiles that keep picks.
func (s *iamService) listProfiles(cl *call, acct *account, keep func(*instanceProfile) bool) (any, error) {
	var list []profileXML
	for _, name := range slices.Sorted(maps.Keys(acct.profiles)) {
		if p := acct.profiles[name]; keep(p) {
			x := s.profileXML(acct, p)
			x.Tags = nil
			list = append(list, x)
		}
	}
	list, p, err := paginate(cl.query, list, func(x profileXML) string { return x.InstanceProfileName })
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName  xml.Name
		Profiles []profileXML `xml:"InstanceProfiles>member"`
		page
	}{resultName(cl), list, p}, nil
}

func listInstanceProfiles(s *iamService, cl *call, acct *account) (any, error) {
	if err := s.iamAllow(cl, "arn:aws:iam::"+acct.id+":instance-profile/*", nil); err != nil {
		return nil, err
	}
	return s.listProfiles(cl, acct, func(p *instanceProfile) bool { return strings.HasPrefix(p.Path, cl.query.Get("PathPrefix")) })
}

func listInstanceProfilesForRole(s *iamService, cl *call, acct *account) (any, error) {
	r, err := s.namedRole(cl, acct)
	if err != nil {
		return nil, err
	}
	return s.listProfiles(cl, acct, func(p *instanceProfile) bool { return slices.Contains(p.Roles, r.name) })
}

func addRoleToInstanceProfile(s *iamService, cl *call, acct *account) (any, error) {
	p, err := s.namedProfile(cl, acct)
	if err != nil {
		return nil, err
	}
	r := acct.roles[cl.query.Get("RoleName")]
	if r == nil {
		return nil, noSuchEntity("role", cl.query.Get("RoleName"))
	}
	if len(p.Roles) > 0 {
		return nil, fail(http.StatusConflict, "LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
	}
	// Who hands a role to EC2 has to be allowed to pass it.
	ctx := cl.requestContext("")
	ctx["iam:PassedToService"] = []string{"ec2.amazonaws.com"}
	if e := s.authorizeLocked(cl, access{caller: cl.caller, action: "iam:PassRole", resource: r.arn, owner: acct.id, context: ctx}); e != nil {
		return nil, e
	}
	p.Roles = []string{r.name}
	return nil, nil
}

func removeRoleFromInstanceProfile(s *iamService, cl *call, acct *account) (any, error) {
	p, err := s.namedProfile(cl, acct)
	if err != nil {
		return nil, err
	}
	name := cl.query.Get("RoleName")
	if !slices.Contains(p.Roles, name) {
		return nil, noSuchEntity("role", name)
	}
	p.Roles = nil
	return nil, nil
}
