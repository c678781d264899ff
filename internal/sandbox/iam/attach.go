package iam

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Managed policies and permissions boundaries of roles, users and groups.

const maxAttached = 10

// grants are the attached policies and the boundary of an entity.
type grants struct {
	Attached []string `json:",omitempty"` // ARNs of managed policies
	Boundary string   `json:",omitempty"` // ARN of the permissions boundary
}

// attachment is the entity that an attaching call is about.
type attachment struct {
	kind   string // "Role", "User" or "Group"
	arn    string
	grants *grants
}

type attachTarget func(c *call) (attachment, error)

func roleGrants(c *call) (attachment, error) {
	r, err := c.role()
	if err != nil {
		return attachment{}, err
	}
	return attachment{"Role", r.arn, &r.grants}, nil
}

func userGrants(c *call) (attachment, error) {
	u, err := c.user()
	if err != nil {
		return attachment{}, err
	}
	return attachment{"User", u.arn, &u.grants}, nil
}

func groupGrants(c *call) (attachment, error) {
	g, err := c.group()
	if err != nil {
		return attachment{}, err
	}
	return attachment{"Group", g.ARN, &g.grants}, nil
}

func attaching(target attachTarget) handler {
	return func(c *call) (any, error) {
		t, err := target(c)
		if err != nil {
			return nil, err
		}
		arn := c.cl.Form.Get("PolicyArn")
		if !isPolicyARN(arn) {
			return nil, kernel.ValidationError("Invalid ARN:  Could not be parsed!")
		}
		if c.iam.policyByARN(c.acct.id, arn) == nil {
			return nil, noSuchManaged(arn)
		}
		if slices.Contains(t.grants.Attached, arn) {
			return nil, nil
		}
		if err := checkQuota("PoliciesPer"+t.kind, len(t.grants.Attached), maxAttached); err != nil {
			return nil, err
		}
		t.grants.Attached = append(slices.Clone(t.grants.Attached), arn)
		return nil, nil
	}
}

func detaching(target attachTarget) handler {
	return func(c *call) (any, error) {
		t, err := target(c)
		if err != nil {
			return nil, err
		}
		arn := c.cl.Form.Get("PolicyArn")
		if !slices.Contains(t.grants.Attached, arn) {
			return nil, kernel.Fail(http.StatusNotFound, "NoSuchEntity", "Policy %s was not found.", arn)
		}
		t.grants.Attached = slices.DeleteFunc(slices.Clone(t.grants.Attached), func(a string) bool { return a == arn })
		return nil, nil
	}
}

type attachedXML struct {
	PolicyName string
	PolicyArn  string
}

func listingAttached(target attachTarget) handler {
	return func(c *call) (any, error) {
		t, err := target(c)
		if err != nil {
			return nil, err
		}
		var list []attachedXML
		for _, arn := range slices.Sorted(slices.Values(t.grants.Attached)) {
			if p := c.iam.policyByARN(c.acct.id, arn); p != nil && strings.HasPrefix(p.Path, c.cl.Form.Get("PathPrefix")) {
				list = append(list, attachedXML{p.Name, arn})
			}
		}
		list, p, err := paginate(c.cl.Form, list, func(x attachedXML) string { return x.PolicyArn })
		if err != nil {
			return nil, err
		}
		return struct {
			XMLName  xml.Name
			Policies []attachedXML `xml:"AttachedPolicies>member"`
			page
		}{resultName(c.cl), list, p}, nil
	}
}

func putBoundary(target attachTarget) handler {
	return func(c *call) (any, error) {
		t, err := target(c)
		if err != nil {
			return nil, err
		}
		return nil, t.grants.setBoundary(c.iam, c.acct, c.cl.Form.Get("PermissionsBoundary"))
	}
}

func (g *grants) setBoundary(s *Service, acct *account, arn string) error {
	if !isPolicyARN(arn) {
		return invalidInput("ARN %s is not valid.", arn)
	}
	if s.policyByARN(acct.id, arn) == nil {
		return kernel.Fail(http.StatusNotFound, "NoSuchEntity", "Policy %s does not exist or is not attachable.", arn)
	}
	g.Boundary = arn
	return nil
}

func deleteBoundary(target attachTarget) handler {
	return func(c *call) (any, error) {
		t, err := target(c)
		if err != nil {
			return nil, err
		}
		if t.grants.Boundary == "" {
			return nil, kernel.Fail(http.StatusNotFound, "NoSuchEntity", "The entity %s has no permissions boundary.", t.arn)
		}
		t.grants.Boundary = ""
		return nil, nil
	}
}

type boundaryXML struct {
	PermissionsBoundaryType string
	PermissionsBoundaryArn  string
}

func (g *grants) boundaryXML() *boundaryXML {
	if g.Boundary == "" {
		return nil
	}
	return &boundaryXML{"Policy", g.Boundary}
}

// documents are the attached policies and the boundary, as they are now. A
// boundary whose policy is gone allows nothing.
func (g *grants) documents(s *Service, account string) (attached, boundary []iampolicy.NamedPolicy) {
	for _, arn := range g.Attached {
		if p := s.policyByARN(account, arn); p != nil {
			attached = append(attached, p.current())
		}
	}
	if g.Boundary != "" {
		boundary = []iampolicy.NamedPolicy{}
		if p := s.policyByARN(account, g.Boundary); p != nil {
			boundary = append(boundary, p.current())
		}
	}
	return attached, boundary
}
