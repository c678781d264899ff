package iampolicy

import (
	"strings"
	"testing"
)

// layerCase is a scenario in short form. Identity and resource are statements;
// "-" for the other layers is "attached, without statements".
type layerCase struct {
	name, page                                  string
	principal, action, target, owner            string
	identity, resource, boundary, session, vpce string
	scp, rcp                                    []string // one level each
	block                                       *PublicAccessBlock
	context                                     map[string][]string
	roleARN, id                                 string
	missing                                     []Layer
	want                                        Decision
	blocked                                     string
}

func (c *layerCase) scenario(t testing.TB) Scenario {
	t.Helper()
	list := func(s string) []NamedPolicy {
		switch s {
		case "":
			return nil
		case "-":
			return []NamedPolicy{}
		}
		return ident(t, s)
	}
	levels := func(ss []string) (out []LevelPolicies) {
		for i, s := range ss {
			out = append(out, LevelPolicies{Level: "level-" + string(rune('a'+i)), Policies: list(s)})
		}
		return out
	}
	or := func(a, b string) string {
		if a == "" {
			return b
		}
		return a
	}
	sc := Scenario{
		Name: c.name,
		Request: Request{Principal: or(c.principal, sessionA), Action: or(c.action, "s3:PutObject"), Resource: or(c.target, object),
			ResourceAccount: or(c.owner, accountB), Context: c.context, RoleARN: c.roleARN, PrincipalID: c.id},
		Policies: PolicySet{Identity: list(c.identity), Boundary: list(c.boundary), Session: list(c.session), VPCEndpoint: list(c.vpce),
			ServiceControl: levels(c.scp), ResourceControl: levels(c.rcp)},
		PublicAccessBlock: c.block, NotSupplied: c.missing,
	}
	if c.resource != "" {
		sc.Policies.Resource = mustParse(t, policy12(c.resource))
	}
	return sc
}

const (
	allowAll = `{"Effect":"Allow","Action":"*","Resource":"*"}`
	allowS3  = `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`
	denyPut  = `{"Effect":"Deny","Action":"s3:PutObject","Resource":"*"}`
	allowKMS = `{"Effect":"Allow","Action":["kms:GenerateDataKey","kms:Decrypt"],"Resource":"` + keyB + `"}`
	everyone = `{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}`
)

func grants(principal, action string) string {
	return `{"Effect":"Allow","Principal":` + principal + `,"Action":"` + action + `","Resource":"*"}`
}

func trusts(principal, rest string) string {
	return `{"Effect":"Allow","Principal":` + principal + `,"Action":"sts:AssumeRole"` + rest + `}`
}

func aws(principal string) string { return `{"AWS":"` + principal + `"}` }

func layerCases() []layerCase {
	const (
		cross    = "reference_policies_evaluation-logic-cross-account.html"
		logic    = "reference_policies_evaluation-logic.html"
		pPrinc   = "reference_policies_elements_principal.html"
		notPrinc = "reference_policies_elements_notprincipal.html"
		boundary = "access_policies_boundaries.html"
		denial   = "reference_policies_evaluation-logic_policy-eval-denyallow.html"
		kmsX     = "kms: key-policy-modifying-external-accounts.html"
		kmsKey   = "kms: key-policies.html"
		trust    = "id_roles_update-role-trust-policy.html"
		rcpPage  = "organizations: orgs_manage_policies_rcps.html"
		vpcePage = "vpc: vpc-endpoints-access.html"
		bpaPage  = "s3: access-control-block-public-access.html"
	)
	roleB := "arn:aws:iam::444455556666:role/reader"
	deny := func(rest string) string {
		return `{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"` + rest + `}`
	}
	restrict := &PublicAccessBlock{RestrictPublicBuckets: true}
	oidc := "arn:aws:iam::111122223333:oidc-provider/token.example.com"
	return []layerCase{
		// Across accounts.
		{name: "both sides allow the role", page: cross, identity: allowS3, resource: grants(aws(roleA), "s3:*"), want: Allowed},
		{name: "identity alone", page: cross, identity: allowS3, want: ImplicitDeny, blocked: "resource"},
		{name: "resource alone", page: cross, resource: grants(aws(roleA), "s3:*"), want: ImplicitDeny, blocked: "identity"},
		{name: "neither side", page: cross, want: ImplicitDeny, blocked: "identity resource"},
		{name: "account named", page: cross, identity: allowS3, resource: grants(aws(accountA), "s3:*"), want: Allowed},
		{name: "root named", page: cross, identity: allowS3, resource: grants(aws(rootA), "s3:*"), want: Allowed},
		{name: "account named and no identity policy", page: cross, resource: grants(aws(rootA), "s3:*"), want: ImplicitDeny,
			blocked: "identity"},
		{name: "session named and no identity policy", page: cross, resource: grants(aws(sessionA), "s3:*"), want: ImplicitDeny,
			blocked: "identity"},
		{name: "session named", page: cross, identity: allowS3, resource: grants(aws(sessionA), "s3:*"), want: Allowed},
		{name: "user on both sides", page: cross, principal: userA, identity: allowS3, resource: grants(aws(userA), "s3:*"), want: Allowed},
		{name: "everyone and no identity policy", page: cross, resource: everyone, want: ImplicitDeny, blocked: "identity"},
		{name: "everyone and identity policy", page: cross, identity: allowS3, resource: everyone, want: Allowed},
		{name: "boundary lacks it", page: cross, identity: allowS3, resource: grants(aws(roleA), "s3:*"), boundary: allowKMS, want: ImplicitDeny,
			blocked: "permissions_boundary"},
		{name: "boundary attached and empty", page: cross, identity: allowS3, resource: grants(aws(roleA), "s3:*"), boundary: "-",
			want: ImplicitDeny, blocked: "permissions_boundary"},
		{name: "session policy lacks it", page: cross, identity: allowS3, resource: grants(aws(roleA), "s3:*"), session: allowKMS,
			want: ImplicitDeny, blocked: "session"},
		{name: "session policy allows more than identity", page: cross, resource: grants(aws(roleA), "s3:*"), session: allowAll,
			want: ImplicitDeny, blocked: "identity"},
		{name: "session policy allows", page: cross, identity: allowAll, resource: grants(aws(roleA), "s3:*"), session: allowS3, want: Allowed},
		{name: "identity denies", page: denial, identity: allowS3 + "," + denyPut, resource: grants(aws(roleA), "s3:*"), want: ExplicitDeny,
			blocked: "identity"},
		{name: "resource denies", page: denial, identity: allowS3, resource: grants(aws(roleA), "s3:*") + "," + deny(""), want: ExplicitDeny,
			blocked: "resource"},
		{name: "boundary denies", page: denial, identity: allowS3, resource: grants(aws(roleA), "s3:*"), boundary: allowAll + "," + denyPut,
			want: ExplicitDeny, blocked: "permissions_boundary"},
		{name: "session policy denies", page: denial, identity: allowS3, resource: grants(aws(roleA), "s3:*"), session: allowAll + "," + denyPut,
			want: ExplicitDeny, blocked: "session"},
		{name: "deny before implicit deny", page: denial, identity: denyPut, want: ExplicitDeny, blocked: "identity resource"},
		{name: "another role of the account", page: pPrinc, identity: allowS3,
			resource: grants(aws("arn:aws:iam::111122223333:role/other"), "s3:*"), want: ImplicitDeny, blocked: "resource"},
		{name: "same role name in another account", page: pPrinc, identity: allowS3,
			resource: grants(aws("arn:aws:iam::999999999999:role/broker"), "s3:*"), want: ImplicitDeny, blocked: "resource"},
		{name: "same role in another partition", page: pPrinc, identity: allowS3,
			resource: grants(aws("arn:aws-cn:iam::111122223333:role/broker"), "s3:*"), want: ImplicitDeny, blocked: "resource"},
		{name: "role with a path, path not known", page: pPrinc, identity: allowS3,
			resource: grants(aws("arn:aws:iam::111122223333:role/team/broker"), "s3:*"), want: Allowed},
		{name: "role with a path", page: pPrinc, roleARN: "arn:aws:iam::111122223333:role/team/broker", identity: allowS3,
			resource: grants(aws("arn:aws:iam::111122223333:role/team/broker"), "s3:*"), want: Allowed},
		{name: "role with another path", page: pPrinc, roleARN: "arn:aws:iam::111122223333:role/team/broker", identity: allowS3,
			resource: grants(aws(roleA), "s3:*"), want: ImplicitDeny, blocked: "resource"},
		{name: "wildcard in a role's ARN", page: pPrinc, identity: allowS3, resource: grants(aws("arn:aws:iam::111122223333:role/*"), "s3:*"),
			want: ImplicitDeny, blocked: "resource"},
		{name: "another session of the role", page: pPrinc, identity: allowS3,
			resource: grants(aws("arn:aws:sts::111122223333:assumed-role/broker/s2"), "s3:*"), want: ImplicitDeny, blocked: "resource"},
		{name: "stale id", page: pPrinc, identity: allowS3, resource: grants(aws("AROAOLDOLDOLDOLDOLD01"), "s3:*"),
			id: "AROANEWNEWNEWNEWNEW01:s1", want: ImplicitDeny, blocked: "resource"},
		{name: "id of the role as it is", page: pPrinc, identity: allowS3, resource: grants(aws("AROANEWNEWNEWNEWNEW01"), "s3:*"),
			id: "AROANEWNEWNEWNEWNEW01:s1", want: Allowed},
		{name: "stale id and nothing known", page: pPrinc, identity: allowS3, resource: grants(aws("AROAOLDOLDOLDOLDOLD01"), "s3:*"),
			want: ImplicitDeny, blocked: "resource"},
		{name: "account denied", page: pPrinc, identity: allowS3,
			resource: everyone + `,{"Effect":"Deny","Principal":` + aws(accountA) + `,"Action":"*","Resource":"*"}`, want: ExplicitDeny,
			blocked: "resource"},
		{name: "role denied denies its sessions", page: pPrinc, identity: allowS3,
			resource: everyone + `,{"Effect":"Deny","Principal":` + aws(roleA) + `,"Action":"*","Resource":"*"}`, want: ExplicitDeny,
			blocked: "resource"},
		{name: "service is not a role", page: pPrinc, identity: allowS3, resource: grants(`{"Service":"s3.amazonaws.com"}`, "s3:*"),
			want: ImplicitDeny, blocked: "resource"},
		{name: "statement without principal", page: pPrinc, identity: allowS3, resource: allowS3, want: ImplicitDeny, blocked: "resource"},
		{name: "canonical id is not known", page: pPrinc, identity: allowS3,
			resource: grants(`{"CanonicalUser":"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}`, "s3:*"), want: Unknown},
		{name: "any of several principals", page: pPrinc, identity: allowS3, resource: grants(`{"AWS":["999999999999","`+roleA+`"]}`, "s3:*"),
			want: Allowed},
		// NotPrincipal.
		{name: "all of account, role and session exempt", page: notPrinc, identity: allowS3,
			resource: everyone + `,{"Effect":"Deny","NotPrincipal":{"AWS":["` + rootA + `","` + roleA + `","` +
				sessionA + `"]},"Action":"*","Resource":"*"}`, want: Allowed},
		{name: "somebody else exempt", page: notPrinc, identity: allowS3,
			resource: everyone + `,{"Effect":"Deny","NotPrincipal":{"AWS":["999999999999"]},"Action":"*","Resource":"*"}`, want: ExplicitDeny,
			blocked: "resource"},
		{name: "role alone exempt", page: notPrinc, identity: allowS3,
			resource: everyone + `,{"Effect":"Deny","NotPrincipal":` + aws(roleA) + `,"Action":"*","Resource":"*"}`, want: Unknown},
		{name: "account alone exempt", page: notPrinc, identity: allowS3,
			resource: everyone + `,{"Effect":"Deny","NotPrincipal":` + aws(rootA) + `,"Action":"*","Resource":"*"}`, want: ExplicitDeny,
			blocked: "resource"},
		{name: "user and account exempt", page: notPrinc, principal: userA, identity: allowS3,
			resource: everyone + `,{"Effect":"Deny","NotPrincipal":{"AWS":["` + rootA + `","` + userA + `"]},"Action":"*","Resource":"*"}`,
			want:     Allowed},
		{name: "NotPrincipal with Allow", page: notPrinc, identity: allowS3,
			resource: `{"Effect":"Allow","NotPrincipal":{"AWS":"999999999999"},"Action":"*","Resource":"*"}`, want: Allowed},
		{name: "NotPrincipal with Allow leaves the caller out", page: notPrinc, identity: allowS3,
			resource: `{"Effect":"Allow","NotPrincipal":` + aws(roleA) + `,"Action":"*","Resource":"*"}`, want: ImplicitDeny, blocked: "resource"},
		// Inside one account.
		{name: "same account, identity", page: logic, owner: accountA, identity: allowS3, want: Allowed},
		{name: "same account, nothing", page: logic, owner: accountA, want: ImplicitDeny, blocked: "identity"},
		{name: "same account, resource names the role", page: logic, owner: accountA, resource: grants(aws(roleA), "s3:*"), want: Allowed},
		{name: "same account, resource names the session", page: logic, owner: accountA, resource: grants(aws(sessionA), "s3:*"), want: Allowed},
		{name: "same account, resource names the user", page: logic, principal: userA, owner: accountA, resource: grants(aws(userA), "s3:*"),
			want: Allowed},
		{name: "same account, resource names the account", page: logic, owner: accountA, resource: grants(aws(rootA), "s3:*"),
			want: ImplicitDeny, blocked: "identity"},
		{name: "same account, everyone", page: logic, owner: accountA, resource: everyone, want: Allowed},
		{name: "user grant passes the boundary", page: boundary, principal: userA, owner: accountA, resource: grants(aws(userA), "s3:*"),
			boundary: "-", want: Allowed},
		{name: "role grant does not pass the boundary", page: boundary, owner: accountA, resource: grants(aws(roleA), "s3:*"),
			boundary: allowKMS, want: ImplicitDeny, blocked: "permissions_boundary"},
		{name: "role grant does not pass the session policy", page: boundary, owner: accountA, resource: grants(aws(roleA), "s3:*"),
			session: allowKMS, want: ImplicitDeny, blocked: "session"},
		{name: "session grant passes boundary and session policy", page: boundary, owner: accountA, resource: grants(aws(sessionA), "s3:*"),
			boundary: "-", session: "-", want: Allowed},
		{name: "everyone with aws:PrincipalArn passes the boundary", page: logic, owner: accountA,
			resource: `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"ArnEquals":{"aws:PrincipalArn":"` +
				roleA + `"}}}`, boundary: "-", want: Allowed},
		{name: "boundary's deny stops a session grant", page: boundary, owner: accountA, resource: grants(aws(sessionA), "s3:*"),
			boundary: denyPut, want: ExplicitDeny, blocked: "permissions_boundary"},
		{name: "identity within boundary", page: boundary, owner: accountA, identity: allowAll, boundary: allowS3, want: Allowed},
		{name: "identity beyond boundary", page: boundary, owner: accountA, identity: allowAll, boundary: allowKMS, want: ImplicitDeny,
			blocked: "permissions_boundary"},
		{name: "boundary alone grants nothing", page: boundary, owner: accountA, boundary: allowAll, want: ImplicitDeny, blocked: "identity"},
		{name: "identity and boundary both lack it", page: boundary, owner: accountA, boundary: allowKMS, want: ImplicitDeny,
			blocked: "identity permissions_boundary"},
		{name: "same account, resource denies", page: denial, owner: accountA, identity: allowAll, resource: deny(""), want: ExplicitDeny,
			blocked: "resource"},
		// Root users, services, anonymous callers.
		{name: "root in its own account", page: logic, principal: rootA, owner: accountA, want: Allowed},
		{name: "root denied by the bucket policy", page: denial, principal: rootA, owner: accountA, resource: deny(""), want: ExplicitDeny,
			blocked: "resource"},
		{name: "root across accounts", page: cross, principal: rootA, want: ImplicitDeny, blocked: "resource"},
		{name: "root across accounts and named", page: cross, principal: rootA, resource: grants(aws(accountA), "s3:*"), want: Allowed},
		{name: "root under an SCP", page: denial, principal: rootA, owner: accountA, scp: []string{allowKMS}, want: ImplicitDeny,
			blocked: "service_control"},
		{name: "root and a key policy without it", page: kmsKey, principal: rootA, action: "kms:Decrypt",
			target: "arn:aws:kms:eu-west-1:111122223333:key/1", owner: accountA, resource: grants(aws(roleA), "kms:*"), want: ImplicitDeny,
			blocked: "resource"},
		{name: "root cannot assume roles", page: "sts: API_AssumeRole.html", principal: rootA, action: "sts:AssumeRole", target: roleA,
			owner: accountA, resource: trusts(aws(rootA), ""), want: ImplicitDeny, blocked: "identity"},
		{name: "service named", page: pPrinc, principal: "logging.s3.amazonaws.com",
			resource: grants(`{"Service":"logging.s3.amazonaws.com"}`, "s3:PutObject"), want: Allowed},
		{name: "service not named", page: pPrinc, principal: "logging.s3.amazonaws.com",
			resource: grants(`{"Service":"s3.amazonaws.com"}`, "s3:PutObject"), want: ImplicitDeny, blocked: "resource"},
		{name: "SCP does not bind services", page: denial, principal: "logging.s3.amazonaws.com", scp: []string{denyPut},
			resource: grants(`{"Service":"logging.s3.amazonaws.com"}`, "s3:PutObject"), want: Allowed},
		{name: "anonymous and everyone", page: pPrinc, principal: "*", resource: everyone, want: Allowed},
		{name: "anonymous and AWS star", page: pPrinc, principal: "*", resource: grants(aws("*"), "s3:*"), want: Allowed},
		{name: "anonymous and account", page: pPrinc, principal: "*", resource: grants(aws(accountA), "s3:*"), want: ImplicitDeny,
			blocked: "resource"},
		{name: "anonymous and no policy", page: pPrinc, principal: "*", want: ImplicitDeny, blocked: "resource"},
		{name: "anonymous, identity policies do not count", page: pPrinc, principal: "*", identity: allowAll, want: ImplicitDeny,
			blocked: "resource"},
		// KMS.
		{name: "both sides of a key", page: kmsX, action: "kms:GenerateDataKey", target: keyB, identity: allowKMS,
			resource: grants(aws(roleA), "kms:*"), want: Allowed},
		{name: "key policy names the account", page: kmsX, action: "kms:GenerateDataKey", target: keyB, identity: allowKMS,
			resource: grants(aws(rootA), "kms:*"), want: Allowed},
		{name: "key policy alone", page: kmsX, action: "kms:GenerateDataKey", target: keyB, resource: grants(aws(roleA), "kms:*"),
			want: ImplicitDeny, blocked: "identity"},
		{name: "identity alone for a key", page: kmsX, action: "kms:GenerateDataKey", target: keyB, identity: allowKMS,
			resource: grants(aws("arn:aws:iam::444455556666:root"), "kms:*"), want: ImplicitDeny, blocked: "resource"},
		{name: "intersection of actions", page: kmsX, action: "kms:Decrypt", target: keyB, identity: allowKMS,
			resource: grants(aws(roleA), "kms:GenerateDataKey"), want: ImplicitDeny, blocked: "resource"},
		{name: "identity names an alias", page: kmsX, action: "kms:Decrypt", target: keyB,
			identity: `{"Effect":"Allow","Action":"kms:*","Resource":"arn:aws:kms:eu-west-1:444455556666:alias/k"}`,
			resource: grants(aws(roleA), "kms:*"), want: ImplicitDeny, blocked: "identity"},
		{name: "identity names another Region", page: kmsX, action: "kms:Decrypt", target: keyB,
			identity: `{"Effect":"Allow","Action":"kms:*","Resource":"arn:aws:kms:us-east-1:444455556666:key/1234abcd"}`,
			resource: grants(aws(roleA), "kms:*"), want: ImplicitDeny, blocked: "identity"},
		{name: "same account, key delegates to the account", page: kmsKey, principal: roleB, action: "kms:Decrypt", target: keyB,
			identity: allowKMS, resource: grants(aws(accountB), "kms:*"), want: Allowed},
		{name: "same account, key delegates and identity lacks it", page: kmsKey, principal: roleB, action: "kms:Decrypt", target: keyB,
			resource: grants(aws(accountB), "kms:*"), want: ImplicitDeny, blocked: "identity"},
		{name: "same account, key names the role", page: kmsKey, principal: roleB, action: "kms:Decrypt", target: keyB,
			resource: grants(aws(roleB), "kms:*"), want: Allowed},
		{name: "same account, key does not know the account", page: kmsKey, principal: roleB, action: "kms:Decrypt", target: keyB,
			identity: allowAll, resource: grants(aws("999999999999"), "kms:*"), want: ImplicitDeny, blocked: "resource"},
		{name: "same account, no key policy", page: kmsKey, principal: roleB, action: "kms:Decrypt", target: keyB, identity: allowAll,
			want: ImplicitDeny, blocked: "resource"},
		{name: "action without a key needs no key policy", page: kmsKey, action: "kms:ListKeys", target: "*", owner: accountA,
			identity: `{"Effect":"Allow","Action":"kms:*","Resource":"*"}`, want: Allowed},
		{name: "key policy wants S3", page: "kms: conditions-kms.html", action: "kms:Decrypt", target: keyB, identity: allowKMS,
			resource: `{"Effect":"Allow","Principal":` + aws(roleA) + `,"Action":"kms:*","Resource":"*",` +
				`"Condition":{"StringEquals":{"kms:ViaService":"s3.eu-west-1.amazonaws.com"}}}`, want: ImplicitDeny, blocked: "resource"},
		{name: "key policy wants S3 and gets it", page: "kms: conditions-kms.html", action: "kms:Decrypt", target: keyB, identity: allowKMS,
			resource: `{"Effect":"Allow","Principal":` + aws(roleA) + `,"Action":"kms:*","Resource":"*",` +
				`"Condition":{"StringEquals":{"kms:ViaService":"s3.eu-west-1.amazonaws.com","kms:CallerAccount":"111122223333"}}}`,
			context: map[string][]string{"kms:ViaService": {"s3.eu-west-1.amazonaws.com"}}, want: Allowed},
		// STS.
		{name: "trust names the user of its account", page: trust, principal: userA, action: "sts:AssumeRole", target: roleA, owner: accountA,
			resource: trusts(aws(userA), ""), want: Allowed},
		{name: "trust names the account and identity lacks it", page: trust, principal: userA, action: "sts:AssumeRole", target: roleA,
			owner: accountA, resource: trusts(aws(accountA), ""), want: ImplicitDeny, blocked: "identity"},
		{name: "trust names the account and identity has it", page: trust, principal: userA, action: "sts:AssumeRole", target: roleA,
			owner: accountA, identity: allowAll, resource: trusts(aws(accountA), ""), want: Allowed},
		{name: "trust does not name the caller", page: trust, principal: userA, action: "sts:AssumeRole", target: roleA, owner: accountA,
			identity: allowAll, resource: trusts(aws("arn:aws:iam::111122223333:user/bob"), ""), want: ImplicitDeny, blocked: "resource"},
		{name: "role without trust policy", page: trust, principal: userA, action: "sts:AssumeRole", target: roleA, owner: accountA,
			identity: allowAll, want: ImplicitDeny, blocked: "resource"},
		{name: "trust across accounts needs both", page: trust, principal: roleB, action: "sts:AssumeRole", target: roleA, owner: accountA,
			resource: trusts(aws(roleB), ""), want: ImplicitDeny, blocked: "identity"},
		{name: "trust across accounts has both", page: trust, principal: roleB, action: "sts:AssumeRole", target: roleA, owner: accountA,
			identity: allowAll, resource: trusts(aws(roleB), ""), want: Allowed},
		{name: "external id given", page: "id_roles_common-scenarios_third-party.html", principal: roleB, action: "sts:AssumeRole",
			target: roleA, owner: accountA, identity: allowAll,
			resource: trusts(aws(roleB), `,"Condition":{"StringEquals":{"sts:ExternalId":"x"}}`),
			context:  map[string][]string{"sts:ExternalId": {"x"}}, want: Allowed},
		{name: "external id missing", page: "id_roles_common-scenarios_third-party.html", principal: roleB, action: "sts:AssumeRole",
			target: roleA, owner: accountA, identity: allowAll,
			resource: trusts(aws(roleB), `,"Condition":{"StringEquals":{"sts:ExternalId":"x"}}`), want: ImplicitDeny, blocked: "resource"},
		{name: "external id wrong", page: "id_roles_common-scenarios_third-party.html", principal: roleB, action: "sts:AssumeRole",
			target: roleA, owner: accountA, identity: allowAll,
			resource: trusts(aws(roleB), `,"Condition":{"StringEquals":{"sts:ExternalId":"x"}}`),
			context:  map[string][]string{"sts:ExternalId": {"y"}}, want: ImplicitDeny, blocked: "resource"},
		{name: "service assumes a role", page: trust, principal: "ec2.amazonaws.com", action: "sts:AssumeRole", target: roleA, owner: accountA,
			resource: trusts(`{"Service":"ec2.amazonaws.com"}`, ""), want: Allowed},
		{name: "provider's token", page: "id_roles_create_for-idp_oidc.html", principal: oidc, action: "sts:AssumeRoleWithWebIdentity",
			target: roleA, owner: accountA, resource: `{"Effect":"Allow","Principal":{"Federated":"` +
				oidc + `"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"token.example.com:aud":"sts.amazonaws.com"}}}`,
			context: map[string][]string{"token.example.com:aud": {"sts.amazonaws.com"}}, want: Allowed},
		{name: "provider's token for another audience", page: "id_roles_create_for-idp_oidc.html", principal: oidc,
			action: "sts:AssumeRoleWithWebIdentity", target: roleA, owner: accountA,
			resource: `{"Effect":"Allow","Principal":{"Federated":"` + oidc + `"},"Action":"sts:AssumeRoleWithWebIdentity",` +
				`"Condition":{"StringEquals":{"token.example.com:aud":"sts.amazonaws.com"}}}`,
			context: map[string][]string{"token.example.com:aud": {"other"}}, want: ImplicitDeny, blocked: "resource"},
		{name: "who am I, denied everywhere", page: "sts: API_GetCallerIdentity.html", action: "sts:GetCallerIdentity", target: "*",
			owner: accountA, identity: `{"Effect":"Deny","Action":"*","Resource":"*"}`, want: Allowed},
		// Organizations.
		{name: "every level allows", page: denial, identity: allowS3, resource: grants(aws(roleA), "s3:*"),
			scp: []string{allowAll, allowS3, allowAll}, want: Allowed},
		{name: "one level does not allow", page: denial, identity: allowS3, resource: grants(aws(roleA), "s3:*"),
			scp: []string{allowAll, allowKMS, allowAll}, want: ImplicitDeny, blocked: "service_control"},
		{name: "a level without policies", page: denial, identity: allowS3, resource: grants(aws(roleA), "s3:*"), scp: []string{allowAll, "-"},
			want: ImplicitDeny, blocked: "service_control"},
		{name: "two levels do not allow", page: denial, identity: allowS3, resource: grants(aws(roleA), "s3:*"),
			scp: []string{allowKMS, allowKMS}, want: ImplicitDeny, blocked: "service_control"},
		{name: "a level denies", page: denial, identity: allowS3, resource: grants(aws(roleA), "s3:*"), scp: []string{allowAll + "," + denyPut},
			want: ExplicitDeny, blocked: "service_control"},
		{name: "SCP limits a session grant too", page: denial, owner: accountA, resource: grants(aws(sessionA), "s3:*"), scp: []string{allowKMS},
			want: ImplicitDeny, blocked: "service_control"},
		{name: "SCP does not bind service-linked roles", page: denial,
			principal: "arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX", identity: allowS3, owner: accountA,
			scp: []string{denyPut}, want: Allowed},
		{name: "SCP allows and grants nothing", page: denial, owner: accountA, scp: []string{allowAll}, want: ImplicitDeny, blocked: "identity"},
		{name: "RCP denies strangers", page: rcpPage, identity: allowS3, resource: grants(aws(roleA), "s3:*"),
			rcp:     []string{deny(`,"Condition":{"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-b"}}`)},
			context: map[string][]string{"aws:PrincipalOrgID": {"o-a"}}, want: ExplicitDeny, blocked: "resource_control"},
		{name: "RCP lets its own in", page: rcpPage, identity: allowS3, resource: grants(aws(roleA), "s3:*"),
			rcp:     []string{deny(`,"Condition":{"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-b"}}`)},
			context: map[string][]string{"aws:PrincipalOrgID": {"o-b"}}, want: Allowed},
		{name: "RCP does not need to allow", page: rcpPage, identity: allowS3, resource: grants(aws(roleA), "s3:*"), rcp: []string{"-"},
			want: Allowed},
		{name: "RCP does not protect other services", page: rcpPage, action: "iam:GetRole", target: roleA, owner: accountA, identity: allowAll,
			rcp: []string{deny("")}, want: Allowed},
		{name: "RCP over a role", page: rcpPage, principal: roleB, action: "sts:AssumeRole", target: roleA, owner: accountA, identity: allowAll,
			resource: trusts(aws(roleB), ""), rcp: []string{deny("")}, want: ExplicitDeny, blocked: "resource_control"},
		// VPC endpoints.
		{name: "endpoint lets through", page: vpcePage, identity: allowS3, resource: grants(aws(roleA), "s3:*"), vpce: everyone, want: Allowed},
		{name: "endpoint of another bucket", page: vpcePage, identity: allowS3, resource: grants(aws(roleA), "s3:*"),
			vpce: `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"arn:aws:s3:::own/*"}`, want: ImplicitDeny, blocked: "vpc_endpoint"},
		{name: "endpoint for its own account's resources", page: vpcePage, identity: allowS3, resource: grants(aws(roleA), "s3:*"),
			vpce: `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*",` +
				`"Condition":{"StringEquals":{"aws:ResourceAccount":"111122223333"}}}`, want: ImplicitDeny, blocked: "vpc_endpoint"},
		{name: "endpoint denies", page: vpcePage, identity: allowS3, resource: grants(aws(roleA), "s3:*"), vpce: everyone + "," + deny(""),
			want: ExplicitDeny, blocked: "vpc_endpoint"},
		{name: "endpoint does not see S3's call to KMS", page: "kms: vpce-policy-condition.html", action: "kms:Decrypt", target: keyB,
			identity: allowKMS, resource: grants(aws(roleA), "kms:*"), vpce: "-",
			context: map[string][]string{"kms:ViaService": {"s3.eu-west-1.amazonaws.com"}}, want: Allowed},
		{name: "endpoint sees a direct call to KMS", page: "kms: vpce-policy-condition.html", action: "kms:Decrypt", target: keyB,
			identity: allowKMS, resource: grants(aws(roleA), "kms:*"), vpce: "-", want: ImplicitDeny, blocked: "vpc_endpoint"},
		// Public access.
		{name: "public statement beside a private one", page: bpaPage, identity: allowS3,
			resource: grants(aws(roleA), "s3:*") + `,{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"}`, block: restrict,
			want: ImplicitDeny, blocked: "public_access_block"},
		{name: "no public statement", page: bpaPage, identity: allowS3, resource: grants(aws(roleA), "s3:*"), block: restrict, want: Allowed},
		{name: "public statement, same account", page: bpaPage, owner: accountA, identity: allowS3, resource: everyone, block: restrict,
			want: Allowed},
		{name: "public statement, AWS service", page: bpaPage, principal: "logging.s3.amazonaws.com", resource: everyone, block: restrict,
			want: Allowed},
		{name: "public statement, anonymous", page: bpaPage, principal: "*", resource: everyone, block: restrict, want: ImplicitDeny,
			blocked: "public_access_block"},
		{name: "public statement and nothing restricted", page: bpaPage, identity: allowS3, resource: everyone,
			block: &PublicAccessBlock{BlockPublicPolicy: true}, want: Allowed},
		{name: "organization makes it private", page: bpaPage, identity: allowS3,
			resource: `{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a"}}}`,
			context:  map[string][]string{"aws:PrincipalOrgID": {"o-a"}}, block: restrict, want: Allowed},
		{name: "public ACL", page: bpaPage, identity: allowS3, resource: grants(aws(roleA), "s3:*"),
			block: &PublicAccessBlock{BlockPublicAcls: true}, context: map[string][]string{"s3:x-amz-acl": {"public-read"}}, want: ImplicitDeny,
			blocked: "public_access_block"},
		{name: "private ACL", page: bpaPage, identity: allowS3, resource: grants(aws(roleA), "s3:*"),
			block: &PublicAccessBlock{BlockPublicAcls: true}, context: map[string][]string{"s3:x-amz-acl": {"bucket-owner-full-control"}},
			want: Allowed},
		// Layers that could not be read.
		{name: "SCP not supplied", page: logic, identity: allowS3, resource: grants(aws(roleA), "s3:*"), missing: []Layer{LayerSCP},
			want: Unknown},
		{name: "RCP not supplied", page: logic, identity: allowS3, resource: grants(aws(roleA), "s3:*"), missing: []Layer{LayerRCP},
			want: Unknown},
		{name: "boundary not supplied", page: logic, identity: allowS3, resource: grants(aws(roleA), "s3:*"), missing: []Layer{LayerBoundary},
			want: Unknown},
		{name: "resource not supplied", page: logic, identity: allowS3, missing: []Layer{LayerResource}, want: Unknown},
		{name: "identity not supplied", page: logic, resource: grants(aws(roleA), "s3:*"), missing: []Layer{LayerIdentity}, want: Unknown},
		{name: "not supplied does not matter when denied", page: logic, identity: allowS3 + "," + denyPut,
			missing: []Layer{LayerResource, LayerSCP}, want: ExplicitDeny, blocked: "identity"},
		{name: "not supplied does not matter when nothing allows", page: logic, resource: grants(aws(roleA), "s3:*"), missing: []Layer{LayerSCP},
			want: ImplicitDeny, blocked: "identity"},
		{name: "identity not supplied does not matter to anonymous callers", page: logic, principal: "*", resource: everyone,
			missing: []Layer{LayerIdentity, LayerSCP}, want: Allowed},
		// Bucket policies that want headers (S3 guide).
		{name: "encryption header missing", page: "s3: UsingKMSEncryption.html", identity: allowS3,
			resource: everyone + "," + deny(`,"Condition":{"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}`), want: ExplicitDeny,
			blocked: "resource"},
		{name: "encryption header missing and IfExists", page: "s3: UsingKMSEncryption.html", identity: allowS3,
			resource: everyone + "," +
				deny(`,"Condition":{"Bool":{"aws:SecureTransport":"false"},"StringNotEqualsIfExists":{"s3:x-amz-server-side-encryption":"aws:kms"}}`),
			context: map[string][]string{"aws:SecureTransport": {"true"}}, want: Allowed},
		{name: "encryption header sent", page: "s3: UsingKMSEncryption.html", identity: allowS3,
			resource: everyone + "," + deny(`,"Condition":{"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}`),
			context:  map[string][]string{"s3:x-amz-server-side-encryption": {"aws:kms"}}, want: Allowed},
		{name: "plain HTTP", page: "s3: example-bucket-policies.html", identity: allowS3,
			resource: everyone + "," + deny(`,"Condition":{"Bool":{"aws:SecureTransport":"false"}}`),
			context:  map[string][]string{"aws:SecureTransport": {"false"}}, want: ExplicitDeny, blocked: "resource"},
	}
}

func TestLayers(t *testing.T) {
	for _, c := range layerCases() {
		t.Run(c.name, func(t *testing.T) {
			r := Evaluate(c.scenario(t))
			if r.Decision != c.want {
				t.Fatalf("got %s, want %s (%s)\n%+v", r.Decision, c.want, c.page, r.Layers)
			}
			var got []string
			for _, l := range r.BlockedBy {
				got = append(got, string(l))
			}
			if s := strings.Join(got, " "); s != c.blocked {
				t.Errorf("blocked by %q, want %q (%s)", s, c.blocked, c.page)
			}
			if r.Decision == Allowed && len(r.Assumptions) == 0 {
				t.Error("allowed without assumptions")
			}
		})
	}
}

// TestLevelsMayShareAName: fixes go to the level that blocks, not to its namesake.
func TestLevelsMayShareAName(t *testing.T) {
	sc := Scenario{Request: Request{Principal: sessionA, Action: "s3:PutObject", Resource: object, ResourceAccount: accountA},
		Policies: PolicySet{Identity: ident(t, allowS3), ServiceControl: []LevelPolicies{
			{Policies: ident(t, allowAll)}, {Policies: ident(t, allowKMS)}, {Policies: ident(t, allowAll+","+denyPut)},
		}}}
	fixes := Candidates(sc)[0]
	fixed, err := Apply(sc, fixes)
	if err != nil {
		t.Fatal(err)
	}
	if again := Evaluate(fixed); again.Decision != Allowed {
		t.Errorf("after %+v: %s", fixes, again.Decision)
	}
	if n := len(fixed.Policies.ServiceControl[0].Policies); n != 1 {
		t.Errorf("the level that allowed already was given %d policies", n)
	}
}
