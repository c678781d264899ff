package sandbox

import (
	"encoding/xml"
	"maps"
	"net/http"
	"slices"
	"strings"
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

func putInline(cl *call, inline namedDocuments, limit int) (any, error) {
	name, err := requireName(cl.query, "PolicyName", policyNamePattern)
	if err != nil {
		return nil, err
	}
	p, err := checkInline(cl.query.Get("PolicyDocument"), limit)
	if err != nil {
		return nil, err
	}
	inline[name] = p
	return nil, nil
}

func getInline(cl *call, inline namedDocuments) (policyXML, error) {
	name := cl.query.Get("PolicyName")
	p := inline[name]
	if p == nil {
		return policyXML{}, noPolicy(cl, name)
	}
	return policyXML{
		XMLName: xml.Name{Local: cl.record.Operation + "Result"}, PolicyName: name, PolicyDocument: escapeDocument(p.text),
	}, nil
}

func deleteInline(cl *call, inline namedDocuments) (any, error) {
	name := cl.query.Get("PolicyName")
	if inline[name] == nil {
		return nil, noPolicy(cl, name)
	}
	delete(inline, name)
	return nil, nil
}

func noPolicy(cl *call, name string) *apiError {
	kind := "role"
	switch {
	case strings.Contains(cl.record.Operation, "User"):
		kind = "user"
	case strings.Contains(cl.record.Operation, "Group"):
		kind = "group"
	}
	return fail(http.StatusNotFound, "NoSuchEntity", "The %s policy with name %s cannot be found.", kind, name)
}

func listInline(cl *call, inline namedDocuments) (any, error) {
	names, p, err := paginate(cl.query, slices.Sorted(maps.Keys(inline)), itself)
	if err != nil {
		return nil, err
	}
	return policyListXML{resultName(cl), names, p}, nil
}

func putRolePolicy(s *Sandbox, cl *call, acct *account) (any, error) {
	r, err := s.namedRole(cl, acct)
	if err != nil {
		return nil, err
	}
	return putInline(cl, r.inline, maxInlineRole)
}

func getRolePolicy(s *Sandbox, cl *call, acct *account) (any, error) {
	r, err := s.namedRole(cl, acct)
	if err != nil {
		return nil, err
	}
	out, err := getInline(cl, r.inline)
	out.RoleName = r.name
	return out, err
}

func deleteRolePolicy(s *Sandbox, cl *call, acct *account) (any, error) {
	r, err := s.namedRole(cl, acct)
	if err != nil {
		return nil, err
	}
	return deleteInline(cl, r.inline)
}

func listRolePolicies(s *Sandbox, cl *call, acct *account) (any, error) {
	r, err := s.namedRole(cl, acct)
	if err != nil {
		return nil, err
	}
	return listInline(cl, r.inline)
}

func putUserPolicy(s *Sandbox, cl *call, acct *account) (any, error) {
	u, err := s.namedUser(cl, acct)
	if err != nil {
		return nil, err
	}
	return putInline(cl, u.inline, maxInlineUser)
}

func getUserPolicy(s *Sandbox, cl *call, acct *account) (any, error) {
	u, err := s.namedUser(cl, acct)
	if err != nil {
		return nil, err
	}
	out, err := getInline(cl, u.inline)
	out.UserName = u.name
	return out, err
}

func deleteUserPolicy(s *Sandbox, cl *call, acct *account) (any, error) {
	u, err := s.namedUser(cl, acct)
	if err != nil {
		return nil, err
	}
	return deleteInline(cl, u.inline)
}

func listUserPolicies(s *Sandbox, cl *call, acct *account) (any, error) {
	u, err := s.namedUser(cl, acct)
	if err != nil {
		return nil, err
	}
	return listInline(cl, u.inline)
}
