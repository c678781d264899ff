package iam

import (
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Managed policies and their versions.

const (
	maxManagedPolicy   = 6144 // characters, without white space
	maxPolicyVersions  = 5
	awsPolicyARNPrefix = "arn:aws:iam::aws:policy/"
)

// managedPolicy is a policy with versions that roles and users are attached to.
type managedPolicy struct {
	ARN, ID, Name, Path, Description string

	Default          string // version id
	Next             int    // number of the next version
	Versions         []*policyVersion
	Tags             []kernel.Tag
	Created, Updated time.Time
}

type policyVersion struct {
	ID, Text string
	Created  time.Time

	doc *iampolicy.Document // of Text
}

func (p *managedPolicy) version(id string) *policyVersion {
	for _, v := range p.Versions {
		if v.ID == id {
			return v
		}
	}
	return nil
}

// current is the document in force.
func (p *managedPolicy) current() iampolicy.NamedPolicy {
	return iampolicy.NamedPolicy{Name: p.Name, Policy: p.version(p.Default).doc}
}

// awsManaged are the AWS managed policies that are modelled: those with a short text.
var awsManaged = []struct{ name, text string }{
	{"AdministratorAccess", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`},
	{
		"AmazonS3FullAccess",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","s3-object-lambda:*"],"Resource":"*"}]}`,
	},
	{
		"AmazonS3ReadOnlyAccess",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*","s3:List*","s3:Describe*","s3-object-lambda:Get*",` +
			`"s3-object-lambda:List*"],"Resource":"*"}]}`,
	},
	{
		"IAMFullAccess",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:*","organizations:DescribeAccount",` +
			`"organizations:DescribeOrganization","organizations:DescribeOrganizationalUnit","organizations:DescribePolicy",` +
			`"organizations:ListChildren","organizations:ListParents","organizations:ListPoliciesForTarget","organizations:ListRoots",` +
			`"organizations:ListPolicies","organizations:ListTargetsForPolicy"],"Resource":"*"}]}`,
	},
	{
		"IAMReadOnlyAccess",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:GenerateCredentialReport",` +
			`"iam:GenerateServiceLastAccessedDetails","iam:Get*","iam:List*","iam:SimulateCustomPolicy","iam:SimulatePrincipalPolicy"],` +
			`"Resource":"*"}]}`,
	},
	{"AWSDenyAll", `{"Version":"2012-10-17","Statement":[{"Sid":"DenyAll","Effect":"Deny","Action":["*"],"Resource":"*"}]}`},
}

func newAWSPolicies(now time.Time) (map[string]*managedPolicy, error) {
	out := map[string]*managedPolicy{}
	for i, a := range awsManaged {
		doc, err := iampolicy.Parse([]byte(a.text))
		if err != nil {
			return nil, fmt.Errorf("parsing %s: %w", a.name, err)
		}
		arn := awsPolicyARNPrefix + a.name
		out[arn] = &managedPolicy{
			ARN: arn, ID: fmt.Sprintf("ANPAIAWSMANAGED%06d", i), Name: a.name, Path: "/", Default: "v1", Next: 2,
			Versions: []*policyVersion{{ID: "v1", Text: a.text, Created: now, doc: doc}}, Created: now, Updated: now,
		}
	}
	return out, nil
}

// policyByARN finds a managed policy that an account can use.
func (s *Service) policyByARN(account, arn string) *managedPolicy {
	if p := s.awsPolicies[arn]; p != nil {
		return p
	}
	return s.accounts[account].policies[arn]
}

type managedPolicyXML struct {
	PolicyName                    string
	PolicyID                      string `xml:"PolicyId"`
	Arn                           string
	Path                          string
	DefaultVersionID              string `xml:"DefaultVersionId"`
	AttachmentCount               int
	PermissionsBoundaryUsageCount int
	IsAttachable                  bool
	Description                   string `xml:",omitempty"`
	CreateDate, UpdateDate        string
	Tags                          *tagListXML `xml:",omitempty"`
}

func (s *Service) managedXML(acct *account, p *managedPolicy) managedPolicyXML {
	attached, bounding := acct.uses(p.ARN)
	return managedPolicyXML{
		PolicyName: p.Name, PolicyID: p.ID, Arn: p.ARN, Path: p.Path, DefaultVersionID: p.Default, AttachmentCount: attached,
		PermissionsBoundaryUsageCount: bounding, IsAttachable: true, Description: p.Description, CreateDate: kernel.QueryTime(p.Created),
		UpdateDate: kernel.QueryTime(p.Updated),
		Tags:       tagList(p.Tags),
	}
}

// uses counts the entities that a policy is attached to, and that it bounds.
func (a *account) uses(arn string) (attached, bounding int) {
	count := func(g grants) {
		if slices.Contains(g.Attached, arn) {
			attached++
		}
		if g.Boundary == arn {
			bounding++
		}
	}
	for _, r := range a.roles {
		count(r.grants)
	}
	for _, u := range a.users {
		count(u.grants)
	}
	for _, g := range a.groups {
		count(g.grants)
	}
	return attached, bounding
}

// checkManaged parses a managed policy's text.
func checkManaged(text string) (*iampolicy.Document, error) {
	if err := checkDocument(text, iampolicy.KindIdentity); err != nil {
		return nil, err
	}
	if n := withoutSpace(text); n > maxManagedPolicy {
		return nil, kernel.Fail(http.StatusConflict, "LimitExceeded", "Cannot exceed quota for PolicySize: %d", maxManagedPolicy)
	}
	doc, err := iampolicy.Parse([]byte(text))
	if err != nil {
		return nil, policyError(err)
	}
	return doc, nil
}

// withoutSpace counts characters as IAM's quotas do.
func withoutSpace(text string) int { return len(strings.Join(strings.Fields(text), "")) }

func createPolicy(c *call) (any, error) {
	form := c.cl.Form
	name := form.Get("PolicyName")
	path := formPath(form)
	tags, err := formExactTags(form)
	if err != nil {
		return nil, err
	}
	arn := "arn:aws:iam::" + c.acct.id + ":policy" + path + name
	if err := c.allow(arn, tags); err != nil {
		return nil, err
	}
	for _, p := range c.acct.policies {
		if strings.EqualFold(p.Name, name) {
			return nil, kernel.Fail(
				http.StatusConflict,
				"EntityAlreadyExists",
				"A policy called %s already exists. Duplicate names are not allowed.",
				name,
			)
		}
	}
	if err := checkQuota("PoliciesPerAccount", len(c.acct.policies), maxPolicies); err != nil {
		return nil, err
	}
	doc, err := checkManaged(form.Get("PolicyDocument"))
	if err != nil {
		return nil, err
	}
	p := &managedPolicy{
		ARN: arn, ID: kernel.NewID("ANPA", 17), Name: name, Path: path, Description: form.Get("Description"), Default: "v1", Next: 2, Tags: tags,
		Created: c.cl.Now, Updated: c.cl.Now,
		Versions: []*policyVersion{{ID: "v1", Text: form.Get("PolicyDocument"), Created: c.cl.Now, doc: doc}},
	}
	c.acct.policies[arn] = p
	x := c.iam.managedXML(c.acct, p)
	x.Description = "" // GetPolicy says it, CreatePolicy does not
	return struct {
		XMLName xml.Name
		Policy  managedPolicyXML
	}{resultName(c.cl), x}, nil
}

func noSuchManaged(arn string) *kernel.Error {
	return kernel.Fail(http.StatusNotFound, "NoSuchEntity", "Policy %s does not exist or is not attachable.", arn)
}

func isPolicyARN(arn string) bool {
	a, err := awsarn.Parse(arn)
	return err == nil && a.Is("iam", "policy")
}

// anyPolicy decides the call and finds the policy that it names, AWS's own included.
func (c *call) anyPolicy() (*managedPolicy, error) {
	arn := c.cl.Form.Get("PolicyArn")
	if !isPolicyARN(arn) {
		return nil, invalidInput("ARN %s is not valid.", arn)
	}
	p := c.iam.policyByARN(c.acct.id, arn)
	var tags []kernel.Tag
	if p != nil {
		tags = p.Tags
	}
	if err := c.allowOn(target{arn: arn, tags: tags}, requestTags(c.cl)); err != nil {
		return nil, err
	}
	if p == nil {
		return nil, kernel.Fail(http.StatusNotFound, "NoSuchEntity", "Policy %s was not found.", arn)
	}
	return p, nil
}

// ownPolicy is anyPolicy for calls that change the policy, which AWS managed policies refuse.
func (c *call) ownPolicy() (*managedPolicy, error) {
	p, err := c.anyPolicy()
	if err == nil && strings.HasPrefix(p.ARN, awsPolicyARNPrefix) && !kernel.IsReadOnly(c.cl.Record.Operation) {
		return nil, kernel.Fail(
			http.StatusForbidden,
			"AccessDenied",
			"User: %s is not authorized to perform: iam:%s on resource: policy %s with an explicit deny",
			c.cl.Caller.ARN,
			c.cl.Record.Operation,
			p.ARN,
		)
	}
	return p, err
}

func getPolicy(c *call) (any, error) {
	p, err := c.anyPolicy()
	if err != nil {
		return nil, err
	}
	x := c.iam.managedXML(c.acct, p)
	x.Tags = &tagListXML{tagsXML(p.Tags)} // also when there are none
	return struct {
		XMLName xml.Name
		Policy  managedPolicyXML
	}{resultName(c.cl), x}, nil
}

func deletePolicy(c *call) (any, error) {
	p, err := c.ownPolicy()
	if err != nil {
		return nil, err
	}
	if attached, bounding := c.acct.uses(p.ARN); attached+bounding > 0 {
		return nil, kernel.Fail(http.StatusConflict, "DeleteConflict", "Cannot delete a policy attached to entities.")
	}
	if len(p.Versions) > 1 {
		return nil, kernel.Fail(
			http.StatusConflict,
			"DeleteConflict",
			"This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "+
				"The default version is deleted with the policy.",
		)
	}
	delete(c.acct.policies, p.ARN)
	return nil, nil
}

func listPolicies(c *call) (any, error) {
	if err := c.allow("*", nil); err != nil {
		return nil, err
	}
	scope, prefix := c.cl.Form.Get("Scope"), c.cl.Form.Get("PathPrefix")
	all := map[string]*managedPolicy{}
	if scope != "AWS" {
		maps.Copy(all, c.acct.policies)
	}
	if scope != "Local" {
		maps.Copy(all, c.iam.awsPolicies)
	}
	var list []managedPolicyXML
	for _, arn := range slices.Sorted(maps.Keys(all)) {
		x := c.iam.managedXML(c.acct, all[arn])
		if !strings.HasPrefix(all[arn].Path, prefix) || c.cl.Form.Get("OnlyAttached") == "true" && x.AttachmentCount == 0 {
			continue
		}
		x.Tags, x.Description = nil, ""
		list = append(list, x)
	}
	list, p, err := paginate(c.cl.Form, list, func(x managedPolicyXML) string { return x.Arn })
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName  xml.Name
		Policies []managedPolicyXML `xml:"Policies>member"`
		page
	}{resultName(c.cl), list, p}, nil
}

// ManagedTextLocked returns the default version of a managed policy that an account can
// use; nil for none. The caller holds mu.
func (s *Service) ManagedTextLocked(account, arn string) *PolicyText {
	p := s.policyByARN(account, arn)
	if p == nil {
		return nil
	}
	v := p.version(p.Default)
	return &PolicyText{v.Text, v.doc}
}
