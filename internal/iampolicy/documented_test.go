package iampolicy

import (
	"strings"
	"testing"
)

// TestDocumentedCorners holds the engine to sentences of AWS's documentation that
// are easy to overlook; page names the guide's page.
func TestDocumentedCorners(t *testing.T) {
	const (
		trustWeb  = `{"Effect":"Allow","Principal":"*","Action":"sts:*"}`
		notMe     = `,{"Effect":"Deny","NotPrincipal":{"AWS":["` + rootA + `","` + roleA + `","` + sessionA + `"]},"Action":"*","Resource":"*"}`
		openKMS   = `{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}`
		allowIAM  = `{"Effect":"Allow","Action":"iam:*","Resource":"*"}`
		emptyTag  = `{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::bucket/${aws:PrincipalTag/team}*"}`
		withTag   = `{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::bucket/${aws:PrincipalTag/team, 'logs'}*"}`
		allowTags = `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"s3:RequestObjectTagKeys":"env"}}}`
	)
	restrict := &PublicAccessBlock{RestrictPublicBuckets: true}
	account := func(principal string) string {
		return `{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"*","Resource":"*"}`
	}
	for _, c := range []layerCase{
		{name: "gateway endpoint names the account", page: "vpc: gateway-endpoints.html", identity: allowS3,
			resource: grants(aws(roleA), "s3:*"), vpce: account(rootA), want: ImplicitDeny, blocked: "vpc_endpoint"},
		{name: "gateway endpoint names the account's number", page: "vpc: gateway-endpoints.html", identity: allowS3,
			resource: grants(aws(roleA), "s3:*"), vpce: account(accountA), want: ImplicitDeny, blocked: "vpc_endpoint"},
		{name: "gateway endpoint and the root user", page: "vpc: gateway-endpoints.html", principal: rootA, owner: accountA,
			vpce: account(rootA), want: Allowed},
		{name: "gateway endpoint denies the account", page: "vpc: gateway-endpoints.html", identity: allowS3,
			resource: grants(aws(roleA), "s3:*"), vpce: everyone + `,{"Effect":"Deny","Principal":{"AWS":"` +
				rootA + `"},"Action":"*","Resource":"*"}`, want: Unknown},
		{name: "gateway endpoint names the role by condition", page: "vpc: gateway-endpoints.html", identity: allowS3,
			resource: grants(aws(roleA), "s3:*"), vpce: `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*",` +
				`"Condition":{"ArnEquals":{"aws:PrincipalArn":"` + roleA + `"}}}`, want: Allowed},
		{name: "interface endpoint names the account", page: "vpc: vpc-endpoints-access.html", action: "kms:Decrypt", target: keyB,
			identity: allowKMS, resource: grants(aws(roleA), "kms:*"), vpce: account(rootA), want: Allowed},
		{name: "NotPrincipal and a boundary", page: "reference_policies_elements_notprincipal.html", identity: allowS3, boundary: allowAll,
			resource: everyone + notMe, want: ExplicitDeny, blocked: "resource"},
		{name: "NotPrincipal and no boundary", page: "reference_policies_elements_notprincipal.html", identity: allowS3,
			resource: everyone + notMe, want: Allowed},
		{name: "variable with an empty value", page: "reference_policies_variables.html", owner: accountA, identity: emptyTag,
			context: map[string][]string{"aws:PrincipalTag/team": {""}}, want: ImplicitDeny, blocked: "identity"},
		{name: "variable with a default and an empty value", page: "reference_policies_variables.html", owner: accountA, identity: withTag,
			context: map[string][]string{"aws:PrincipalTag/team": {""}}, want: Allowed},
		{name: "single-valued operator on several values", page: "reference_policies_condition-single-vs-multi-valued-context-keys.html",
			owner: accountA, identity: allowTags, context: map[string][]string{"s3:RequestObjectTagKeys": {"cost", "env"}}, want: Unknown},
		{name: "anonymous caller and KMS", page: "reference_policies_evaluation-logic.html", principal: "*", action: "kms:Decrypt", target: keyB,
			resource: openKMS, want: ImplicitDeny, blocked: "resource"},
		{name: "anonymous caller and STS", page: "reference_policies_evaluation-logic.html", principal: "*", action: "sts:AssumeRole",
			target: roleA, owner: accountA, resource: trustWeb, want: ImplicitDeny, blocked: "resource"},
		{name: "a token makes no call but for a session", page: "id_roles_create_for-idp_oidc.html",
			principal: "arn:aws:iam::444455556666:oidc-provider/idp.example.com", resource: everyone, want: ImplicitDeny, blocked: "resource"},
		{name: "a federated principal is public", page: "s3: access-control-block-public-access.html", identity: allowS3,
			resource: grants(aws(roleA), "s3:*") + `,{"Effect":"Allow","Principal":{"Federated":"graph.facebook.com"},"Action":"s3:GetObject",` +
				`"Resource":"*"}`, block: restrict, want: ImplicitDeny, blocked: "public_access_block"},
		{name: "aws:VpcSourceIp does not limit the public", page: "s3: access-control-block-public-access.html", identity: allowS3,
			resource: `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:VpcSourceIp":"10.0.0.0/16"}}}`,
			context:  map[string][]string{"aws:VpcSourceIp": {"10.0.0.1"}}, block: restrict, want: ImplicitDeny, blocked: "public_access_block"},
		{name: "AWS's own alias", page: "kms: API_UpdateAlias.html", action: "kms:UpdateAlias",
			target: "arn:aws:kms:eu-west-1:111122223333:alias/aws/s3", owner: accountA, identity: allowKMS, want: ImplicitDeny, blocked: "resource"},
		{name: "AWS's own policy", page: "access_policies_managed-vs-inline.html", action: "iam:CreatePolicyVersion",
			target: "arn:aws:iam::aws:policy/ReadOnlyAccess", owner: accountA, identity: allowIAM, want: ImplicitDeny, blocked: "resource"},
		{name: "reading AWS's own policy", page: "access_policies_managed-vs-inline.html", action: "iam:GetPolicy",
			target: "arn:aws:iam::aws:policy/ReadOnlyAccess", owner: accountA, identity: allowIAM, want: Allowed},
		{name: "a service-linked role", page: "using-service-linked-roles.html", action: "iam:PutRolePolicy",
			target: "arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX", owner: accountA, identity: allowIAM,
			want: ImplicitDeny, blocked: "resource"},
		{name: "a reserved role", page: "singlesign-on", action: "iam:UpdateAssumeRolePolicy",
			target: "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_x", owner: accountA, identity: allowIAM,
			want: ImplicitDeny, blocked: "resource"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Evaluate(c.scenario(t))
			var blocked []string
			for _, l := range r.BlockedBy {
				blocked = append(blocked, string(l))
			}
			if got := strings.Join(blocked, " "); r.Decision != c.want || got != c.blocked {
				t.Errorf("got %s by %q, want %s by %q (%s)\n%+v", r.Decision, got, c.want, c.blocked, c.page, r.Layers)
			}
		})
	}
}

// TestALayerWithoutAnAllowIsNamed: a boundary, a session policy and an endpoint
// have to allow; lifting their Deny statements is not enough.
func TestALayerWithoutAnAllowIsNamed(t *testing.T) {
	c := layerCase{identity: allowS3, resource: grants(aws(roleA), "s3:*"), boundary: denyPut}
	sc := c.scenario(t)
	r := Evaluate(sc)
	for _, l := range r.Layers {
		if l.AllowsNothing != (l.Layer == LayerBoundary) {
			t.Errorf("%s: allows nothing %v", l.Layer, l.AllowsNothing)
		}
	}
	kinds := ""
	for _, f := range Candidates(sc)[0] {
		kinds += string(f.Kind) + " "
	}
	if kinds != "replace_statement add_statement " {
		t.Errorf("got %q, want the Deny narrowed and an Allow added", kinds)
	}
}
