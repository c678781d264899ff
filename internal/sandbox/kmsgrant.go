package sandbox

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// kmsGrant lets a principal use a key. It only ever allows.
type kmsGrant struct {
	ID             string // 64 hex digits
	KeyARN         string
	Name           string
	IssuingAccount string
	Grantee        kmsPrincipal
	Retiring       kmsPrincipal // zero: none
	Operations     []string
	Constraints    *kmsConstraints
	Created        time.Time
	Tokens         []string // every CreateGrant that led here gave one
}

// kmsPrincipal is a principal of a grant. A role or user is kept by its unique
// id: another one of the name is not meant.
type kmsPrincipal struct {
	ARN      string
	EntityID string // "AROA…", "AIDA…"; empty for accounts and sessions
}

// kmsConstraints limit a grant to requests with an encryption context.
type kmsConstraints struct {
	EncryptionContextSubset map[string]string `json:",omitempty"`
	EncryptionContextEquals map[string]string `json:",omitempty"`
}

// grantPrincipal resolves a principal of a grant.
func (s *kmsService) grantPrincipal(ref string) (kmsPrincipal, *apiError) {
	bad := jsonFail("InvalidArnException", "ARN does not refer to a valid principal: %s", ref)
	if !strings.HasPrefix(ref, "arn:") && !uniqueIDPattern.MatchString(ref) {
		return kmsPrincipal{}, bad
	}
	id, err := s.iam.resolvePrincipal("AWS", ref)
	if err != nil {
		return kmsPrincipal{}, bad
	}
	return kmsPrincipal{ARN: ref, EntityID: id}, nil
}

// principalNow is the ARN of a principal, or the unique id of one that is deleted.
func (s *kmsService) principalNow(p kmsPrincipal) string {
	if p.EntityID == "" {
		return p.ARN
	}
	if arn := s.iam.arnOf(p.EntityID); arn != "" {
		return arn
	}
	return p.EntityID
}

// is says whether a caller is the principal, or acts in the role that it is.
func (p kmsPrincipal) is(c *caller) bool {
	switch {
	case p.ARN == "":
		return false
	case p.EntityID != "":
		return c.entityID == p.EntityID
	case strings.HasSuffix(p.ARN, ":root"):
		return p.ARN == rootARN(c.account)
	}
	return p.ARN == c.arn
}

// allows says whether the grant covers a request, whoever makes it.
func (g *kmsGrant) allows(q kmsRequest) bool {
	if !slices.Contains(g.Operations, q.operation) {
		return false
	}
	switch {
	case q.operation == "CreateGrant":
		return q.grant != nil && g.covers(q.grant)
	case takesContext(q.operation):
		return g.Constraints.met(q.encryption)
	}
	return true
}

// covers says whether a grantee may pass on what another grant gives: no more
// operations, and no looser constraints.
func (g *kmsGrant) covers(other *kmsGrant) bool {
	for _, op := range other.Operations {
		if !slices.Contains(g.Operations, op) {
			return false
		}
	}
	c := g.Constraints
	if c == nil {
		return true
	}
	o := other.Constraints
	if o == nil {
		return false
	}
	if c.EncryptionContextEquals != nil {
		return maps.Equal(c.EncryptionContextEquals, o.EncryptionContextEquals)
	}
	narrow := o.EncryptionContextEquals
	if narrow == nil {
		narrow = o.EncryptionContextSubset
	}
	return c.met(narrow)
}

func (c *kmsConstraints) met(encryption map[string]string) bool {
	if c == nil {
		return true
	}
	if c.EncryptionContextEquals != nil && !maps.Equal(c.EncryptionContextEquals, encryption) {
		return false
	}
	for name, value := range c.EncryptionContextSubset {
		if got, ok := encryption[name]; !ok || got != value {
			return false
		}
	}
	return true
}

// grantedPrincipal finds the principal by which a grant lets the caller do what
// is asked; "" for none.
func (s *kmsService) grantedPrincipal(c *caller, q kmsRequest) string {
	if q.operation == "RetireGrant" {
		g := q.grant
		if g != nil && g.Retiring.is(c) {
			return s.principalNow(g.Retiring)
		}
		if g != nil && g.Grantee.is(c) && slices.Contains(g.Operations, "RetireGrant") {
			return s.principalNow(g.Grantee)
		}
		return ""
	}
	for _, id := range slices.Sorted(maps.Keys(s.grants)) {
		if g := s.grants[id]; g.KeyARN == q.key.arn && g.Grantee.is(c) && g.allows(q) {
			return s.principalNow(g.Grantee)
		}
	}
	return ""
}

// policyWithGrant is the key policy with a statement that says what a grant to
// the caller says, nil when there is no such grant. A grant counts as the key's
// side only: a deny in the policy still wins, boundary and session policy of a
// role still limit, and a caller of another account needs its own policies to
// allow as well [unverified].
func (s *kmsService) policyWithGrant(text string, c *caller, q kmsRequest) *iampolicy.Document {
	principal := s.grantedPrincipal(c, q)
	if principal == "" {
		return nil
	}
	var doc map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &doc) != nil {
		return nil
	}
	var statements []json.RawMessage
	if json.Unmarshal(doc["Statement"], &statements) != nil {
		statements = []json.RawMessage{doc["Statement"]}
	}
	grant, err := json.Marshal(map[string]any{
		"Effect": "Allow", "Principal": map[string]string{"AWS": principal}, "Action": "kms:" + q.operation, "Resource": "*",
	})
	if err != nil {
		return nil
	}
	if doc["Statement"], err = json.Marshal(append(statements, grant)); err != nil {
		return nil
	}
	whole, err := json.Marshal(doc)
	if err != nil {
		return nil
	}
	parsed, err := iampolicy.Parse(whole)
	if err != nil {
		return nil
	}
	return parsed
}

// checkGrantTokens refuses tokens that no grant has.
func (s *kmsService) checkGrantTokens(tokens []string) error {
	if len(tokens) > 10 {
		return kmsInvalid("Value at 'grantTokens' failed to satisfy constraint: Member must have length less than or equal to 10")
	}
	for _, token := range tokens {
		if s.grantOfToken(token) == nil {
			return invalidGrantToken()
		}
	}
	return nil
}

func invalidGrantToken() *apiError {
	return jsonFail("InvalidGrantTokenException", "The grant token is not valid.") // [unverified] wording
}

func (s *kmsService) grantOfToken(token string) *kmsGrant {
	for _, g := range s.grants {
		if slices.Contains(g.Tokens, token) {
			return g
		}
	}
	return nil
}
