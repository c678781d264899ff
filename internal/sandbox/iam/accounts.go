package iam

import (
	"fmt"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Service is IAM of all accounts, and the keyring of everything that signs.
// mu guards all fields but the immutable ones.
type Service struct {
	k  *kernel.Kernel
	Mu sync.RWMutex

	accounts map[string]*account
	rootKeys map[string]kernel.Credentials
	Keys     map[string]*AccessKey // by access key id
	ids      map[string]entity     // live roles and users by unique id
	// generation counts creations and deletions of roles and users: stored
	// policies that name one are read again after each.
	generation  uint64
	rootPolicy  *iampolicy.Document       // immutable
	awsPolicies map[string]*managedPolicy // by ARN; immutable
}

// New makes the accounts that the kernel has. Root users without given keys get random ones.
func New(k *kernel.Kernel, rootKeys map[string]kernel.Credentials) (*Service, error) {
	rootPolicy, err := rootPolicyDocument()
	if err != nil {
		return nil, err
	}
	awsPolicies, err := newAWSPolicies(time.Now())
	if err != nil {
		return nil, err
	}
	s := &Service{
		k: k, accounts: map[string]*account{}, rootKeys: map[string]kernel.Credentials{}, Keys: map[string]*AccessKey{}, ids: map[string]entity{},
		rootPolicy: rootPolicy, awsPolicies: awsPolicies,
	}
	for id := range k.Accounts {
		s.accounts[id] = newAccount(id)
		creds, ok := rootKeys[id]
		if !ok {
			creds = kernel.Credentials{AccessKeyID: kernel.NewID("AKIA", 16), SecretAccessKey: kernel.NewSecret()}
		}
		s.rootKeys[id] = creds
		s.Keys[creds.AccessKeyID] = &AccessKey{ID: creds.AccessKeyID, Secret: creds.SecretAccessKey, Account: id, created: time.Now()}
	}
	return s, nil
}

// RootKeysOf returns the access keys of an account's root user; zero for an unknown account.
func (s *Service) RootKeysOf(account string) kernel.Credentials {
	s.Mu.RLock()
	defer s.Mu.RUnlock()
	return s.rootKeys[account]
}

type account struct {
	id        string
	alias     string
	roles     map[string]*Role // by name
	users     map[string]*user
	groups    map[string]*group
	policies  map[string]*managedPolicy // by ARN
	profiles  map[string]*instanceProfile
	providers map[string]*oidcProvider // by ARN
}

func newAccount(id string) *account {
	return &account{
		id: id, roles: map[string]*Role{}, users: map[string]*user{}, groups: map[string]*group{}, policies: map[string]*managedPolicy{},
		profiles: map[string]*instanceProfile{}, providers: map[string]*oidcProvider{},
	}
}

// entity is a role or a user.
type entity struct {
	arn string
	ID  string
}

type namedDocuments map[string]*PolicyText

// Role is an IAM role. IAM's lock guards it.
type Role struct {
	entity
	name, path, Account string
	description         string
	MaxSession          time.Duration
	Trust               *StoredPolicy
	inline              namedDocuments
	grants
	tags     []kernel.Tag
	created  time.Time
	lastUsed time.Time // zero: never
	lastIn   string    // Region of the last use
}

type user struct {
	entity
	name, path, account string
	inline              namedDocuments
	grants
	tags    []kernel.Tag
	created time.Time
}

// PolicyText is an identity policy: no principals, so it never changes meaning.
type PolicyText struct {
	Text string
	Doc  *iampolicy.Document
}

// AccessKey is a long-term key of a root user or a user, or a session's key.
type AccessKey struct {
	ID, Secret string
	Account    string
	User       *user // nil for root and for sessions of roles
	Session    *Session
	inactive   bool
	created    time.Time
	// The last use of the key: time, Region and service.
	lastUsed            time.Time
	lastIn, lastService string
}

// Session is a session that STS made. It is immutable.
type Session struct {
	Token    string
	Role     *Role // nil for the sessions of GetSessionToken, which are the user's
	Name     string
	Expires  time.Time
	Issued   time.Time
	Policies []*PolicyText // nil: no session policy
	Tags     []kernel.Tag
	Transit  map[string]bool   // transitive tag keys, lower case
	Source   string            // source identity
	Provider string            // ARN of the identity provider, for web identities
	Claims   map[string]string // condition keys that the token gave
}

func roleARN(account, path, name string) string {
	return "arn:aws:iam::" + account + ":role" + path + name
}

func userARN(account, path, name string) string {
	return "arn:aws:iam::" + account + ":user" + path + name
}

func rootPolicyDocument() (*iampolicy.Document, error) {
	doc, err := iampolicy.Parse(
		[]byte(`{"Version":"2012-10-17","Statement":[{"Sid":"RootUser","Effect":"Allow","Action":"*","Resource":"*"}]}`),
	)
	if err != nil {
		return nil, fmt.Errorf("parsing the root user's policy: %w", err)
	}
	return doc, nil
}
