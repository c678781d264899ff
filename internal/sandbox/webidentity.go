package sandbox

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"

	"github.com/golang-jwt/jwt/v5"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// AssumeRoleWithWebIdentity. The sandbox is the identity provider too: it
// signs tokens for any issuer, and STS takes tokens that it signed.

// anonymousSTS are the operations that need no signature.
var anonymousSTS = map[string]bool{"AssumeRoleWithWebIdentity": true}

// WebIdentity is what a token says.
type WebIdentity struct {
	Issuer   string            `json:"issuer"`   // https URL, as in the IAM identity provider
	Subject  string            `json:"subject"`  // "system:serviceaccount:NAMESPACE:NAME"
	Audience string            `json:"audience"` // empty: sts.amazonaws.com
	Lifetime Duration          `json:"lifetime"` // zero: one hour; negative: already expired
	Tags     map[string]string `json:"tags,omitempty"`
}

type webClaims struct {
	jwt.RegisteredClaims
	Tags *webTags `json:"https://aws.amazon.com/tags,omitempty"`
}

type webTags struct {
	Principal  map[string][]string `json:"principal_tags"`
	Transitive []string            `json:"transitive_tag_keys,omitempty"`
}

func newIssuerKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the key of the token issuer: %w", err)
	}
	return key, nil
}

// signWebIdentity makes a token as a Kubernetes cluster or another identity
// provider would.
func (s *stsService) signWebIdentity(id WebIdentity) (string, error) {
	if !strings.HasPrefix(id.Issuer, "https://") || id.Subject == "" {
		return "", errors.New("a web identity needs an issuer that starts with https:// and a subject")
	}
	if id.Audience == "" {
		id.Audience = "sts.amazonaws.com"
	}
	if id.Lifetime == 0 {
		id.Lifetime = Duration(time.Hour)
	}
	now := s.k.now()
	claims := webClaims{RegisteredClaims: jwt.RegisteredClaims{
		Issuer: id.Issuer, Subject: id.Subject, Audience: jwt.ClaimStrings{id.Audience}, ID: newUUID(),
		IssuedAt: jwt.NewNumericDate(now.Add(-time.Minute)), NotBefore: jwt.NewNumericDate(now.Add(-time.Minute)), ExpiresAt: jwt.NewNumericDate(now.Add(time.Duration(id.Lifetime))),
	}}
	if len(id.Tags) > 0 {
		claims.Tags = &webTags{Principal: map[string][]string{}}
		for k, v := range id.Tags {
			claims.Tags.Principal[k] = []string{v}
		}
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodES256, claims).SignedString(s.issuer())
	if err != nil {
		return "", fmt.Errorf("signing the token: %w", err)
	}
	return token, nil
}

type webIdentityResult struct {
	XMLName                     xml.Name `xml:"AssumeRoleWithWebIdentityResult"`
	SubjectFromWebIdentityToken string
	Audience                    string
	AssumedRoleUser             assumedRoleXML
	Credentials                 credentialsXML
	Provider                    string
	PackedPolicySize            int    `xml:",omitempty"`
	SourceIdentity              string `xml:",omitempty"`
}

func invalidIdentityToken(format string, args ...any) *apiError {
	return fail(http.StatusBadRequest, "InvalidIdentityToken", format, args...)
}

// readWebToken verifies a token's signature and dates.
func (s *stsService) readWebToken(text string) (*webClaims, error) {
	claims := &webClaims{}
	_, err := jwt.ParseWithClaims(text, claims, func(*jwt.Token) (any, error) { return &s.issuer().PublicKey, nil },
		jwt.WithValidMethods([]string{"ES256"}), jwt.WithExpirationRequired(), jwt.WithTimeFunc(s.k.now))
	switch {
	case err == nil:
		return claims, nil
	case errors.Is(err, jwt.ErrTokenExpired):
		at := claims.ExpiresAt.UTC()
		return nil, fail(http.StatusBadRequest, "ExpiredTokenException", "Token expired: current date/time %d must be before the expiration date/time %d", s.k.now().Unix(), at.Unix())
	case errors.Is(err, jwt.ErrTokenMalformed):
		return nil, invalidIdentityToken("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid), errors.Is(err, jwt.ErrTokenUnverifiable):
		return nil, invalidIdentityToken("Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements")
	}
	return nil, invalidIdentityToken("The web identity token that was passed could not be validated: %v", err)
}

func (s *stsService) assumeRoleWithWebIdentity(cl *call) error {
	in, err := readSession(cl)
	if err != nil {
		return err
	}
	if cl.query.Has("ProviderId") {
		return notImplemented("ProviderId of AssumeRoleWithWebIdentity")
	}
	claims, err := s.readWebToken(cl.query.Get("WebIdentityToken"))
	if err != nil {
		return err
	}
	if in.tags, in.transitive, err = claims.sessionTags(); err != nil {
		return err
	}
	s.iam.mu.Lock()
	defer s.iam.mu.Unlock()
	account := awsarn.Account(in.roleARN)
	issuer := strings.TrimPrefix(claims.Issuer, "https://")
	provider, clients := s.iam.identityProvider(account, issuer)
	if provider == "" {
		return invalidIdentityToken("No OpenIDConnect provider found in your account for %s", claims.Issuer)
	}
	audience := ""
	for _, a := range claims.Audience {
		if slices.Contains(clients, a) {
			audience = a
		}
	}
	if audience == "" {
		return invalidIdentityToken("Incorrect token audience")
	}
	target, err := s.trustsWebIdentity(cl, in, provider, issuer, audience, claims.Subject)
	if err != nil {
		return err
	}
	sess, err := s.newRoleSession(cl, target, in)
	if err != nil {
		return err
	}
	sess.tags, sess.provider = in.tags, provider
	sess.claims = map[string]string{issuer + ":sub": claims.Subject, issuer + ":aud": audience}
	key := s.iam.issueLocked(cl, sess, target.account)
	cl.response["provider"], cl.response["audience"], cl.response["subjectFromWebIdentityToken"] = provider, audience, claims.Subject
	return cl.writeQuery(webIdentityResult{
		SubjectFromWebIdentityToken: claims.Subject, Audience: audience, AssumedRoleUser: s.assumedRole(key), Credentials: keyXML(key),
		Provider: provider, SourceIdentity: sess.source, PackedPolicySize: in.packedSize(),
	})
}

// trustsWebIdentity decides by the role's trust policy. The caller holds IAM's lock.
func (s *stsService) trustsWebIdentity(cl *call, in assumeRoleInput, provider, issuer, audience, subject string) (*role, error) {
	target := s.iam.findRoleLocked(in.roleARN)
	cl.caller = &caller{kind: federated, account: awsarn.Account(provider), arn: provider, id: issuer + ":" + audience + ":" + subject, subject: subject}
	ctx := cl.requestContext(cl.region())
	ctx[issuer+":sub"], ctx[issuer+":aud"], ctx["sts:RoleSessionName"] = []string{subject}, []string{audience}, []string{in.name}
	ctx["aws:FederatedProvider"] = []string{provider}
	tagContext(ctx, in.tags)
	if in.transitive != nil {
		ctx["sts:TransitiveTagKeys"] = in.transitive
	}
	actions := []string{"sts:AssumeRoleWithWebIdentity"}
	if len(in.tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	for _, action := range actions {
		a := access{caller: cl.caller, action: action, resource: in.roleARN, owner: cl.caller.account, context: ctx}
		res := iampolicy.Result{Decision: iampolicy.ImplicitDeny}
		if target != nil {
			_, a.policy = s.iam.policyNowLocked(target.trust)
			_, res = s.iam.decideLocked(a)
		}
		cl.decided(a, res)
		if res.Decision != iampolicy.Allowed {
			e := fail(http.StatusForbidden, "AccessDenied", "Not authorized to perform %s", action)
			e.denied = true
			return nil, e
		}
	}
	return target, nil
}

// sessionTags are the tags that the token passes on.
func (c *webClaims) sessionTags() (tags []tag, transitive []string, err error) {
	if c.Tags == nil {
		return nil, nil, nil
	}
	for k, v := range c.Tags.Principal {
		if len(v) != 1 {
			return nil, nil, invalidIdentityToken("The tag %s of the token has not one value", k)
		}
		tags = append(tags, tag{k, v[0]})
	}
	slices.SortFunc(tags, func(a, b tag) int { return strings.Compare(a.Key, b.Key) })
	if err := checkTransitive(tags, c.Tags.Transitive); err != nil {
		return nil, nil, err
	}
	return tags, c.Tags.Transitive, nil
}

// keySet is the issuer's public key as a JSON Web Key Set.
func (s *stsService) keySet() ([]byte, error) {
	public, err := s.issuer().PublicKey.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encoding the issuer's key: %w", err)
	}
	half := (len(public) - 1) / 2 // an uncompressed point: 4, x, y
	text := base64.RawURLEncoding.EncodeToString
	return json.Marshal(map[string]any{"keys": []map[string]string{{
		"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig",
		"x": text(public[1 : 1+half]), "y": text(public[1+half:]),
	}}})
}

// issuer is the key that signs tokens.
func (s *stsService) issuer() *ecdsa.PrivateKey {
	s.keyMu.RLock()
	defer s.keyMu.RUnlock()
	return s.issuerKey
}

type savedSTS struct {
	IssuerKey []byte // PKCS #8
}

// snapshot renders the key of the token issuer.
func (s *stsService) snapshot() (json.RawMessage, error) {
	key, err := x509.MarshalPKCS8PrivateKey(s.issuer())
	if err != nil {
		return nil, fmt.Errorf("rendering the issuer's key: %w", err)
	}
	return json.Marshal(savedSTS{key})
}

// restore replaces the key of the token issuer with that of a snapshot.
func (s *stsService) restore(data json.RawMessage) error {
	var saved savedSTS
	if err := json.Unmarshal(data, &saved); err != nil {
		return fmt.Errorf("reading the issuer's key: %w", err)
	}
	key, err := x509.ParsePKCS8PrivateKey(saved.IssuerKey)
	if err != nil {
		return fmt.Errorf("reading the issuer's key: %w", err)
	}
	issuer, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return errors.New("the issuer's key is of another kind")
	}
	s.keyMu.Lock()
	defer s.keyMu.Unlock()
	s.issuerKey = issuer
	return nil
}
