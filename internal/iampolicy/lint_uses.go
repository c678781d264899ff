package iampolicy

import (
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// aliasResource reports an alias as the resource of actions that KMS decides by the ARN
// of the key alone (KMS Developer Guide, "Controlling access to aliases").
func (l *linter) aliasResource(n *policytext.Node, s *statement) {
	if s.notAction || !s.matchAction("kms:decrypt") && !s.matchAction("kms:generatedatakey") && !s.matchAction("kms:encrypt") {
		return
	}
	each(element(n, "Resource"), func(v *policytext.Node) {
		if a, ok := awsarn.Split(v.Text); ok && a.Service == "kms" && strings.HasPrefix(a.Resource, "alias/") {
			l.add(v, "POL056", SeverityWarning, "cryptographic actions never match an alias: name the ARN of the key, "+
				"or use a condition on kms:ResourceAliases or kms:RequestAlias")
		}
	})
}

// trustAction reports a trust statement whose principals call another action than the
// one it allows: a token of a provider never calls sts:AssumeRole.
func (l *linter) trustAction(n *policytext.Node, s *statement) {
	p := element(n, "Principal")
	if l.kind != KindTrust || s.deny || s.notAction || s.notPrincipal || p == nil || p.Kind != policytext.ObjectNode {
		return
	}
	want := func(v *policytext.Node, action string) {
		if !s.matchAction(strings.ToLower(action)) {
			l.add(v, "POL057", SeverityWarning, "this principal calls %s, which the statement does not allow", action)
		}
	}
	each(p.Get("Federated"), func(v *policytext.Node) {
		switch {
		case strings.Contains(v.Text, ":saml-provider/"):
			want(v, "sts:AssumeRoleWithSAML")
		case strings.Contains(v.Text, ":oidc-provider/"):
			want(v, "sts:AssumeRoleWithWebIdentity")
		}
	})
	if p.Get("Federated") != nil {
		return
	}
	each(p.Get("AWS"), func(v *policytext.Node) {
		if s.matchAction("sts:assumerolewithwebidentity") || s.matchAction("sts:assumerolewithsaml") {
			want(v, "sts:AssumeRole")
		}
	})
}

// serviceForm reports a service principal without a domain, such as "s3".
func (l *linter) serviceForm(n *policytext.Node) {
	p := element(n, "Principal")
	if p == nil || p.Kind != policytext.ObjectNode {
		return
	}
	each(p.Get("Service"), func(v *policytext.Node) {
		if v.Text != "" && v.Text != "*" && !strings.Contains(v.Text, ".") {
			l.add(v, "POL058", SeverityWarning, "%q is no service principal: write %q", v.Text, strings.ToLower(v.Text)+".amazonaws.com")
		}
	})
}

// endpointRoot reports an account as the principal of an endpoint policy's Allow: there,
// it means the root user alone (Amazon VPC, "Endpoint policies for gateway endpoints").
func (l *linter) endpointRoot(n *policytext.Node, s *statement) {
	p := element(n, "Principal")
	if l.kind != KindVPCEndpoint || s.deny || p == nil || p.Kind != policytext.ObjectNode {
		return
	}
	each(p.Get("AWS"), func(v *policytext.Node) {
		if a, ok := awsarn.Split(v.Text); ok && a.Resource == "root" || awsarn.IsAccount(v.Text) {
			l.add(v, "POL059", SeverityWarning, "in an endpoint policy this is the root user alone, and no role: "+
				"use Principal \"*\" with a condition on aws:PrincipalAccount or aws:PrincipalArn")
		}
	})
}
