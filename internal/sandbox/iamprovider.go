package sandbox

import (
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// OpenID Connect identity providers.

const (
	maxClientIDs   = 100
	maxThumbprints = 5

	thumbprintLength = 40 // a SHA-1 sum in hexadecimal
)

var issuerHost = regexp.MustCompile(`^[A-Za-z0-9.-]+$`)

type oidcProvider struct {
	ARN, Issuer string // Issuer is without the scheme, as in the ARN

	ClientIDs   []string
	Thumbprints []string
	Tags        []tag
	Created     time.Time
}

func createOIDCProvider(s *iamService, cl *call, acct *account) (any, error) {
	text := cl.query.Get("Url")
	if err := checkIssuer(text); err != nil {
		return nil, err
	}
	tags, err := formExactTags(cl.query)
	if err != nil {
		return nil, err
	}
	issuer := strings.TrimPrefix(text, "https://")
	arn := "arn:aws:iam::" + acct.id + ":oidc-provider/" + issuer
	if err := s.iamAllow(cl, arn, tags); err != nil {
		return nil, err
	}
	if acct.providers[arn] != nil {
		return nil, fail(http.StatusConflict, "EntityAlreadyExists", "Provider with url %s already exists.", text)
	}
	if err := checkQuota("OpenIDConnectProvidersPerAccount", len(acct.providers), maxProviders); err != nil {
		return nil, err
	}
	p := &oidcProvider{ARN: arn, Issuer: issuer, ClientIDs: formList(cl.query, "ClientIDList"), Thumbprints: formList(cl.query, "ThumbprintList"), Tags: tags, Created: cl.now}
	if err := p.check(); err != nil {
		return nil, err
	}
	acct.providers[arn] = p
	s.generation++
	return struct {
		XMLName xml.Name
		Arn     string      `xml:"OpenIDConnectProviderArn"`
		Tags    *tagListXML `xml:",omitempty"`
	}{resultName(cl), arn, tagList(tags)}, nil
}

func (p *oidcProvider) check() error {
	if len(p.ClientIDs) > maxClientIDs {
		return fail(http.StatusConflict, "LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d", maxClientIDs)
	}
	if len(p.Thumbprints) > maxThumbprints {
		return invalidInput("Thumbprint list must contain fewer than %d entries.", maxThumbprints)
	}
	for _, t := range p.Thumbprints {
		if len(t) != thumbprintLength {
			return invalidInput("Thumbprint must be exactly %d characters.", thumbprintLength)
		}
	}
	return nil
}

// checkIssuer refuses URLs that no identity provider can have.
func checkIssuer(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return validationError("Invalid Open ID Connect Provider URL")
	}
	if u.Scheme != "https" {
		return invalidInput("Invalid Open ID Connect Provider URL. The URL must begin with https://.")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Port() != "" || !issuerHost.MatchString(u.Host) {
		return invalidInput("Invalid Open ID Connect Provider URL.")
	}
	return nil
}

func (s *iamService) namedProvider(cl *call, acct *account) (*oidcProvider, error) {
	arn := cl.query.Get("OpenIDConnectProviderArn")
	if !strings.HasPrefix(arn, "arn:aws:iam::") || !strings.Contains(arn, ":oidc-provider/") {
		return nil, validationError("Invalid ARN: %s", arn)
	}
	p := acct.providers[arn]
	var tags []tag
	if p != nil {
		tags = p.Tags
	}
	if err := s.iamAllowOn(cl, iamResource{arn: arn, tags: tags}, requestTags(cl)); err != nil {
		return nil, err
	}
	if p == nil {
		text := "OpenIDConnect Provider not found for arn %s"
		if op := cl.record.Operation; op == "DeleteOpenIDConnectProvider" || strings.Contains(op, "Tag") {
			text = "OpenId connect Provider %s cannot be found."
		}
		return nil, fail(http.StatusNotFound, "NoSuchEntity", text, arn)
	}
	return p, nil
}

func getOIDCProvider(s *iamService, cl *call, acct *account) (any, error) {
	p, err := s.namedProvider(cl, acct)
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName     xml.Name
		URL         string   `xml:"Url"`
		ClientIDs   []string `xml:"ClientIDList>member"`
		Thumbprints []string `xml:"ThumbprintList>member"`
		CreateDate  string
		Tags        *tagListXML `xml:",omitempty"`
	}{resultName(cl), p.Issuer, p.ClientIDs, p.Thumbprints, queryTime(p.Created), tagList(p.Tags)}, nil
}

func deleteOIDCProvider(s *iamService, cl *call, acct *account) (any, error) {
	p, err := s.namedProvider(cl, acct)
	if err != nil {
		return nil, err
	}
	delete(acct.providers, p.ARN)
	s.generation++
	return nil, nil
}

func listOIDCProviders(s *iamService, cl *call, acct *account) (any, error) {
	if err := s.iamAllow(cl, "*", nil); err != nil {
		return nil, err
	}
	type entry struct{ Arn string }
	out := struct {
		XMLName   xml.Name
		Providers []entry `xml:"OpenIDConnectProviderList>member"`
	}{XMLName: resultName(cl)}
	for _, arn := range slices.Sorted(maps.Keys(acct.providers)) {
		out.Providers = append(out.Providers, entry{arn})
	}
	return out, nil
}

// changeProvider applies a change if the provider is then still valid.
func changeProvider(change func(cl *call, p *oidcProvider) error) iamHandler {
	return func(s *iamService, cl *call, acct *account) (any, error) {
		p, err := s.namedProvider(cl, acct)
		if err != nil {
			return nil, err
		}
		next := *p
		next.ClientIDs, next.Thumbprints = slices.Clone(p.ClientIDs), slices.Clone(p.Thumbprints)
		if err := change(cl, &next); err != nil {
			return nil, err
		}
		if err := next.check(); err != nil {
			return nil, err
		}
		*p = next
		return nil, nil
	}
}

func addClientID(cl *call, p *oidcProvider) error {
	if id := cl.query.Get("ClientID"); !slices.Contains(p.ClientIDs, id) {
		p.ClientIDs = append(p.ClientIDs, id)
	}
	return nil
}

func removeClientID(cl *call, p *oidcProvider) error {
	p.ClientIDs = slices.DeleteFunc(p.ClientIDs, func(c string) bool { return c == cl.query.Get("ClientID") })
	return nil
}

func updateThumbprints(cl *call, p *oidcProvider) error {
	p.Thumbprints = formList(cl.query, "ThumbprintList")
	if len(p.Thumbprints) == 0 {
		return invalidInput("Thumbprint list must contain at least one entry.")
	}
	return nil
}

// identityProvider finds an account's provider by its issuer, without the
// scheme; empty for none. The caller holds mu.
func (s *iamService) identityProvider(account, issuer string) (arn string, clients []string) {
	acct := s.accounts[account]
	if acct == nil {
		return "", nil
	}
	p := acct.providers["arn:aws:iam::"+account+":oidc-provider/"+issuer]
	if p == nil {
		return "", nil
	}
	return p.ARN, p.ClientIDs
}
