package sts

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

	"github.com/golang-jwt/jwt/v5"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/sandbox/iam"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// AssumeRoleWithWebIdentity. The sandbox is the identity provider too: it
// signs tokens for any issuer, and STS takes tokens that it signed.

// Anonymous are the operations that need no signature.
var Anonymous = map[string]bool{"AssumeRoleWithWebIdentity": true}

// WebIdentity is the content of a token.
type WebIdentity struct {
	Issuer   string            `json:"issuer"`   // https URL, as in the IAM identity provider
	Subject  string            `json:"subject"`  // "system:serviceaccount:NAMESPACE:NAME"
	Audience string            `json:"audience"` // empty: sts.amazonaws.com
	Lifetime kernel.Duration   `json:"lifetime"` // zero: one hour; negative: already expired
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

// SignWebIdentity makes a token like that of a Kubernetes cluster or another identity
// provider.
func (s *Service) SignWebIdentity(id WebIdentity) (string, error) {
	if !strings.HasPrefix(id.Issuer, "https://") || id.Subject == "" {
		return "", errors.New("a web identity needs an issuer that starts with https:// and a subject")
	}
	if id.Audience == "" {
		id.Audience = "sts.amazonaws.com"
	}
	if id.Lifetime == 0 {
		id.Lifetime = kernel.Duration(time.Hour)
	}
	now := s.k.Now()
	claims := webClaims{RegisteredClaims: jwt.RegisteredClaims{
		Issuer: id.Issuer, Subject: id.Subject, Audience: jwt.ClaimStrings{id.Audience}, ID: kernel.NewUUID(),
		IssuedAt: jwt.NewNumericDate(
			now.Add(-time.Minute),
		), NotBefore: jwt.NewNumericDate(now.Add(-time.Minute)), ExpiresAt: jwt.NewNumericDate(now.Add(time.Duration(id.Lifetime))),
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

func invalidIdentityToken(format string, args ...any) *kernel.Error {
	return kernel.Fail(http.StatusBadRequest, "InvalidIdentityToken", format, args...)
}

// readWebToken verifies a token's signature and dates.
func (s *Service) readWebToken(text string) (*webClaims, error) {
	claims := &webClaims{}
	_, err := jwt.ParseWithClaims(text, claims, func(*jwt.Token) (any, error) { return &s.issuer().PublicKey, nil },
		jwt.WithValidMethods([]string{"ES256"}), jwt.WithExpirationRequired(), jwt.WithTimeFunc(s.k.Now))
	switch {
	case err == nil:
		return claims, nil
	case errors.Is(err, jwt.ErrTokenExpired):
		at := claims.ExpiresAt.UTC()
		return nil, kernel.Fail(
			http.StatusBadRequest,
			"ExpiredTokenException",
			"Token expired: current date/time %d must be before the expiration date/time %d",
			s.k.Now().Unix(),
			at.Unix(),
		)
	case errors.Is(err, jwt.ErrTokenMalformed):
		return nil, invalidIdentityToken("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid), errors.Is(err, jwt.ErrTokenUnverifiable):
		return nil, invalidIdentityToken(
			"Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation " +
				"for requirements",
		)
	}
	return nil, invalidIdentityToken("The web identity token that was passed could not be validated: %v", err)
}

func (s *Service) assumeRoleWithWebIdentity(cl *kernel.Request) error {
	in, err := readSession(cl)
	if err != nil {
		return err
	}
	if cl.Form.Has("ProviderId") {
		return kernel.NotImplemented("ProviderId of AssumeRoleWithWebIdentity")
	}
	claims, err := s.readWebToken(cl.Form.Get("WebIdentityToken"))
	if err != nil {
		return err
	}
	if in.tags, in.transitive, err = claims.sessionTags(); err != nil {
		return err
	}
	s.iam.Mu.Lock()
	defer s.iam.Mu.Unlock()
	account := awsarn.Account(in.roleARN)
	issuer := strings.TrimPrefix(claims.Issuer, "https://")
	provider, clients := s.iam.IdentityProvider(account, issuer)
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
	sess.Tags, sess.Provider = in.tags, provider
	sess.Claims = map[string]string{issuer + ":sub": claims.Subject, issuer + ":aud": audience}
	key := s.iam.IssueLocked(cl, sess, target.Account)
	cl.Response["provider"], cl.Response["audience"], cl.Response["subjectFromWebIdentityToken"] = provider, audience, claims.Subject
	return cl.WriteQuery(webIdentityResult{
		SubjectFromWebIdentityToken: claims.Subject, Audience: audience, AssumedRoleUser: s.assumedRole(key), Credentials: keyXML(key),
		Provider: provider, SourceIdentity: sess.Source, PackedPolicySize: in.packedSize(),
	})
}

// trustsWebIdentity decides by the role's trust policy. The caller holds IAM's lock.
func (s *Service) trustsWebIdentity(cl *kernel.Request, in assumeRoleInput, provider, issuer, audience, subject string) (*iam.Role, error) {
	target := s.iam.FindRoleLocked(in.roleARN)
	cl.Caller = &kernel.Caller{
		Kind:    kernel.Federated,
		Account: awsarn.Account(provider),
		ARN:     provider,
		ID:      issuer + ":" + audience + ":" + subject,
		Subject: subject,
	}
	ctx := cl.Conditions(cl.Region())
	ctx[issuer+":sub"], ctx[issuer+":aud"], ctx["sts:RoleSessionName"] = []string{subject}, []string{audience}, []string{in.name}
	ctx["aws:FederatedProvider"] = []string{provider}
	kernel.TagContext(ctx, in.tags)
	if in.transitive != nil {
		ctx["sts:TransitiveTagKeys"] = in.transitive
	}
	actions := []string{"sts:AssumeRoleWithWebIdentity"}
	if len(in.tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	for _, action := range actions {
		a := kernel.Access{Caller: cl.Caller, Action: action, Resource: in.roleARN, Owner: cl.Caller.Account, Context: ctx}
		res := iampolicy.Result{Decision: iampolicy.ImplicitDeny}
		if target != nil {
			_, a.Policy = s.iam.PolicyNowLocked(target.Trust)
			_, res = s.iam.DecideLocked(a)
		}
		cl.Decided(a, res)
		if res.Decision != iampolicy.Allowed {
			e := kernel.Fail(http.StatusForbidden, "AccessDenied", "Not authorized to perform %s", action)
			e.Denied = true
			return nil, e
		}
	}
	return target, nil
}

// sessionTags are the tags that the token passes on.
func (c *webClaims) sessionTags() (tags []kernel.Tag, transitive []string, err error) {
	if c.Tags == nil {
		return nil, nil, nil
	}
	for k, v := range c.Tags.Principal {
		if len(v) != 1 {
			return nil, nil, invalidIdentityToken("The tag %s of the token has not one value", k)
		}
		tags = append(tags, kernel.Tag{Key: k, Value: v[0]})
	}
	slices.SortFunc(tags, func(a, b kernel.Tag) int { return strings.Compare(a.Key, b.Key) })
	if err := checkTransitive(tags, c.Tags.Transitive); err != nil {
		return nil, nil, err
	}
	return tags, c.Tags.Transitive, nil
}

// KeySet is the issuer's public key as a JSON Web Key Set.
func (s *Service) KeySet() ([]byte, error) {
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
func (s *Service) issuer() *ecdsa.PrivateKey {
	s.keyMu.RLock()
	defer s.keyMu.RUnlock()
	return s.issuerKey
}

type savedSTS struct {
	IssuerKey []byte // PKCS #8
}

// Snapshot renders the key of the token issuer.
func (s *Service) Snapshot() (json.RawMessage, error) {
	key, err := x509.MarshalPKCS8PrivateKey(s.issuer())
	if err != nil {
		return nil, fmt.Errorf("rendering the issuer's key: %w", err)
	}
	return json.Marshal(savedSTS{key})
}

// Restore replaces the key of the token issuer with that of a snapshot.
func (s *Service) Restore(data json.RawMessage) error {
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
		return errors.New("the issuer's key is not an ECDSA key")
	}
	s.keyMu.Lock()
	defer s.keyMu.Unlock()
	s.issuerKey = issuer
	return nil
}
