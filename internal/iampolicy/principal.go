package iampolicy

import (
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

type principalKind uint8

const (
	principalNever principalKind = iota // matches no caller
	principalAny
	principalAccount
	principalRole
	principalExact // user, role session, federated user: compared as text
	principalService
	principalFederated
	principalUniqueID
	principalCanonical
)

// principal is one entry of a Principal element.
type principal struct {
	kind      principalKind
	raw       string
	partition string
	account   string
	name      string
}

// compilePrincipal reads one value under AWS, Service, Federated or CanonicalUser.
func compilePrincipal(class, value string) principal {
	p := principal{raw: value}
	switch class {
	case "Service":
		p.kind = principalService
		return p
	case "Federated":
		p.kind = principalFederated
		return p
	case "CanonicalUser":
		p.kind = principalCanonical
		return p
	}
	switch {
	case value == "*":
		p.kind = principalAny
		return p
	case awsarn.IsAccount(value):
		p.kind, p.account = principalAccount, value
		return p
	case isUniqueID(value):
		p.kind = principalUniqueID
		return p
	}
	a, ok := awsarn.Split(value)
	// A wildcard inside a principal's ARN matches nothing: AWS refuses it
	// (IAM User Guide, reference_policies_elements_principal.html).
	if !ok || a.Region != "" || strings.ContainsAny(value, "*?") {
		return p
	}
	p.partition, p.account = a.Partition, a.Account
	switch {
	case a.Service == "iam" && a.Resource == "root":
		p.kind = principalAccount
	case a.Service == "iam" && strings.HasPrefix(a.Resource, "role/"):
		p.kind = principalRole
		p.name = a.Name()
	case a.Service == "iam" || a.Service == "sts":
		p.kind = principalExact
	}
	return p
}

// isUniqueID recognizes the ids that AWS shows for deleted users and roles.
func isUniqueID(s string) bool {
	if len(s) < 16 || len(s) > 128 || !strings.HasPrefix(s, "AROA") && !strings.HasPrefix(s, "AIDA") {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// match says whether the entry names the caller, and how.
func (p *principal) match(c *caller) (tri, Grant) {
	switch p.kind {
	case principalAny:
		return truth(c.kind != callerInvalid), GrantDirect
	case principalAccount:
		if !c.kind.hasIdentity() || c.account != p.account || p.partition != "" && p.partition != c.partition {
			return no, GrantNone
		}
		if c.kind == callerRoot {
			return yes, GrantDirect
		}
		return yes, GrantAccount
	case principalRole:
		if c.kind != callerRole || c.account != p.account || c.partition != p.partition || c.name != p.name {
			return no, GrantNone
		}
		// A session's ARN has no path. The name alone is unique in an account.
		return truth(!c.rolePathKnown || c.principalARN == p.raw), GrantRole
	case principalExact:
		return truth(c.kind != callerInvalid && c.principalName == p.raw), GrantDirect
	case principalService:
		return truth(c.kind == callerService && (p.raw == "*" || p.raw == c.principalName)), GrantDirect
	case principalFederated:
		return truth(c.kind == callerFederated && (p.raw == "*" || p.raw == c.principalName)), GrantDirect
	case principalUniqueID:
		if c.id != p.raw {
			return no, GrantNone
		}
		if c.kind == callerRole {
			return yes, GrantRole
		}
		return yes, GrantDirect
	case principalCanonical:
		// The canonical id of an account does not follow from its number.
		if c.kind == callerRoot || c.kind == callerUser || c.kind == callerRole {
			return maybe, GrantAccount
		}
	}
	return no, GrantNone
}

// matchPrincipal decides the Principal or NotPrincipal element.
func (s *statement) matchPrincipal(e *evaluation, l Layer) (tri, Grant) {
	c := &e.req.caller
	if s.notPrincipal {
		return s.matchNotPrincipal(c, e.sc.Policies.Boundary != nil), GrantDirect
	}
	gateway := l == LayerVPCEndpoint && (e.req.service == "s3" || e.req.service == "dynamodb") && c.kind != callerRoot
	result, grant := no, GrantNone
	for i := range s.principals {
		t, g := s.principals[i].match(c)
		if gateway && t == yes {
			t = s.principals[i].throughGateway(s.deny)
		}
		if t > result || t == result && t != no && g.strength() > grant.strength() {
			result, grant = t, g
		}
	}
	return result, grant
}

// throughGateway is the match of a principal in the policy of a gateway endpoint.
// There an account stands for its root user alone, and roles and users are named
// by aws:PrincipalArn (VPC User Guide, vpc-endpoints-access.html). How a principal
// of another form is matched is not documented.
func (p *principal) throughGateway(deny bool) tri {
	switch {
	case p.kind == principalAny:
		return yes
	case p.kind == principalAccount && !deny:
		return no
	}
	return maybe
}

func (g Grant) strength() int {
	switch g {
	case GrantAccount:
		return 1
	case GrantRole:
		return 2
	case GrantDirect:
		return 3
	}
	return 0
}

// matchNotPrincipal is yes when the caller is not exempt. AWS checks the
// account, the role and the session; a statement that lists some of them and
// not all exempts or hits the caller depending on the service
// (IAM User Guide, reference_policies_elements_notprincipal.html), so the
// answer is unknown.
//
// A caller with a permissions boundary is never exempt from a Deny: it "will
// always deny any IAM principal that has a permissions boundary policy attached".
func (s *statement) matchNotPrincipal(c *caller, bounded bool) tri {
	if c.kind == callerInvalid {
		return truth(s.deny)
	}
	if s.deny && bounded && (c.kind == callerRole || c.kind == callerUser) {
		return yes
	}
	var account, role, exact, anybody, uncertain bool
	for i := range s.principals {
		t, g := s.principals[i].match(c)
		if t == maybe {
			uncertain = true
		}
		if t != yes {
			continue
		}
		switch {
		case s.principals[i].kind == principalAny:
			anybody = true
		case s.principals[i].kind == principalAccount:
			account = true
		case g == GrantRole:
			role = true
		default:
			exact = true
		}
	}
	if anybody {
		return no
	}
	if !s.deny {
		// NotPrincipal with Allow: a caller that is listed in any form is left out.
		if uncertain {
			return maybe
		}
		return truth(!account && !role && !exact)
	}
	switch c.kind {
	case callerAnonymous:
		return yes
	case callerService, callerFederated:
		return truth(!exact)
	case callerRoot:
		return truth(!account)
	case callerRole:
		switch {
		case account && role && exact:
			return no
		case role || exact || uncertain:
			return maybe
		}
	default:
		switch {
		case account && exact:
			return no
		case exact || uncertain:
			return maybe
		}
	}
	return yes
}
