package verify

import (
	"regexp"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// question is one call of a delivery, with the requests that the policies decide.
type question struct {
	name      string // of the call, for people
	step      stepID
	scenarios []iampolicy.Scenario
}

// stepID names a call of a delivery that the policies decide.
type stepID int

const (
	stepAssume stepID = iota
	stepCreate
	stepPart
	stepAbort
)

// unknownKeys lists condition keys whose values are not known on this host: the
// network of a request, and the organizations of both accounts.
func unknownKeys() []string {
	return []string{
		"aws:SourceIp", "aws:SourceVpce", "aws:SourceVpc", "aws:VpcSourceIp", "aws:SourceVpcArn",
		"aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:ResourceOrgID", "aws:ResourceOrgPaths", "aws:userid",
	}
}

// forwardedUnknown lists those of them that S3's call to KMS carries. Network keys are
// not among them: S3 calls from AWS's own network (KMS Developer Guide,
// conditions-aws.html).
func forwardedUnknown() []string {
	return []string{"aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:ResourceOrgID", "aws:ResourceOrgPaths", "aws:userid"}
}

// principalTag matches a condition key, or a policy variable, for a tag of the caller.
var principalTag = regexp.MustCompile(`(?i)aws:PrincipalTag/[^"},\\\\]+`)

// tagKeys lists the tags of the caller that a document mentions, except tags of the
// session: the tags of a role or a user are not read.
func (p *prediction) tagKeys() []string {
	var out []string
	for _, list := range p.docs.byKind {
		for _, d := range list {
			for _, key := range principalTag.FindAllString(d.Text, -1) {
				if !slices.Contains(out, strings.TrimSpace(key)) {
					out = append(out, strings.TrimSpace(key))
				}
			}
		}
	}
	slices.Sort(out)
	return slices.DeleteFunc(out, func(key string) bool {
		_, tag, _ := strings.Cut(key, "/")
		for k := range p.dest.Session.Tags {
			if strings.EqualFold(k, tag) {
				return true
			}
		}
		return false
	})
}

// request is a request of the session; with holds further condition keys.
func (p *prediction) request(action, resource, owner string, with map[string][]string) iampolicy.Request {
	r := iampolicy.Request{
		Principal: p.sessionARN(), RoleARN: p.dest.Role, PrincipalID: p.docs.roleID(),
		Action: action, Resource: resource, ResourceAccount: owner,
		Context: map[string][]string{
			"aws:SecureTransport": {"true"}, "aws:RequestedRegion": {p.dest.Region},
			"s3:signatureversion": {"AWS4-HMAC-SHA256"}, "s3:authType": {"REST-HEADER"}, "s3:TlsVersion": {"1.3"},
			"s3:ResourceAccount": {owner},
		},
		UnknownContext: append(unknownKeys(), p.tagKeys()...),
	}
	if !strings.HasPrefix(action, "s3:") {
		for k := range r.Context {
			if strings.HasPrefix(k, "s3:") {
				delete(r.Context, k)
			}
		}
	}
	for k, v := range p.dest.Session.Tags {
		r.Context["aws:PrincipalTag/"+k] = []string{v}
	}
	if id := p.dest.Session.SourceIdentity; id != "" {
		r.Context["aws:SourceIdentity"] = []string{id}
	}
	for k, v := range with {
		r.Context[k] = v
	}
	return r
}

// put is an upload with all documents that were read.
func (p *prediction) put(action string, with map[string][]string) iampolicy.Put {
	put := iampolicy.Put{
		Request: p.request(action, p.objectARN(), p.accountB(), with),
		KeyARN:  p.dest.KMSKey, KeyPolicy: p.docs.one(report.DocumentKeyPolicy), KeyNotSupplied: !p.docs.read(report.DocumentKeyPolicy),
		KeyResourceControl: p.docs.levels(report.DocumentRCP),
		BucketKey:          p.bucketKey(),
	}
	put.Policies, put.NotSupplied = p.policySet()
	put.Policies.Resource = p.docs.one(report.DocumentBucketPolicy)
	if !p.docs.read(report.DocumentBucketPolicy) {
		put.NotSupplied = append(put.NotSupplied, iampolicy.LayerResource)
	}
	put.PublicAccessBlock = p.docs.publicAccess()
	if put.PublicAccessBlock == nil {
		put.NotSupplied = append(put.NotSupplied, iampolicy.LayerPublicAccess)
	}
	put.Policies.VPCEndpoint = p.docs.all(report.DocumentEndpointPolicy)
	if !p.docs.read(report.DocumentEndpointPolicy) {
		put.NotSupplied = append(put.NotSupplied, iampolicy.LayerVPCEndpoint)
	} else if len(put.Policies.VPCEndpoint) == 0 {
		put.Policies.VPCEndpoint = nil // the requests use no endpoint
	}
	return put
}

// policySet returns the policies of account A, and the layers that were not read.
func (p *prediction) policySet() (set iampolicy.PolicySet, missing []iampolicy.Layer) {
	need := func(kind string, l iampolicy.Layer) {
		if !p.docs.read(kind) {
			missing = append(missing, l)
		}
	}
	set.Identity = p.docs.all(report.DocumentIdentity)
	need(report.DocumentIdentity, iampolicy.LayerIdentity)
	if set.Boundary = p.docs.all(report.DocumentBoundary); len(set.Boundary) == 0 {
		set.Boundary = nil
	}
	need(report.DocumentBoundary, iampolicy.LayerBoundary)
	set.Session = p.sessionPolicy()
	set.ServiceControl = p.docs.levels(report.DocumentSCP)
	need(report.DocumentSCP, iampolicy.LayerSCP)
	set.ResourceControl = p.docs.levels(report.DocumentRCP)
	need(report.DocumentRCP, iampolicy.LayerRCP)
	return set, missing
}

// sessionPolicy returns the session policy of AssumeRole.
func (p *prediction) sessionPolicy() []iampolicy.NamedPolicy {
	if list := p.docs.all(report.DocumentSessionPolicy); len(list) > 0 {
		return list
	}
	if p.scope == "" {
		return nil
	}
	doc, err := iampolicy.Parse([]byte(p.scope))
	if err != nil {
		return nil
	}
	return []iampolicy.NamedPolicy{{Name: "sent by brokerd", Policy: doc}}
}

// encryptionHeaders returns the condition keys of the headers that start an upload.
func (p *prediction) encryptionHeaders() map[string][]string {
	out := map[string][]string{}
	if p.dest.KMSKey != "" {
		out["s3:x-amz-server-side-encryption"] = []string{"aws:kms"}
		out["s3:x-amz-server-side-encryption-aws-kms-key-id"] = []string{p.dest.KMSKey}
	}
	if p.dest.StorageClass != "" {
		out["s3:x-amz-storage-class"] = []string{p.dest.StorageClass}
	}
	return out
}

// questions lists the calls of a delivery in order. A destination without ARNs has none
// that policies decide.
func (p *prediction) questions() []question {
	if p.dest.Compatible || p.dest.Role == "" {
		return nil
	}
	var out []question
	if sc, ok := p.assumeScenario(); ok {
		list := []iampolicy.Scenario{sc}
		for action, wanted := range map[string]bool{
			"sts:TagSession": len(p.dest.Session.Tags) > 0, "sts:SetSourceIdentity": p.dest.Session.SourceIdentity != "",
		} {
			if wanted {
				sc.Name, sc.Request.Action = action, action
				list = append(list, sc)
			}
		}
		out = append(out, question{name: "assuming the role", step: stepAssume, scenarios: list})
	}
	create := p.put("s3:PutObject", p.encryptionHeaders())
	create.Tags, create.ACL = p.dest.Tags, p.dest.ACL
	if list, err := create.Scenarios(); err == nil {
		p.mark(list)
		out = append(out, question{name: "starting a multipart upload", step: stepCreate, scenarios: list})
	}
	part := p.put("s3:PutObject", nil)
	part.Multipart = true
	if list, err := part.Scenarios(); err == nil {
		p.mark(list)
		kept := list[:1] // the put itself, and kms:Decrypt
		for _, sc := range list[1:] {
			if sc.Request.Action == "kms:Decrypt" {
				kept = append(kept, sc)
			}
		}
		out = append(out, question{name: "sending a part", step: stepPart, scenarios: kept})
	}
	abort := p.put("s3:AbortMultipartUpload", nil)
	abort.KeyARN = ""
	if list, err := abort.Scenarios(); err == nil {
		out = append(out, question{name: "aborting an upload", step: stepAbort, scenarios: list})
	}
	return out
}

// mark adds the unknown keys and the encryption context to the calls that S3 forwards.
func (p *prediction) mark(list []iampolicy.Scenario) {
	for i := range list {
		if strings.HasPrefix(list[i].Request.Action, "kms:") {
			list[i].Request.UnknownContext = append(forwardedUnknown(), p.tagKeys()...)
			for k, v := range p.dest.EncryptionContext {
				list[i].Request.Context["kms:EncryptionContext:"+k] = []string{v}
				list[i].Request.Context["kms:EncryptionContextKeys"] = append(list[i].Request.Context["kms:EncryptionContextKeys"], k)
			}
		}
	}
}

// assumeScenario is AssumeRole by the source; ok is false while the source is unknown.
func (p *prediction) assumeScenario() (iampolicy.Scenario, bool) {
	if p.noSource != "" && p.token.Issuer != "" {
		return p.webScenario(), true
	}
	if !strings.HasPrefix(p.source, "arn:") {
		return iampolicy.Scenario{}, false
	}
	sc := iampolicy.Scenario{
		Name: "sts:AssumeRole",
		Request: iampolicy.Request{
			Principal: p.source, Action: "sts:AssumeRole", Resource: p.dest.Role, ResourceAccount: p.accountA(),
			Context:        map[string][]string{"aws:SecureTransport": {"true"}, "sts:RoleSessionName": {p.sessionName()}},
			UnknownContext: append(append(unknownKeys(), "aws:MultiFactorAuthPresent", "aws:MultiFactorAuthAge"), p.tagKeys()...),
		},
		Policies: iampolicy.PolicySet{
			Identity: p.docs.all(
				report.DocumentSource,
			), Resource: p.docs.one(report.DocumentTrust), ServiceControl: p.docs.levels(report.DocumentSCP),
		},
		NotSupplied: []iampolicy.Layer{iampolicy.LayerBoundary, iampolicy.LayerSession, iampolicy.LayerRCP},
	}
	if id := p.dest.Session.ExternalID; id != "" {
		sc.Request.Context["sts:ExternalId"] = []string{id}
	}
	if id := p.dest.Session.SourceIdentity; id != "" {
		sc.Request.Context["sts:SourceIdentity"] = []string{id}
	}
	for k, v := range p.dest.Session.Tags {
		sc.Request.Context["aws:RequestTag/"+k] = []string{v}
	}
	for kind, layer := range map[string]iampolicy.Layer{
		report.DocumentSource: iampolicy.LayerIdentity, report.DocumentTrust: iampolicy.LayerResource, report.DocumentSCP: iampolicy.LayerSCP,
	} {
		if !p.docs.read(kind) {
			sc.NotSupplied = append(sc.NotSupplied, layer)
		}
	}
	return sc, true
}

// webScenario is AssumeRoleWithWebIdentity by the token.
func (p *prediction) webScenario() iampolicy.Scenario {
	host := p.token.provider()
	sc := iampolicy.Scenario{
		Name: "sts:AssumeRoleWithWebIdentity",
		Request: iampolicy.Request{
			Principal: p.providerARN(), Action: "sts:AssumeRoleWithWebIdentity", Resource: p.dest.Role, ResourceAccount: p.accountA(),
			Context: map[string][]string{
				"aws:SecureTransport": {"true"}, "sts:RoleSessionName": {p.sessionName()},
				host + ":sub": {p.token.Subject}, host + ":aud": p.token.Audience,
			},
			UnknownContext: unknownKeys(),
		},
		Policies:    iampolicy.PolicySet{Resource: p.docs.one(report.DocumentTrust)},
		NotSupplied: []iampolicy.Layer{iampolicy.LayerRCP},
	}
	if !p.docs.read(report.DocumentTrust) {
		sc.NotSupplied = append(sc.NotSupplied, iampolicy.LayerResource)
	}
	return sc
}
