package iam

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Identity is IAM's record of a caller: the user or the session behind an access key.
type Identity struct {
	iam     *Service
	account string
	User    *user    // nil for root and for sessions of roles
	Session *Session // nil for long-term keys
}

// IdentityOf returns IAM's record of a caller; an empty one for callers that
// IAM does not know.
func IdentityOf(c *kernel.Caller) *Identity {
	if id, ok := c.Identity.(*Identity); ok {
		return id
	}
	return &Identity{}
}

// CallerLocked is the caller that signs with k in a session; nil: with long-term
// keys. A session is replaced when it is ended, so it is read once.
// The caller holds mu.
func (s *Service) CallerLocked(k *AccessKey, in *Session) *kernel.Caller {
	id := &Identity{iam: s, account: k.Account, User: k.User, Session: in}
	c := &kernel.Caller{Account: k.Account, Key: k.ID, Identity: id}
	switch {
	case in != nil && in.Role != nil:
		c.Kind, c.RoleARN, c.EntityID, c.Name = kernel.RoleSession, in.Role.arn, in.Role.ID, in.Role.name
		c.ARN = "arn:aws:sts::" + k.Account + ":assumed-role/" + in.Role.name + "/" + in.Name
		c.ID = in.Role.ID + ":" + in.Name
	case k.User != nil:
		c.Kind, c.Name, c.EntityID = kernel.IAMUser, k.User.name, k.User.ID
		c.ARN, c.ID = k.User.arn, k.User.ID
	default:
		c.Kind, c.ARN, c.ID = kernel.RootUser, kernel.RootARN(k.Account), k.Account
	}
	if in != nil {
		c.Temporary, c.Issued, c.Source = true, in.Issued, in.Source
	}
	c.Conditions = id.conditions(c)
	return c
}

// conditions are the condition keys that come with a caller.
func (id *Identity) conditions(c *kernel.Caller) map[string][]string {
	ctx := map[string][]string{}
	set := func(key, value string) { ctx[key] = []string{value} }
	switch c.Kind {
	case kernel.RootUser:
		set("aws:PrincipalType", "Account")
		set("aws:PrincipalArn", c.ARN)
	case kernel.IAMUser:
		set("aws:PrincipalType", "User")
		set("aws:PrincipalArn", c.ARN)
		set("aws:username", id.User.name)
		for _, t := range id.User.tags {
			set("aws:PrincipalTag/"+t.Key, t.Value)
		}
	case kernel.RoleSession:
		in := id.Session
		set("aws:PrincipalType", "AssumedRole")
		set("aws:PrincipalArn", in.Role.arn)
		for _, t := range in.Role.tags {
			set("aws:PrincipalTag/"+t.Key, t.Value)
		}
		for _, t := range in.Tags {
			set("aws:PrincipalTag/"+t.Key, t.Value)
		}
		if in.Source != "" {
			set("aws:SourceIdentity", in.Source)
		}
		if in.Provider != "" {
			set("aws:FederatedProvider", in.Provider)
		}
		for k, v := range in.Claims {
			set(k, v)
		}
	}
	if id.Session != nil {
		set("aws:TokenIssueTime", id.Session.Issued.UTC().Format(time.RFC3339))
		set("aws:MultiFactorAuthPresent", "false")
	}
	set("aws:userid", c.ID)
	set("aws:PrincipalAccount", c.Account)
	set("aws:PrincipalIsAWSService", "false")
	return ctx
}

// Policies reads the caller's policies as they are now: changes and deletions
// after AssumeRole count. It takes mu.
func (id *Identity) Policies() *kernel.OwnPolicies {
	id.iam.Mu.RLock()
	defer id.iam.Mu.RUnlock()
	return id.policiesLocked()
}

// policiesLocked is policies for callers that hold IAM's mu.
func (id *Identity) policiesLocked() *kernel.OwnPolicies {
	out := &kernel.OwnPolicies{}
	s := id.iam
	switch {
	case s == nil:
	case id.Session != nil && id.Session.Role != nil:
		r := id.Session.Role
		out.Identity, out.Boundary = s.entityPolicies(id.account, r.inline, &r.grants)
		if id.Session.Policies != nil {
			out.Session = []iampolicy.NamedPolicy{}
			for i, p := range id.Session.Policies {
				out.Session = append(out.Session, iampolicy.NamedPolicy{Name: fmt.Sprintf("session-%d", i), Policy: p.Doc})
			}
		}
	case id.User != nil:
		out.Identity, out.Boundary = s.entityPolicies(id.account, id.User.inline, &id.User.grants)
		for _, g := range s.accounts[id.account].groups {
			if slices.Contains(g.Members, id.User.name) {
				more, _ := s.entityPolicies(id.account, g.inline, &g.grants)
				out.Identity = append(out.Identity, more...)
			}
		}
	default:
		out.Identity = []iampolicy.NamedPolicy{{Name: "root", Policy: s.rootPolicy}}
	}
	return out
}

// entityPolicies are the inline and attached policies of one entity, and its boundary.
func (s *Service) entityPolicies(account string, inline namedDocuments, g *grants) (identity, boundary []iampolicy.NamedPolicy) {
	attached, boundary := g.documents(s, account)
	return append(inline.list(), attached...), boundary
}

func (n namedDocuments) list() []iampolicy.NamedPolicy {
	out := make([]iampolicy.NamedPolicy, 0, len(n))
	for _, name := range slices.Sorted(maps.Keys(n)) {
		out = append(out, iampolicy.NamedPolicy{Name: name, Policy: n[name].Doc})
	}
	return out
}

// ownLocked adds the caller's policies to a question. Callers that hold mu ask
// with it: the kernel would take mu a second time.
func (s *Service) ownLocked(a kernel.Access) kernel.Access {
	a.Own = IdentityOf(a.Caller).policiesLocked()
	return a
}

// DecideLocked asks the policy engine. The caller holds mu.
func (s *Service) DecideLocked(a kernel.Access) (iampolicy.Scenario, iampolicy.Result) {
	return s.k.Decide(s.ownLocked(a))
}

// AuthorizeLocked is Kernel.Authorize for callers that hold mu.
func (s *Service) AuthorizeLocked(cl *kernel.Request, a kernel.Access) *kernel.Error {
	return s.k.Authorize(cl, s.ownLocked(a))
}

// Signer looks an access key up. It returns nil for a key that is unknown or
// inactive, and for the sessions of roles and users that are deleted.
func (s *Service) Signer(accessKeyID string) *kernel.Signer {
	s.Mu.RLock()
	defer s.Mu.RUnlock()
	k := s.Keys[accessKeyID]
	if k == nil || k.inactive {
		return nil
	}
	out := &kernel.Signer{Secret: k.Secret}
	if in := k.Session; in != nil {
		// A session ends with its role or user: a new one of the same name is another principal.
		owner := ""
		switch {
		case in.Role != nil:
			owner = in.Role.ID
		case k.User != nil:
			owner = k.User.ID
		}
		if _, alive := s.ids[owner]; owner != "" && !alive {
			return nil
		}
		out.Token, out.Expires = in.Token, in.Expires
	}
	out.Caller = s.CallerLocked(k, k.Session)
	return out
}

// Used notes when a user's key or a role was used last.
func (s *Service) Used(accessKeyID, service, region string, now time.Time) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	k := s.Keys[accessKeyID]
	switch {
	case k == nil:
	case k.Session != nil && k.Session.Role != nil:
		k.Session.Role.lastUsed, k.Session.Role.lastIn = now, region
	case k.User != nil:
		k.lastUsed, k.lastService, k.lastIn = now, service, region
	}
}
