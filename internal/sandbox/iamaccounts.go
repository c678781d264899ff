package sandbox

import (
	"fmt"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// iamService is IAM of all accounts, and the keyring of everything that signs.
// mu guards all fields but the immutable ones.
type iamService struct {
	k  *kernel
	mu sync.RWMutex

	accounts map[string]*account
	rootKeys map[string]Credentials
	keys     map[string]*accessKey // by access key id
	ids      map[string]entity     // live roles and users by unique id
	// generation counts creations and deletions of roles and users: stored
	// policies that name one are read again after each.
	generation  uint64
	rootPolicy  *iampolicy.Document       // immutable
	awsPolicies map[string]*managedPolicy // by ARN; immutable
}

// newIAM makes the accounts that the kernel has. Root users without given keys get random ones.
func newIAM(k *kernel, rootKeys map[string]Credentials) (*iamService, error) {
	rootPolicy, err := rootPolicyDocument()
	if err != nil {
		return nil, err
	}
	awsPolicies, err := newAWSPolicies(time.Now())
	if err != nil {
		return nil, err
	}
	s := &iamService{
		k: k, accounts: map[string]*account{}, rootKeys: map[string]Credentials{}, keys: map[string]*accessKey{}, ids: map[string]entity{},
		rootPolicy: rootPolicy, awsPolicies: awsPolicies,
	}
	for id := range k.accounts {
		s.accounts[id] = newAccount(id)
		creds, ok := rootKeys[id]
		if !ok {
			creds = Credentials{AccessKeyID: newID("AKIA", 16), SecretAccessKey: newSecret()}
		}
		s.rootKeys[id] = creds
		s.keys[creds.AccessKeyID] = &accessKey{id: creds.AccessKeyID, secret: creds.SecretAccessKey, account: id, created: time.Now()}
	}
	return s, nil
}

// rootKeysOf returns the access keys of an account's root user; zero for an unknown account.
func (s *iamService) rootKeysOf(account string) Credentials {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.rootKeys[account]
}

type account struct {
	id        string
	alias     string
	roles     map[string]*role // by name
	users     map[string]*user
	groups    map[string]*group
	policies  map[string]*managedPolicy // by ARN
	profiles  map[string]*instanceProfile
	providers map[string]*oidcProvider // by ARN
}

func newAccount(id string) *account {
	return &account{
		id: id, roles: map[string]*role{}, users: map[string]*user{}, groups: map[string]*group{}, policies: map[string]*managedPolicy{},
		profiles: map[string]*instanceProfile{}, providers: map[string]*oidcProvider{},
	}
}

// entity is a role or a user.
type entity struct {
	arn string
	id  string
}

type namedDocuments map[string]*iampolicyText

type role struct {
	entity
	name, path, account string
	description         string
	maxSession          time.Duration
	trust               *storedPolicy
	inline              namedDocuments
	grants
	tags     []tag
	created  time.Time
	lastUsed time.Time // zero: never
	lastIn   string    // Region of the last use
}

type user struct {
	entity
	name, path, account string
	inline              namedDocuments
	grants
	tags    []tag
	created time.Time
}

// iampolicyText is an identity policy: no principals, so it never changes meaning.
type iampolicyText struct {
	text string
	doc  *iampolicy.Document
}

// accessKey is a long-term key of a root user or a user, or a session's key.
type accessKey struct {
	id, secret string
	account    string
	user       *user // nil for root and for sessions of roles
	session    *session
	inactive   bool
	created    time.Time
	// When, where and for what the key was used last.
	lastUsed            time.Time
	lastIn, lastService string
}

// session is what STS made. It is immutable.
type session struct {
	token    string
	role     *role // nil for the sessions of GetSessionToken, which are the user's
	name     string
	expires  time.Time
	issued   time.Time
	policies []*iampolicyText // nil: no session policy
	tags     []tag
	transit  map[string]bool   // transitive tag keys, lower case
	source   string            // source identity
	provider string            // ARN of the identity provider, for web identities
	claims   map[string]string // condition keys that the token gave
}

func roleARN(account, path, name string) string {
	return "arn:aws:iam::" + account + ":role" + path + name
}

func userARN(account, path, name string) string {
	return "arn:aws:iam::" + account + ":user" + path + name
}

func rootPolicyDocument() (*iampolicy.Document, error) {
	doc, err := iampolicy.Parse([]byte(`{"Version":"2012-10-17","Statement":[{"Sid":"RootUser","Effect":"Allow","Action":"*","Resource":"*"}]}`))
	if err != nil {
		return nil, fmt.Errorf("parsing the root user's policy: %w", err)
	}
	return doc, nil
}
