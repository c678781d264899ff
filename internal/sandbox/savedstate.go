package sandbox

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// The form in which all but objects and uploads is kept, in state.json. A test
// fills every field of the world and fails when one is lost on the way.

// stateVersion changes when older sandboxes could not read the form.
const stateVersion = 1

type savedState struct {
	Version                    int
	AccountA, AccountB, Region string
	IssuerKey                  []byte // PKCS #8
	Accounts                   []savedAccount
	Keys                       []savedKey
	Buckets                    []savedBucket
	KMSKeys                    []savedKMSKey
	Aliases                    map[string]*kmsAlias
	Grants                     map[string]*kmsGrant
}

type savedAccount struct {
	ID, Alias string
	Guard     *Guardrails                  `json:",omitempty"`
	Block     *iampolicy.PublicAccessBlock `json:",omitempty"`
	Trails    map[string]*savedTrail       `json:",omitempty"`
	Roles     []savedRole
	Users     []savedUser
	Groups    []savedGroup
	Policies  map[string]*managedPolicy
	Profiles  map[string]*instanceProfile
	Providers map[string]*oidcProvider
}

// savedPolicy is a policy with principals, with the ids that they are kept by.
type savedPolicy struct {
	Text  string
	Named []savedPrincipal `json:",omitempty"`
}

type savedPrincipal struct {
	Start, End int
	ID         string
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

type savedBucket struct {
	Name, Region, Account string
	Created               time.Time
	Policy                *savedPolicy `json:",omitempty"`
	Encryption            savedEncryption
	Ownership, Versioning string
	Block                 *iampolicy.PublicAccessBlock `json:",omitempty"`
	Lock                  *bucketLock                  `json:",omitempty"`
	Config                bucketConfig
}

type savedEncryption struct {
	Algorithm, KeyRef, Blocked string
	BucketKey                  bool
}

type savedKMSKey struct {
	ARN, ID, Region, Account, Description string
	Policy                                savedPolicy
	Managed, Disabled                     bool
	Deletion, Created                     time.Time
	Tags                                  []tag `json:",omitempty"`
	Facts                                 kmsKeyFacts
}

func savePolicy(p *storedPolicy) savedPolicy {
	out := savedPolicy{Text: p.text}
	for _, n := range p.named {
		out.Named = append(out.Named, savedPrincipal{n.start, n.end, n.id})
	}
	return out
}

func (n namedDocuments) save() map[string]string {
	out := map[string]string{}
	for name, p := range n {
		out[name] = p.text
	}
	return out
}

// sorted gives the values of a map in the order of its keys, so that the same
// state is always written the same.
func sorted[V, S any](m map[string]V, save func(V) S) []S {
	var out []S
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, save(m[k]))
	}
	return out
}

// save renders the state. The caller holds mu.
func (w *world) save(o Options) ([]byte, error) {
	issuer, err := x509.MarshalPKCS8PrivateKey(w.issuerKey)
	if err != nil {
		return nil, fmt.Errorf("rendering the issuer's key: %w", err)
	}
	data, err := json.MarshalIndent(savedState{
		Version: stateVersion, AccountA: o.AccountA, AccountB: o.AccountB, Region: o.Region, IssuerKey: issuer,
		Accounts: sorted(w.accounts, (*account).save), Keys: sorted(w.keys, (*accessKey).save), Buckets: sorted(w.buckets, (*bucket).save),
		KMSKeys: sorted(w.kmsKeys, (*kmsKey).save), Aliases: w.kmsAliases, Grants: w.kmsGrants,
	}, "", " ")
	if err != nil {
		return nil, fmt.Errorf("rendering the state: %w", err)
	}
	return data, nil
}

func (a *account) save() savedAccount {
	out := savedAccount{
		ID: a.id, Alias: a.alias, Policies: a.policies, Profiles: a.profiles, Providers: a.providers,
		Roles: sorted(a.roles, (*role).save), Users: sorted(a.users, (*user).save),
		Groups: sorted(a.groups, func(g *group) savedGroup { return savedGroup{*g, g.inline.save()} }),
	}
	out.Block, out.Trails = a.block, a.trails
	if a.guard != nil {
		out.Guard = &a.guard.given
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

func (b *bucket) save() savedBucket {
	out := savedBucket{
		Name: b.name, Region: b.region, Account: b.account, Created: b.created, Ownership: b.ownership, Versioning: b.versioning,
		Encryption: savedEncryption{b.encryption.algorithm, b.encryption.keyRef, b.encryption.blocked, b.encryption.bucketKey},
		Block:      b.block, Lock: b.lock, Config: b.conf,
	}
	if b.policy != nil {
		p := savePolicy(b.policy)
		out.Policy = &p
	}
	return out
}

func (k *kmsKey) save() savedKMSKey {
	return savedKMSKey{
		ARN: k.arn, ID: k.id, Region: k.region, Account: k.account, Description: k.description, Policy: savePolicy(k.policy),
		Managed: k.managed, Disabled: k.disabled, Deletion: k.deletion, Created: k.created, Tags: k.tags, Facts: k.kmsKeyFacts,
	}
}

// readState reads state.json; nil when there is none yet.
func readState(dir string) (*savedState, error) {
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the data directory: %w", err)
	}
	var s savedState
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Join(dir, stateFile), err)
	}
	if s.Version != stateVersion {
		return nil, fmt.Errorf("%s was written by another version of the sandbox (form %d, this one reads %d): use another directory", filepath.Join(dir, stateFile), s.Version, stateVersion)
	}
	return &s, nil
}

// adopt takes over what the options leave open, and refuses options that
// contradict the state.
func (s *savedState) adopt(o *Options) error {
	for _, f := range []struct {
		name  string
		given *string
		kept  string
	}{{"account A", &o.AccountA, s.AccountA}, {"account B", &o.AccountB, s.AccountB}, {"the Region", &o.Region, s.Region}} {
		if *f.given != "" && *f.given != f.kept {
			return fmt.Errorf("data directory %s: %s is %s there, not %s: use another directory", o.DataDir, f.name, f.kept, *f.given)
		}
		*f.given = f.kept
	}
	return nil
}

// restore fills a new world from a state.
func (w *world) restore(s *savedState, given map[string]Credentials) error {
	key, err := x509.ParsePKCS8PrivateKey(s.IssuerKey)
	if err != nil {
		return fmt.Errorf("reading the issuer's key: %w", err)
	}
	issuer, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return errors.New("the issuer's key is of another kind")
	}
	w.issuerKey = issuer
	for i := range s.Accounts {
		if err := w.restoreIdentities(&s.Accounts[i]); err != nil {
			return err
		}
	}
	w.generation++ // all entities are known now: policies can be read
	for i := range s.Accounts {
		if err := w.restoreTrust(&s.Accounts[i]); err != nil {
			return err
		}
	}
	for i := range s.Keys {
		if err := w.restoreKey(&s.Keys[i], given); err != nil {
			return err
		}
	}
	w.kmsAliases, w.kmsGrants = s.Aliases, s.Grants
	for i := range s.KMSKeys {
		k := &s.KMSKeys[i]
		policy, err := w.restorePolicy(k.Policy)
		if err != nil {
			return err
		}
		w.kmsKeys[k.ARN] = &kmsKey{
			arn: k.ARN, id: k.ID, region: k.Region, account: k.Account, description: k.Description, policy: policy, managed: k.Managed, disabled: k.Disabled,
			deletion: k.Deletion, created: k.Created, tags: k.Tags, kmsKeyFacts: k.Facts,
		}
	}
	for i := range s.Buckets {
		if err := w.restoreBucket(&s.Buckets[i]); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) restorePolicy(s savedPolicy) (*storedPolicy, error) {
	p := &storedPolicy{text: s.Text, generation: w.generation}
	for _, n := range s.Named {
		if n.Start < 0 || n.Start > n.End || n.End > len(s.Text) {
			return nil, errors.New("a policy's principal is outside of its text")
		}
		p.named = append(p.named, namedPrincipal{n.Start, n.End, n.ID})
	}
	var err error
	p.current, p.doc, err = w.read(p)
	return p, err
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
func (w *world) restoreIdentities(s *savedAccount) error {
	acct := newAccount(s.ID)
	acct.alias, acct.profiles, acct.providers, acct.policies = s.Alias, s.Profiles, s.Providers, s.Policies
	w.accounts[s.ID] = acct
	for _, p := range acct.policies {
		for _, v := range p.Versions {
			var err error
			if v.doc, err = iampolicy.Parse([]byte(v.Text)); err != nil {
				return fmt.Errorf("policy %s: %w", p.ARN, err)
			}
		}
	}
	for _, r := range s.Roles {
		inline, err := restoreDocuments(r.Inline)
		if err != nil {
			return err
		}
		made := &role{
			entity: entity{r.ARN, r.ID}, name: r.Name, path: r.Path, account: s.ID, description: r.Description, maxSession: r.MaxSession, inline: inline,
			grants: r.Grants, tags: r.Tags, created: r.Created, lastUsed: r.LastUsed, lastIn: r.LastIn,
		}
		acct.roles[r.Name], w.ids[r.ID] = made, made.entity
	}
	for _, u := range s.Users {
		inline, err := restoreDocuments(u.Inline)
		if err != nil {
			return err
		}
		made := &user{entity: entity{u.ARN, u.ID}, name: u.Name, path: u.Path, account: s.ID, inline: inline, grants: u.Grants, tags: u.Tags, created: u.Created}
		acct.users[u.Name], w.ids[u.ID] = made, made.entity
	}
	for _, g := range s.Groups {
		inline, err := restoreDocuments(g.Inline)
		if err != nil {
			return err
		}
		made := g.Group
		made.inline = inline
		acct.groups[made.Name] = &made
	}
	acct.block = s.Block
	if s.Trails != nil {
		acct.trails = s.Trails
	}
	if s.Guard == nil {
		return nil
	}
	var err error
	acct.guard, err = parseGuardrails(*s.Guard)
	return err
}

func (w *world) restoreTrust(s *savedAccount) error {
	for _, r := range s.Roles {
		trust, err := w.restorePolicy(r.Trust)
		if err != nil {
			return fmt.Errorf("role %s: %w", r.Name, err)
		}
		w.accounts[s.ID].roles[r.Name].trust = trust
	}
	return nil
}

// restoreKey makes an access key again. Sessions of roles and users that are
// gone are gone, too. Root keys that the options give take the place of kept ones.
func (w *world) restoreKey(s *savedKey, given map[string]Credentials) error {
	k := &accessKey{id: s.ID, secret: s.Secret, account: s.Account, inactive: s.Inactive, created: s.Created, lastUsed: s.LastUsed, lastIn: s.LastIn, lastService: s.LastService}
	if s.UserID != "" {
		for _, u := range w.accounts[s.Account].users {
			if u.id == s.UserID {
				k.user = u
			}
		}
		if k.user == nil {
			return nil
		}
	}
	root := s.UserID == "" && s.Session == nil
	if root {
		if _, replaced := given[s.Account]; replaced {
			return nil
		}
		delete(w.keys, w.rootKeys[s.Account].AccessKeyID)
		w.rootKeys[s.Account] = Credentials{AccessKeyID: s.ID, SecretAccessKey: s.Secret}
	}
	if s.Session != nil {
		var err error
		if k.session, err = w.restoreSession(s.Session, s.Account); err != nil {
			return err
		}
		if s.Session.RoleID != "" && k.session.role == nil {
			return nil
		}
	}
	w.keys[k.id] = k
	return nil
}

func (w *world) restoreSession(s *savedSession, account string) (*session, error) {
	out := &session{
		token: s.Token, name: s.Name, issued: s.Issued, expires: s.Expires, tags: s.Tags, transit: map[string]bool{},
		source: s.Source, provider: s.Provider, claims: s.Claims,
	}
	for _, t := range s.Transit {
		out.transit[strings.ToLower(t)] = true
	}
	for _, text := range s.Policies {
		doc, err := iampolicy.Parse([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("a session policy: %w", err)
		}
		out.policies = append(out.policies, &iampolicyText{text, doc})
	}
	for _, r := range w.accounts[account].roles {
		if r.id == s.RoleID {
			out.role = r
		}
	}
	return out, nil
}

func (w *world) restoreBucket(s *savedBucket) error {
	b := &bucket{
		world: w, name: s.Name, region: s.Region, account: s.Account, created: s.Created, ownership: s.Ownership, versioning: s.Versioning,
		encryption: bucketEncryption{algorithm: s.Encryption.Algorithm, keyRef: s.Encryption.KeyRef, bucketKey: s.Encryption.BucketKey, blocked: s.Encryption.Blocked},
		block:      s.Block, lock: s.Lock, conf: s.Config, versions: map[string][]*object{}, uploads: map[string]*multipart{},
	}
	if s.Policy != nil {
		var err error
		if b.policy, err = w.restorePolicy(*s.Policy); err != nil {
			return fmt.Errorf("bucket %s: %w", s.Name, err)
		}
	}
	w.buckets[b.name] = b
	return nil
}
