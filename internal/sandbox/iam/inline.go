package iam

import (
	"encoding/xml"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Inline policies of roles and users.

type policyXML struct {
	XMLName        xml.Name
	RoleName       string `xml:",omitempty"`
	UserName       string `xml:",omitempty"`
	GroupName      string `xml:",omitempty"`
	PolicyName     string
	PolicyDocument string
}

type policyListXML struct {
	XMLName     xml.Name
	PolicyNames []string `xml:"PolicyNames>member"`
	page
}

// putInline stores a policy of an entity, whose policies together may have limit characters.
func putInline(cl *kernel.Request, inline namedDocuments, limit int, entity string) (any, error) {
	name := cl.Form.Get("PolicyName")
	p, err := parseInline(cl.Form.Get("PolicyDocument"))
	if err != nil {
		return nil, err
	}
	size := withoutSpace(p.Text)
	for other, q := range inline {
		if other != name {
			size += withoutSpace(q.Text)
		}
	}
	if size > limit {
		return nil, kernel.Fail(http.StatusConflict, "LimitExceeded", "Maximum policy size of %d bytes exceeded for %s", limit, entity)
	}
	inline[name] = p
	return nil, nil
}

// parseInline parses an identity policy.
func parseInline(text string) (*PolicyText, error) {
	if err := checkDocument(text, iampolicy.KindIdentity); err != nil {
		return nil, err
	}
	doc, err := iampolicy.Parse([]byte(text))
	if err != nil {
		return nil, policyError(err)
	}
	return &PolicyText{text, doc}, nil
}

func getInline(cl *kernel.Request, inline namedDocuments) (policyXML, error) {
	name := cl.Form.Get("PolicyName")
	p := inline[name]
	if p == nil {
		return policyXML{}, noPolicy(cl, name)
	}
	return policyXML{
		XMLName: xml.Name{Local: cl.Record.Operation + "Result"}, PolicyName: name, PolicyDocument: escapeDocument(p.Text),
	}, nil
}

func deleteInline(cl *kernel.Request, inline namedDocuments) (any, error) {
	name := cl.Form.Get("PolicyName")
	if inline[name] == nil {
		return nil, noPolicy(cl, name)
	}
	delete(inline, name)
	return nil, nil
}

func noPolicy(cl *kernel.Request, name string) *kernel.Error {
	kind := "role"
	switch {
	case strings.Contains(cl.Record.Operation, "User"):
		kind = "user"
	case strings.Contains(cl.Record.Operation, "Group"):
		kind = "group"
	}
	return kernel.Fail(http.StatusNotFound, "NoSuchEntity", "The %s policy with name %s cannot be found.", kind, name)
}

func listInline(cl *kernel.Request, inline namedDocuments) (any, error) {
	names, p, err := paginate(cl.Form, slices.Sorted(maps.Keys(inline)), itself)
	if err != nil {
		return nil, err
	}
	return policyListXML{resultName(cl), names, p}, nil
}

func putRolePolicy(c *call) (any, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	return putInline(c.cl, r.inline, maxInlineRole, "role "+r.name)
}

func getRolePolicy(c *call) (any, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	out, err := getInline(c.cl, r.inline)
	out.RoleName = r.name
	return out, err
}

func deleteRolePolicy(c *call) (any, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	return deleteInline(c.cl, r.inline)
}

func listRolePolicies(c *call) (any, error) {
	r, err := c.role()
	if err != nil {
		return nil, err
	}
	return listInline(c.cl, r.inline)
}

func putUserPolicy(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	return putInline(c.cl, u.inline, maxInlineUser, "user "+u.name)
}

func getUserPolicy(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	out, err := getInline(c.cl, u.inline)
	out.UserName = u.name
	return out, err
}

func deleteUserPolicy(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	return deleteInline(c.cl, u.inline)
}

func listUserPolicies(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	return listInline(c.cl, u.inline)
}
