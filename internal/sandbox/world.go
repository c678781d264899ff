package sandbox

import (
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// world is the state of both accounts. mu guards everything but the blobs and
// is never held while bytes move or a network is waited for.
type world struct {
	mu       sync.RWMutex
	home     string // region
	accounts map[string]*account
	rootKeys map[string]Credentials // immutable
	keys     map[string]*accessKey  // by access key id
	ids      map[string]entity      // live roles and users by unique id
	// generation counts creations and deletions of roles and users: stored
	// policies that name one are read anew after each.
	generation  uint64
	buckets     map[string]*bucket
	kmsKeys     map[string]*kmsKey   // by ARN
	kmsAliases  map[string]*kmsAlias // by alias ARN
	kmsGrants   map[string]*kmsGrant // by grant id
	endpoints   map[string]*vpcEndpoint
	order       uint64 // of the newest object version
	store       *store // nil: nothing is kept
	dirty       bool   // something that state.json holds changed
	blobs       *blobStore
	rootPolicy  *iampolicy.Document
	awsPolicies map[string]*managedPolicy // by ARN; immutable
	issuerKey   *ecdsa.PrivateKey         // signs web identity tokens
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
	guard     *guardrails              // nil: none
	block     *iampolicy.PublicAccessBlock
	trails    map[string]*savedTrail // by ARN
}

func newAccount(id string) *account {
	return &account{
		id: id, roles: map[string]*role{}, users: map[string]*user{}, groups: map[string]*group{}, policies: map[string]*managedPolicy{},
		profiles: map[string]*instanceProfile{}, providers: map[string]*oidcProvider{}, trails: map[string]*savedTrail{},
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

type tag struct {
	Key   string
	Value string
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

func newWorld(o Options, dir string) (*world, error) {
	rootPolicy, err := rootPolicyDocument()
	if err != nil {
		return nil, err
	}
	awsPolicies, err := newAWSPolicies(time.Now())
	if err != nil {
		return nil, err
	}
	issuerKey, err := newIssuerKey()
	if err != nil {
		return nil, err
	}
	w := &world{
		issuerKey:   issuerKey,
		awsPolicies: awsPolicies,
		home:        o.Region,
		accounts:    map[string]*account{},
		rootKeys:    map[string]Credentials{},
		keys:        map[string]*accessKey{},
		ids:         map[string]entity{},
		buckets:     map[string]*bucket{},
		kmsKeys:     map[string]*kmsKey{},
		kmsAliases:  map[string]*kmsAlias{},
		kmsGrants:   map[string]*kmsGrant{},
		endpoints:   map[string]*vpcEndpoint{},
		blobs:       &blobStore{dir: dir},
		rootPolicy:  rootPolicy,
	}
	for _, id := range []string{o.AccountA, o.AccountB} {
		w.accounts[id] = newAccount(id)
		creds, ok := o.RootKeys[id]
		if !ok {
			creds = Credentials{AccessKeyID: newID("AKIA", 16), SecretAccessKey: newSecret()}
		}
		w.rootKeys[id] = creds
		w.keys[creds.AccessKeyID] = &accessKey{id: creds.AccessKeyID, secret: creds.SecretAccessKey, account: id, created: time.Now()}
	}
	return w, nil
}

// newID makes ids of AWS's form: a prefix and capital letters and digits.
func newID(prefix string, n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw) // never fails, see crypto/rand
	return prefix + base32.StdEncoding.EncodeToString(raw)[:n]
}

func newSecret() string { return newHex(20) }

func newHex(bytes int) string {
	raw := make([]byte, bytes)
	_, _ = rand.Read(raw)
	return hex.EncodeToString(raw)
}

func newUUID() string {
	h := newHex(16)
	return fmt.Sprintf("%s-%s-4%s-a%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:])
}

func roleARN(account, path, name string) string {
	return "arn:aws:iam::" + account + ":role" + path + name
}

func userARN(account, path, name string) string {
	return "arn:aws:iam::" + account + ":user" + path + name
}

func rootARN(account string) string { return "arn:aws:iam::" + account + ":root" }
