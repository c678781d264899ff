package sandbox

import "time"

type callerKind int

const (
	anonymous callerKind = iota
	rootUser
	iamUser
	roleSession
	federated // an identity provider's, without credentials of its own
)

// caller is an authenticated principal, or the anonymous one.
type caller struct {
	kind    callerKind
	account string
	arn     string // "*" for the anonymous caller
	id      string // "AIDA…", "AROA…:session", or the account id for root
	key     string // access key id
	user    *user
	session *session
	subject string // of a federated caller
}

// anonymousCaller has no account.
func anonymousCaller() *caller { return &caller{kind: anonymous, arn: "*", id: "anonymous"} }

// caller is who signs with k in this session of its; nil: in none. A session is
// replaced when it is ended, so it is looked at once, under the lock.
func (k *accessKey) caller(s *session) *caller {
	c := &caller{account: k.account, key: k.id, session: s}
	switch {
	case s != nil && s.role != nil:
		c.kind = roleSession
		c.arn = "arn:aws:sts::" + k.account + ":assumed-role/" + s.role.name + "/" + s.name
		c.id = s.role.id + ":" + s.name
	case k.user != nil:
		c.kind, c.user = iamUser, k.user
		c.arn, c.id = k.user.arn, k.user.id
	default:
		c.kind, c.arn, c.id = rootUser, rootARN(k.account), k.account
	}
	return c
}

func (c *caller) roleARN() string {
	if c.kind != roleSession {
		return ""
	}
	return c.session.role.arn
}

// context holds the condition keys that come with the caller.
func (c *caller) context() map[string][]string {
	ctx := map[string][]string{}
	set := func(key, value string) { ctx[key] = []string{value} }
	switch c.kind {
	case anonymous:
		set("aws:PrincipalType", "Anonymous")
		set("aws:userid", c.id)
		return ctx
	case rootUser:
		set("aws:PrincipalType", "Account")
		set("aws:PrincipalArn", c.arn)
	case iamUser:
		set("aws:PrincipalType", "User")
		set("aws:PrincipalArn", c.arn)
		set("aws:username", c.user.name)
		for _, t := range c.user.tags {
			set("aws:PrincipalTag/"+t.Key, t.Value)
		}
	case roleSession:
		s := c.session
		set("aws:PrincipalType", "AssumedRole")
		set("aws:PrincipalArn", s.role.arn)
		set("aws:TokenIssueTime", s.issued.UTC().Format(time.RFC3339))
		set("aws:MultiFactorAuthPresent", "false")
		for _, t := range s.role.tags {
			set("aws:PrincipalTag/"+t.Key, t.Value)
		}
		for _, t := range s.tags {
			set("aws:PrincipalTag/"+t.Key, t.Value)
		}
		if s.source != "" {
			set("aws:SourceIdentity", s.source)
		}
		if s.provider != "" {
			set("aws:FederatedProvider", s.provider)
		}
		for k, v := range s.claims {
			set(k, v)
		}
	case federated:
		return ctx
	}
	if c.session != nil && c.kind != roleSession {
		set("aws:TokenIssueTime", c.session.issued.UTC().Format(time.RFC3339))
		set("aws:MultiFactorAuthPresent", "false")
	}
	set("aws:userid", c.id)
	set("aws:PrincipalAccount", c.account)
	set("aws:PrincipalIsAWSService", "false")
	return ctx
}
