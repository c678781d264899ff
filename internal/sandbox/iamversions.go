package sandbox

import (
	"encoding/xml"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Versions of managed policies.

type policyVersionXML struct {
	Document         string `xml:",omitempty"`
	VersionID        string `xml:"VersionId"`
	IsDefaultVersion bool
	CreateDate       string
}

func (p *managedPolicy) versionXML(v *policyVersion, withText bool) policyVersionXML {
	x := policyVersionXML{VersionID: v.ID, IsDefaultVersion: v.ID == p.Default, CreateDate: queryTime(v.Created)}
	if withText {
		x.Document = escapeDocument(v.Text)
	}
	return x
}

func createPolicyVersion(s *iamService, cl *call, acct *account) (any, error) {
	p, err := s.ownPolicy(cl, acct)
	if err != nil {
		return nil, err
	}
	if len(p.Versions) >= maxPolicyVersions {
		return nil, fail(http.StatusConflict, "LimitExceeded", "A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", maxPolicyVersions)
	}
	text := cl.query.Get("PolicyDocument")
	doc, err := checkManaged(text)
	if err != nil {
		return nil, err
	}
	v := &policyVersion{ID: "v" + strconv.Itoa(p.Next), Text: text, Created: cl.now, doc: doc}
	p.Next++
	p.Versions = append(p.Versions, v)
	if cl.query.Get("SetAsDefault") == "true" {
		p.Default, p.Updated = v.ID, cl.now
	}
	return struct {
		XMLName       xml.Name
		PolicyVersion policyVersionXML
	}{resultName(cl), p.versionXML(v, false)}, nil
}

// namedVersion finds the version that a call names.
func (p *managedPolicy) namedVersion(cl *call) (*policyVersion, error) {
	id := cl.query.Get("VersionId")
	v := p.version(id)
	if v == nil {
		return nil, fail(http.StatusNotFound, "NoSuchEntity", "Policy %s version %s does not exist or is not attachable.", p.ARN, id)
	}
	return v, nil
}

func getPolicyVersion(s *iamService, cl *call, acct *account) (any, error) {
	p, err := s.anyPolicy(cl, acct)
	if err != nil {
		return nil, err
	}
	v, err := p.namedVersion(cl)
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName       xml.Name
		PolicyVersion policyVersionXML
	}{resultName(cl), p.versionXML(v, true)}, nil
}

func listPolicyVersions(s *iamService, cl *call, acct *account) (any, error) {
	p, err := s.anyPolicy(cl, acct)
	if err != nil {
		return nil, err
	}
	var list []policyVersionXML
	for _, v := range slices.Backward(p.Versions) {
		list = append(list, p.versionXML(v, false))
	}
	// The newest is first; numbers only grow, so the marker counts down.
	list, rest, err := paginate(cl.query, list, func(x policyVersionXML) string {
		n, _ := strconv.Atoi(strings.TrimPrefix(x.VersionID, "v")) // the ids are ours
		return fmt.Sprintf("%020d", math.MaxInt-n)
	})
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName  xml.Name
		Versions []policyVersionXML `xml:"Versions>member"`
		page
	}{resultName(cl), list, rest}, nil
}

func deletePolicyVersion(s *iamService, cl *call, acct *account) (any, error) {
	p, err := s.ownPolicy(cl, acct)
	if err != nil {
		return nil, err
	}
	v, err := p.namedVersion(cl)
	if err != nil {
		return nil, err
	}
	if v.ID == p.Default {
		return nil, fail(http.StatusConflict, "DeleteConflict", "Cannot delete the default version of a policy.")
	}
	p.Versions = slices.DeleteFunc(slices.Clone(p.Versions), func(o *policyVersion) bool { return o == v })
	return nil, nil
}

func setDefaultPolicyVersion(s *iamService, cl *call, acct *account) (any, error) {
	p, err := s.ownPolicy(cl, acct)
	if err != nil {
		return nil, err
	}
	v, err := p.namedVersion(cl)
	if err != nil {
		return nil, err
	}
	p.Default, p.Updated = v.ID, cl.now
	return nil, nil
}
