package iampolicy

import (
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

type callerKind uint8

const (
	callerInvalid callerKind = iota
	callerAnonymous
	callerRoot
	callerUser
	callerRole // a role session, or a role whose session is not named
	callerFederatedUser
	callerService
	callerFederated // a caller with an identity provider's token and nothing else
)

func (k callerKind) principalType() string {
	switch k {
	case callerAnonymous:
		return "Anonymous"
	case callerRoot:
		return "Account"
	case callerUser:
		return "User"
	case callerRole:
		return "AssumedRole"
	case callerFederatedUser:
		return "FederatedUser"
	}
	return ""
}

// hasIdentity says whether the caller has policies of its own account.
func (k callerKind) hasIdentity() bool {
	return k == callerRoot || k == callerUser || k == callerRole || k == callerFederatedUser
}

// caller is a principal taken apart.
type caller struct {
	kind               callerKind
	partition, account string
	name               string // of the user or role, without path
	session            string // of a role session or federated user
	principalName      string // as the request has it
	principalARN       string // aws:PrincipalArn: the role's ARN for a session
	rolePathKnown      bool
	id                 string // unique id without the session name
	serviceLinked      bool
}

func parseCaller(r *Request) caller {
	c := caller{principalName: r.Principal}
	c.id, _, _ = strings.Cut(r.PrincipalID, ":")
	switch {
	case r.Principal == "*":
		c.kind = callerAnonymous
		return c
	case awsarn.IsAccount(r.Principal):
		c.kind, c.account, c.partition = callerRoot, r.Principal, "aws"
		c.principalARN = "arn:aws:iam::" + r.Principal + ":root"
		return c
	}
	a, ok := awsarn.Split(r.Principal)
	if !ok {
		switch {
		case isServiceName(r.Principal):
			c.kind = callerService
		case isProviderName(r.Principal):
			c.kind = callerFederated
		}
		return c
	}
	if !knownPartition(a.Partition) || a.Region != "" || a.Account == "" {
		return c
	}
	c.partition, c.account = a.Partition, a.Account
	last := a.Name()
	kind, rest, _ := strings.Cut(a.Resource, "/")
	switch {
	case a.Service == "iam" && a.Resource == "root":
		c.kind, c.principalARN = callerRoot, r.Principal
	case a.Service == "iam" && kind == "user" && last != "":
		c.kind, c.name, c.principalARN = callerUser, last, r.Principal
	case a.Service == "iam" && kind == "role" && last != "":
		c.kind, c.name, c.principalARN, c.rolePathKnown = callerRole, last, r.Principal, true
		c.serviceLinked = strings.HasPrefix(rest, "aws-service-role/")
	case a.Service == "sts" && kind == "assumed-role":
		name, session, ok := strings.Cut(rest, "/")
		if !ok || name == "" || session == "" || strings.Contains(session, "/") {
			return c
		}
		c.kind, c.name, c.session = callerRole, name, session
		c.principalARN = r.RoleARN
		role, ok := awsarn.Split(r.RoleARN)
		if ok && role.Service == "iam" && role.Account == c.account && role.Partition == c.partition &&
			strings.HasPrefix(role.Resource, "role/") && strings.HasSuffix(role.Resource, "/"+name) {
			c.rolePathKnown = true
			c.serviceLinked = strings.HasPrefix(role.Resource, "role/aws-service-role/")
		} else {
			c.principalARN = awsarn.Role(r.Principal)
			c.serviceLinked = strings.HasPrefix(name, "AWSServiceRoleFor")
			if r.RoleARN != "" { // a role that the session is not of
				c.kind = callerInvalid
			}
		}
	case a.Service == "sts" && kind == "federated-user" && rest != "":
		c.kind, c.name, c.session, c.principalARN = callerFederatedUser, rest, rest, r.Principal
	case a.Service == "iam" && (kind == "oidc-provider" || kind == "saml-provider") && rest != "":
		c.kind = callerFederated
	}
	return c
}

func isServiceName(s string) bool {
	return (strings.HasSuffix(s, ".amazonaws.com") || strings.HasSuffix(s, ".amazonaws.com.cn")) &&
		s != "cognito-identity.amazonaws.com" && !strings.ContainsAny(s, "*?/: ")
}

// isProviderName accepts the web identity providers that are named by host.
func isProviderName(s string) bool {
	return strings.Contains(s, ".") && !strings.ContainsAny(s, "*?: ")
}

// parsedRequest is a request taken apart once, before any policy is looked at.
type parsedRequest struct {
	*Request
	caller          caller
	actionLower     string
	service         string
	arn             awsarn.ARN
	anyResource     bool // the action has no resource
	resourceAccount string
	accountGuessed  bool
	sameAccount     bool
}

func (r *parsedRequest) userID() string {
	c := &r.caller
	switch {
	case c.kind == callerAnonymous:
		return "anonymous"
	case c.kind == callerRoot:
		return c.account
	case c.kind == callerRole && c.session != "" && r.PrincipalID != "" && !strings.Contains(r.PrincipalID, ":"):
		return r.PrincipalID + ":" + c.session
	}
	return r.PrincipalID
}
