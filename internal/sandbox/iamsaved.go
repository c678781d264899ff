package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// The form in which IAM is kept. A test fills every field of the accounts and
// fails when a field is lost on the way.

type savedIAM struct {
	Accounts []savedAccount
	Keys     []savedKey
}

type savedAccount struct {
	ID, Alias string
	Roles     []savedRole
	Users     []savedUser
	Groups    []savedGroup
	Policies  map[string]*managedPolicy
	Profiles  map[string]*instanceProfile
	Providers map[string]*oidcProvider
}

type savedRole struct {
	ARN, ID, Name, Path, Description string
	MaxSession                       time.Duration
	Trust                            savedPolicy
	Inline                           map[string]string `json:",omitempty"`
	Grants                           grants
	Tags                             []tag `json:",omitempty"`
	Created, LastUsed                time.Time
	LastIn                           string
}

type savedUser struct {
	ARN, ID, Name, Path string
	Inline              map[string]string `json:",omitempty"`
	Grants              grants
	Tags                []tag `json:",omitempty"`
	Created             time.Time
}

type savedGroup struct {
	Group  group
	Inline map[string]string `json:",omitempty"`
}

type savedKey struct {
	ID, Secret, Account string
	UserID              string        `json:",omitempty"`
	Session             *savedSession `json:",omitempty"`
	Inactive            bool          `json:",omitempty"`
	Created, LastUsed   time.Time
	LastIn, LastService string `json:",omitempty"`
}

type savedSession struct {
	Token, Name      string
	RoleID           string `json:",omitempty"`
	Issued, Expires  time.Time
	Policies         []string          `json:",omitempty"`
	Tags             []tag             `json:",omitempty"`
	Transit          []string          `json:",omitempty"`
	Source, Provider string            `json:",omitempty"`
	Claims           map[string]string `json:",omitempty"`
}

func (n namedDocuments) save() map[string]string {
	out := map[string]string{}
	for name, p := range n {
		out[name] = p.text
	}
	return out
}

// snapshot renders all accounts and access keys.
func (s *iamService) snapshot() (json.RawMessage, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return json.Marshal(savedIAM{Accounts: sorted(s.accounts, (*account).save), Keys: sorted(s.keys, (*accessKey).save)})
}

func (a *account) save() savedAccount {
	out := savedAccount{
		ID: a.id, Alias: a.alias, Policies: a.policies, Profiles: a.profiles, Providers: a.providers,
		Roles: sorted(a.roles, (*role).save), Users: sorted(a.users, (*user).save),
		Groups: sorted(a.groups, func(g *group) savedGroup { return savedGroup{*g, g.inline.save()} }),
	}
	return out
}

func (r *role) save() savedRole {
	return savedRole{
		ARN: r.arn, ID: r.id, Name: r.name, Path: r.path, Description: r.description, MaxSession: r.maxSession, Trust: savePolicy(r.trust),
		Inline: r.inline.save(), Grants: r.grants, Tags: r.tags, Created: r.created, LastUsed: r.lastUsed, LastIn: r.lastIn,
	}
}

func (u *user) save() savedUser {
	return savedUser{ARN: u.arn, ID: u.id, Name: u.name, Path: u.path, Inline: u.inline.save(), Grants: u.grants, Tags: u.tags, Created: u.created}
}

func (k *accessKey) save() savedKey {
	out := savedKey{
		ID: k.id, Secret: k.secret, Account: k.account, Inactive: k.inactive, Created: k.created,
		LastUsed: k.lastUsed, LastIn: k.lastIn, LastService: k.lastService,
	}
	if k.user != nil {
		out.UserID = k.user.id
	}
	if s := k.session; s != nil {
		out.Session = &savedSession{
			Token: s.token, Name: s.name, Issued: s.issued, Expires: s.expires, Tags: s.tags, Transit: slices.Sorted(maps.Keys(s.transit)),
			Source: s.source, Provider: s.provider, Claims: s.claims,
		}
		if s.role != nil {
			out.Session.RoleID = s.role.id
		}
		for _, p := range s.policies {
			out.Session.Policies = append(out.Session.Policies, p.text)
		}
	}
	return out
}

// restore replaces the accounts with those of a snapshot. Root keys that are given
// take the place of the kept ones.
func (s *iamService) restore(data json.RawMessage, given map[string]Credentials) error {
	var saved savedIAM
	if err := json.Unmarshal(data, &saved); err != nil {
		return fmt.Errorf("reading the accounts: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range saved.Accounts {
		if err := s.restoreIdentities(&saved.Accounts[i]); err != nil {
			return err
		}
	}
	s.generation++ // all entities are known now: policies can be read
	for i := range saved.Accounts {
		if err := s.restoreTrust(&saved.Accounts[i]); err != nil {
			return err
		}
	}
	for i := range saved.Keys {
		if err := s.restoreKey(&saved.Keys[i], given); err != nil {
			return err
		}
	}
	return nil
}

func restoreDocuments(texts map[string]string) (namedDocuments, error) {
	out := namedDocuments{}
	for name, text := range texts {
		doc, err := iampolicy.Parse([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("policy %s: %w", name, err)
		}
		out[name] = &iampolicyText{text, doc}
	}
	return out, nil
}

// restoreIdentities makes all that policies may name.
func (s *iamService) restoreIdentities(saved *savedAccount) error {
	acct := newAccount(saved.ID)
	acct.alias, acct.profiles, acct.providers, acct.policies = saved.Alias, saved.Profiles, saved.Providers, saved.Policies
	s.accounts[saved.ID] = acct
	for _, p := range acct.policies {
		for _, v := range p.Versions {
			var err error
			if v.doc, err = iampolicy.Parse([]byte(v.Text)); err != nil {
				return fmt.Errorf("policy %s: %w", p.ARN, err)
			}
		}
	}
	for _, r := range saved.Roles {
		inline, err := restoreDocuments(r.Inline)
		if err != nil {
			return err
		}
		made := &role{
			entity: entity{r.ARN, r.ID}, name: r.Name, path: r.Path, account: saved.ID, description: r.Description, maxSession: r.MaxSession, inline: inline,
			grants: r.Grants, tags: r.Tags, created: r.Created, lastUsed: r.LastUsed, lastIn: r.LastIn,
		}
		acct.roles[r.Name], s.ids[r.ID] = made, made.entity
	}
	for _, u := range saved.Users {
		inline, err := restoreDocuments(u.Inline)
		if err != nil {
			return err
		}
		made := &user{entity: entity{u.ARN, u.ID}, name: u.Name, path: u.Path, account: saved.ID, inline: inline, grants: u.Grants, tags: u.Tags, created: u.Created}
		acct.users[u.Name], s.ids[u.ID] = made, made.entity
	}
	for _, g := range saved.Groups {
		inline, err := restoreDocuments(g.Inline)
		if err != nil {
			return err
		}
		made := g.Group
		made.inline = inline
		acct.groups[made.Name] = &made
	}
	return nil
}

func (s *iamService) restoreTrust(saved *savedAccount) error {
	for _, r := range saved.Roles {
		trust, err := s.restorePolicyLocked(r.Trust)
		if err != nil {
			return fmt.Errorf("role %s: %w", r.Name, err)
		}
		s.accounts[saved.ID].roles[r.Name].trust = trust
	}
	return nil
}

// restoreKey makes an access key again. Sessions of roles and users that are
// gone are gone, too. Root keys that the options give take the place of kept ones.
func (s *iamService) restoreKey(saved *savedKey, given map[string]Credentials) error {
	k := &accessKey{id: saved.ID, secret: saved.Secret, account: saved.Account, inactive: saved.Inactive, created: saved.Created, lastUsed: saved.LastUsed, lastIn: saved.LastIn, lastService: saved.LastService}
	if saved.UserID != "" {
		for _, u := range s.accounts[saved.Account].users {
			if u.id == saved.UserID {
				k.user = u
			}
		}
		if k.user == nil {
			return nil
		}
	}
	root := saved.UserID == "" && saved.Session == nil
	if root {
		if _, replaced := given[saved.Account]; replaced {
			return nil
		}
		delete(s.keys, s.rootKeys[saved.Account].AccessKeyID)
		s.rootKeys[saved.Account] = Credentials{AccessKeyID: saved.ID, SecretAccessKey: saved.Secret}
	}
	if saved.Session != nil {
		var err error
		if k.session, err = s.restoreSession(saved.Session, saved.Account); err != nil {
			return err
		}
		if saved.Session.RoleID != "" && k.session.role == nil {
			return nil
		}
	}
	s.keys[k.id] = k
	return nil
}

func (s *iamService) restoreSession(saved *savedSession, account string) (*session, error) {
	out := &session{
		token: saved.Token, name: saved.Name, issued: saved.Issued, expires: saved.Expires, tags: saved.Tags, transit: map[string]bool{},
		source: saved.Source, provider: saved.Provider, claims: saved.Claims,
	}
	for _, t := range saved.Transit {
		out.transit[strings.ToLower(t)] = true
	}
	for _, text := range saved.Policies {
		doc, err := iampolicy.Parse([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("a session policy: %w", err)
		}
		out.policies = append(out.policies, &iampolicyText{text, doc})
	}
	for _, r := range s.accounts[account].roles {
		if r.id == saved.RoleID {
			out.role = r
		}
	}
	return out, nil
}
