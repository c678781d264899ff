package sandbox

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// iamIdentity is IAM's record of a caller: the user or the session behind an access key.
type iamIdentity struct {
	iam     *iamService
	account string
	user    *user    // nil for root and for sessions of roles
	session *session // nil for long-term keys
}

// identityOf returns IAM's record of a caller; an empty one for callers that
// IAM does not know.
func identityOf(c *caller) *iamIdentity {
	if id, ok := c.identity.(*iamIdentity); ok {
		return id
	}
	return &iamIdentity{}
}

// callerLocked is the caller that signs with k in a session; nil: with long-term
// keys. A session is replaced when it is ended, so it is read once.
// The caller holds mu.
func (s *iamService) callerLocked(k *accessKey, in *session) *caller {
	id := &iamIdentity{iam: s, account: k.account, user: k.user, session: in}
	c := &caller{account: k.account, key: k.id, identity: id}
	switch {
	case in != nil && in.role != nil:
		c.kind, c.roleARN, c.entityID, c.name = roleSession, in.role.arn, in.role.id, in.role.name
		c.arn = "arn:aws:sts::" + k.account + ":assumed-role/" + in.role.name + "/" + in.name
		c.id = in.role.id + ":" + in.name
	case k.user != nil:
		c.kind, c.name, c.entityID = iamUser, k.user.name, k.user.id
		c.arn, c.id = k.user.arn, k.user.id
	default:
		c.kind, c.arn, c.id = rootUser, rootARN(k.account), k.account
	}
	if in != nil {
		c.temporary, c.issued, c.source = true, in.issued, in.source
	}
	c.conditions = id.conditions(c)
	return c
}

// conditions are the condition keys that come with a caller.
func (id *iamIdentity) conditions(c *caller) map[string][]string {
	ctx := map[string][]string{}
	set := func(key, value string) { ctx[key] = []string{value} }
	switch c.kind {
	case rootUser:
		set("aws:PrincipalType", "Account")
		set("aws:PrincipalArn", c.arn)
	case iamUser:
		set("aws:PrincipalType", "User")
		set("aws:PrincipalArn", c.arn)
		set("aws:username", id.user.name)
		for _, t := range id.user.tags {
			set("aws:PrincipalTag/"+t.Key, t.Value)
		}
	case roleSession:
		in := id.session
		set("aws:PrincipalType", "AssumedRole")
		set("aws:PrincipalArn", in.role.arn)
		for _, t := range in.role.tags {
			set("aws:PrincipalTag/"+t.Key, t.Value)
		}
		for _, t := range in.tags {
			set("aws:PrincipalTag/"+t.Key, t.Value)
		}
		if in.source != "" {
			set("aws:SourceIdentity", in.source)
		}
		if in.provider != "" {
			set("aws:FederatedProvider", in.provider)
		}
		for k, v := range in.claims {
			set(k, v)
		}
	}
	if id.session != nil {
		set("aws:TokenIssueTime", id.session.issued.UTC().Format(time.RFC3339))
		set("aws:MultiFactorAuthPresent", "false")
	}
	set("aws:userid", c.id)
	set("aws:PrincipalAccount", c.account)
	set("aws:PrincipalIsAWSService", "false")
	return ctx
}

// policies reads the caller's policies as they are now: changes and deletions
// after AssumeRole count. It takes mu.
func (id *iamIdentity) policies() *ownPolicies {
	id.iam.mu.RLock()
	defer id.iam.mu.RUnlock()
	return id.policiesLocked()
}

// policiesLocked is policies for callers that hold IAM's mu.
func (id *iamIdentity) policiesLocked() *ownPolicies {
	out := &ownPolicies{}
	s := id.iam
	switch {
	case s == nil:
	case id.session != nil && id.session.role != nil:
		r := id.session.role
		out.identity, out.boundary = s.entityPolicies(id.account, r.inline, &r.grants)
		if id.session.policies != nil {
			out.session = []iampolicy.NamedPolicy{}
			for i, p := range id.session.policies {
				out.session = append(out.session, iampolicy.NamedPolicy{Name: fmt.Sprintf("session-%d", i), Policy: p.doc})
			}
		}
	case id.user != nil:
		out.identity, out.boundary = s.entityPolicies(id.account, id.user.inline, &id.user.grants)
		for _, g := range s.accounts[id.account].groups {
			if slices.Contains(g.Members, id.user.name) {
				more, _ := s.entityPolicies(id.account, g.inline, &g.grants)
				out.identity = append(out.identity, more...)
			}
		}
	default:
		out.identity = []iampolicy.NamedPolicy{{Name: "root", Policy: s.rootPolicy}}
	}
	return out
}

// entityPolicies are the inline and attached policies of one entity, and its boundary.
func (s *iamService) entityPolicies(account string, inline namedDocuments, g *grants) (identity, boundary []iampolicy.NamedPolicy) {
	attached, boundary := g.documents(s, account)
	return append(inline.list(), attached...), boundary
}

func (n namedDocuments) list() []iampolicy.NamedPolicy {
	out := make([]iampolicy.NamedPolicy, 0, len(n))
	for _, name := range slices.Sorted(maps.Keys(n)) {
		out = append(out, iampolicy.NamedPolicy{Name: name, Policy: n[name].doc})
	}
	return out
}

// ownLocked adds the caller's policies to a question. Callers that hold mu ask
// with it: the kernel would take mu a second time.
func (s *iamService) ownLocked(a access) access {
	a.own = identityOf(a.caller).policiesLocked()
	return a
}

// decideLocked asks the policy engine. The caller holds mu.
func (s *iamService) decideLocked(a access) (iampolicy.Scenario, iampolicy.Result) {
	return s.k.decide(s.ownLocked(a))
}

// authorizeLocked decides a question whose denial is told in full. The caller holds mu.
func (s *iamService) authorizeLocked(cl *call, a access) *apiError {
	return s.k.authorize(cl, s.ownLocked(a))
}

// signer looks an access key up. It returns nil for a key that is unknown or
// inactive, and for the sessions of roles and users that are deleted.
func (s *iamService) signer(accessKeyID string) *signer {
	s.mu.RLock()
	defer s.mu.RUnlock()
	k := s.keys[accessKeyID]
	if k == nil || k.inactive {
		return nil
	}
	out := &signer{secret: k.secret}
	if in := k.session; in != nil {
		// A session ends with its role or user: a new one of the same name is another principal.
		owner := ""
		switch {
		case in.role != nil:
			owner = in.role.id
		case k.user != nil:
			owner = k.user.id
		}
		if _, alive := s.ids[owner]; owner != "" && !alive {
			return nil
		}
		out.token, out.expires = in.token, in.expires
	}
	out.caller = s.callerLocked(k, k.session)
	return out
}

// used notes when a user's key or a role was used last.
func (s *iamService) used(accessKeyID, service, region string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keys[accessKeyID]
	switch {
	case k == nil:
	case k.session != nil && k.session.role != nil:
		k.session.role.lastUsed, k.session.role.lastIn = now, region
	case k.user != nil:
		k.lastUsed, k.lastService, k.lastIn = now, service, region
	}
}
