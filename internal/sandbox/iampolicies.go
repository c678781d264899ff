package sandbox

import (
	"encoding/json"
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
	PolicyName     string
	PolicyDocument string
}

type policyListXML struct {
	XMLName     xml.Name
	PolicyNames []string `xml:"PolicyNames>member"`
	IsTruncated bool
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
	if strings.Contains(cl.record.Operation, "User") {
		kind = "user"
	}
	return fail(http.StatusNotFound, "NoSuchEntity", "The %s policy with name %s cannot be found.", kind, name)
}

func listInline(cl *call, inline namedDocuments) (any, error) {
	return policyListXML{XMLName: xml.Name{Local: cl.record.Operation + "Result"}, PolicyNames: slices.Sorted(maps.Keys(inline))}, nil
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

// checkTrustShape refuses what IAM refuses in a trust policy beyond the grammar.
func checkTrustShape(text string) *apiError {
	var doc struct{ Statement json.RawMessage }
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return fail(http.StatusBadRequest, "MalformedPolicyDocument", "This policy contains invalid Json")
	}
	var statements []map[string]json.RawMessage
	if err := json.Unmarshal(doc.Statement, &statements); err != nil {
		var one map[string]json.RawMessage
		if err := json.Unmarshal(doc.Statement, &one); err != nil {
			return fail(http.StatusBadRequest, "MalformedPolicyDocument", "Syntax errors in policy.")
		}
		statements = append(statements, one)
	}
	for _, st := range statements {
		if st["Resource"] != nil || st["NotResource"] != nil {
			return fail(http.StatusBadRequest, "MalformedPolicyDocument", "Has prohibited field Resource")
		}
		if st["NotPrincipal"] != nil {
			return fail(http.StatusBadRequest, "MalformedPolicyDocument", "Has prohibited field NotPrincipal")
		}
		if st["Principal"] == nil {
			return fail(http.StatusBadRequest, "MalformedPolicyDocument", "Missing required field Principal")
		}
		var actions []string
		if err := json.Unmarshal(st["Action"], &actions); err != nil {
			var one string
			if err := json.Unmarshal(st["Action"], &one); err != nil {
				return fail(http.StatusBadRequest, "MalformedPolicyDocument", "Missing required field Action")
			}
			actions = []string{one}
		}
		for _, a := range actions {
			if !strings.HasPrefix(strings.ToLower(a), "sts:") {
				return fail(http.StatusBadRequest, "MalformedPolicyDocument", "AssumeRole policy may only specify STS AssumeRole actions.")
			}
		}
	}
	return nil
}
