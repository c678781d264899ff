package iam

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// IAM's part of state.json. A test fills every field of the accounts and fails when
// a field is not restored.

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
	Trust                            SavedPolicy
	Inline                           map[string]string `json:",omitempty"`
	Grants                           grants
	Tags                             []kernel.Tag `json:",omitempty"`
	Created, LastUsed                time.Time
	LastIn                           string
}

type savedUser struct {
	ARN, ID, Name, Path string
	Inline              map[string]string `json:",omitempty"`
	Grants              grants
	Tags                []kernel.Tag `json:",omitempty"`
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
	Tags             []kernel.Tag      `json:",omitempty"`
	Transit          []string          `json:",omitempty"`
	Source, Provider string            `json:",omitempty"`
	Claims           map[string]string `json:",omitempty"`
}

func (n namedDocuments) save() map[string]string {
	out := map[string]string{}
	for name, p := range n {
		out[name] = p.Text
	}
	return out
}

// Snapshot renders all accounts and access keys.
func (s *Service) Snapshot() (json.RawMessage, error) {
	s.Mu.RLock()
	defer s.Mu.RUnlock()
	return json.Marshal(savedIAM{Accounts: kernel.Sorted(s.accounts, (*account).save), Keys: kernel.Sorted(s.Keys, (*AccessKey).save)})
}

func (a *account) save() savedAccount {
	out := savedAccount{
		ID: a.id, Alias: a.alias, Policies: a.policies, Profiles: a.profiles, Providers: a.providers,
		Roles: kernel.Sorted(a.roles, (*Role).save), Users: kernel.Sorted(a.users, (*user).save),
		Groups: kernel.Sorted(a.groups, func(g *group) savedGroup { return savedGroup{*g, g.inline.save()} }),
	}
	return out
}

func (r *Role) save() savedRole {
	return savedRole{
		ARN: r.arn, ID: r.ID, Name: r.name, Path: r.path, Description: r.description, MaxSession: r.MaxSession, Trust: SavePolicy(r.Trust),
		Inline: r.inline.save(), Grants: r.grants, Tags: r.tags, Created: r.created, LastUsed: r.lastUsed, LastIn: r.lastIn,
	}
}

func (u *user) save() savedUser {
	return savedUser{
		ARN:     u.arn,
		ID:      u.ID,
		Name:    u.name,
		Path:    u.path,
		Inline:  u.inline.save(),
		Grants:  u.grants,
		Tags:    u.tags,
		Created: u.created,
	}
}

func (k *AccessKey) save() savedKey {
	out := savedKey{
		ID: k.ID, Secret: k.Secret, Account: k.Account, Inactive: k.inactive, Created: k.created,
		LastUsed: k.lastUsed, LastIn: k.lastIn, LastService: k.lastService,
	}
	if k.User != nil {
		out.UserID = k.User.ID
	}
	if s := k.Session; s != nil {
		out.Session = &savedSession{
			Token: s.Token, Name: s.Name, Issued: s.Issued, Expires: s.Expires, Tags: s.Tags, Transit: slices.Sorted(maps.Keys(s.Transit)),
			Source: s.Source, Provider: s.Provider, Claims: s.Claims,
		}
		if s.Role != nil {
			out.Session.RoleID = s.Role.ID
		}
		for _, p := range s.Policies {
			out.Session.Policies = append(out.Session.Policies, p.Text)
		}
	}
	return out
}

// Restore replaces the accounts with those of a snapshot. Root keys that are given
// take the place of the kept ones.
func (s *Service) Restore(data json.RawMessage, given map[string]kernel.Credentials) error {
	var saved savedIAM
	if err := json.Unmarshal(data, &saved); err != nil {
		return fmt.Errorf("reading the accounts: %w", err)
	}
	s.Mu.Lock()
	defer s.Mu.Unlock()
	r := restorer{iam: s, given: given}
	for i := range saved.Accounts {
		if err := r.identities(&saved.Accounts[i]); err != nil {
			return err
		}
	}
	s.generation++ // all entities are known now: policies can be read
	for i := range saved.Accounts {
		if err := r.trust(&saved.Accounts[i]); err != nil {
			return err
		}
	}
	for i := range saved.Keys {
		if err := r.key(&saved.Keys[i]); err != nil {
			return err
		}
	}
	return nil
}

// restorer takes the accounts and keys of a snapshot into a service. Root keys that are
// given take the place of the kept ones. The mutex of the service is held.
type restorer struct {
	iam   *Service
	given map[string]kernel.Credentials
}

func restoreDocuments(texts map[string]string) (namedDocuments, error) {
	out := namedDocuments{}
	for name, text := range texts {
		doc, err := iampolicy.Parse([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("policy %s: %w", name, err)
		}
		out[name] = &PolicyText{text, doc}
	}
	return out, nil
}

// identities makes all entities that policies may name.
func (r *restorer) identities(saved *savedAccount) error {
	acct := newAccount(saved.ID)
	acct.alias, acct.profiles, acct.providers, acct.policies = saved.Alias, saved.Profiles, saved.Providers, saved.Policies
	r.iam.accounts[saved.ID] = acct
	for _, p := range acct.policies {
		for _, v := range p.Versions {
			var err error
			if v.doc, err = iampolicy.Parse([]byte(v.Text)); err != nil {
				return fmt.Errorf("policy %s: %w", p.ARN, err)
			}
		}
	}
	for _, role := range saved.Roles {
		inline, err := restoreDocuments(role.Inline)
		if err != nil {
			return err
		}
		made := &Role{
			entity: entity{
				role.ARN,
				role.ID,
			}, name: role.Name, path: role.Path, Account: saved.ID, description: role.Description, MaxSession: role.MaxSession, inline: inline,
			grants: role.Grants, tags: role.Tags, created: role.Created, lastUsed: role.LastUsed, lastIn: role.LastIn,
		}
		acct.roles[role.Name], r.iam.ids[role.ID] = made, made.entity
	}
	for _, u := range saved.Users {
		inline, err := restoreDocuments(u.Inline)
		if err != nil {
			return err
		}
		made := &user{
			entity:  entity{u.ARN, u.ID},
			name:    u.Name,
			path:    u.Path,
			account: saved.ID,
			inline:  inline,
			grants:  u.Grants,
			tags:    u.Tags,
			created: u.Created,
		}
		acct.users[u.Name], r.iam.ids[u.ID] = made, made.entity
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

func (r *restorer) trust(saved *savedAccount) error {
	for _, role := range saved.Roles {
		trust, err := r.iam.restorePolicyLocked(role.Trust)
		if err != nil {
			return fmt.Errorf("role %s: %w", role.Name, err)
		}
		r.iam.accounts[saved.ID].roles[role.Name].Trust = trust
	}
	return nil
}

// key restores an access key, except for sessions of deleted roles and users. Root
// keys that the options give replace the stored ones.
func (r *restorer) key(saved *savedKey) error {
	k := &AccessKey{
		ID:          saved.ID,
		Secret:      saved.Secret,
		Account:     saved.Account,
		inactive:    saved.Inactive,
		created:     saved.Created,
		lastUsed:    saved.LastUsed,
		lastIn:      saved.LastIn,
		lastService: saved.LastService,
	}
	if saved.UserID != "" {
		for _, u := range r.iam.accounts[saved.Account].users {
			if u.ID == saved.UserID {
				k.User = u
			}
		}
		if k.User == nil {
			return nil
		}
	}
	root := saved.UserID == "" && saved.Session == nil
	if root {
		if _, replaced := r.given[saved.Account]; replaced {
			return nil
		}
		delete(r.iam.Keys, r.iam.rootKeys[saved.Account].AccessKeyID)
		r.iam.rootKeys[saved.Account] = kernel.Credentials{AccessKeyID: saved.ID, SecretAccessKey: saved.Secret}
	}
	if saved.Session != nil {
		var err error
		if k.Session, err = r.session(saved.Session, saved.Account); err != nil {
			return err
		}
		if saved.Session.RoleID != "" && k.Session.Role == nil {
			return nil
		}
	}
	r.iam.Keys[k.ID] = k
	return nil
}

func (r *restorer) session(saved *savedSession, account string) (*Session, error) {
	out := &Session{
		Token: saved.Token, Name: saved.Name, Issued: saved.Issued, Expires: saved.Expires, Tags: saved.Tags, Transit: map[string]bool{},
		Source: saved.Source, Provider: saved.Provider, Claims: saved.Claims,
	}
	for _, t := range saved.Transit {
		out.Transit[strings.ToLower(t)] = true
	}
	for _, text := range saved.Policies {
		doc, err := iampolicy.Parse([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("a session policy: %w", err)
		}
		out.Policies = append(out.Policies, &PolicyText{text, doc})
	}
	for _, role := range r.iam.accounts[account].roles {
		if role.ID == saved.RoleID {
			out.Role = role
		}
	}
	return out, nil
}
