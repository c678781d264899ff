package iam

import (
	"encoding/xml"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Versions of managed policies.

type policyVersionXML struct {
	Document         string `xml:",omitempty"`
	VersionID        string `xml:"VersionId"`
	IsDefaultVersion bool
	CreateDate       string
}

func (p *managedPolicy) versionXML(v *policyVersion, withText bool) policyVersionXML {
	x := policyVersionXML{VersionID: v.ID, IsDefaultVersion: v.ID == p.Default, CreateDate: kernel.QueryTime(v.Created)}
	if withText {
		x.Document = escapeDocument(v.Text)
	}
	return x
}

func createPolicyVersion(c *call) (any, error) {
	p, err := c.ownPolicy()
	if err != nil {
		return nil, err
	}
	if len(p.Versions) >= maxPolicyVersions {
		return nil, kernel.Fail(
			http.StatusConflict,
			"LimitExceeded",
			"A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.",
			maxPolicyVersions,
		)
	}
	text := c.cl.Form.Get("PolicyDocument")
	doc, err := checkManaged(text)
	if err != nil {
		return nil, err
	}
	v := &policyVersion{ID: "v" + strconv.Itoa(p.Next), Text: text, Created: c.cl.Now, doc: doc}
	p.Next++
	p.Versions = append(p.Versions, v)
	if c.cl.Form.Get("SetAsDefault") == "true" {
		p.Default, p.Updated = v.ID, c.cl.Now
	}
	return struct {
		XMLName       xml.Name
		PolicyVersion policyVersionXML
	}{resultName(c.cl), p.versionXML(v, false)}, nil
}

// namedVersion finds the version that a call names.
func (p *managedPolicy) namedVersion(cl *kernel.Request) (*policyVersion, error) {
	id := cl.Form.Get("VersionId")
	v := p.version(id)
	if v == nil {
		return nil, kernel.Fail(http.StatusNotFound, "NoSuchEntity", "Policy %s version %s does not exist or is not attachable.", p.ARN, id)
	}
	return v, nil
}

// ownVersion finds the version of a customer's policy that a call names.
func (c *call) ownVersion() (*managedPolicy, *policyVersion, error) {
	p, err := c.ownPolicy()
	if err != nil {
		return nil, nil, err
	}
	v, err := p.namedVersion(c.cl)
	return p, v, err
}

func getPolicyVersion(c *call) (any, error) {
	p, err := c.anyPolicy()
	if err != nil {
		return nil, err
	}
	v, err := p.namedVersion(c.cl)
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName       xml.Name
		PolicyVersion policyVersionXML
	}{resultName(c.cl), p.versionXML(v, true)}, nil
}

func listPolicyVersions(c *call) (any, error) {
	p, err := c.anyPolicy()
	if err != nil {
		return nil, err
	}
	var list []policyVersionXML
	for _, v := range slices.Backward(p.Versions) {
		list = append(list, p.versionXML(v, false))
	}
	// The newest is first; numbers only grow, so the marker counts down.
	list, rest, err := paginate(c.cl.Form, list, func(x policyVersionXML) string {
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
	}{resultName(c.cl), list, rest}, nil
}

func deletePolicyVersion(c *call) (any, error) {
	p, v, err := c.ownVersion()
	if err != nil {
		return nil, err
	}
	if v.ID == p.Default {
		return nil, kernel.Fail(http.StatusConflict, "DeleteConflict", "Cannot delete the default version of a policy.")
	}
	p.Versions = slices.DeleteFunc(slices.Clone(p.Versions), func(o *policyVersion) bool { return o == v })
	return nil, nil
}

func setDefaultPolicyVersion(c *call) (any, error) {
	p, v, err := c.ownVersion()
	if err != nil {
		return nil, err
	}
	p.Default, p.Updated = v.ID, c.cl.Now
	return nil, nil
}
