package iam

import (
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
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
	Tags        []kernel.Tag
	Created     time.Time
}

func createOIDCProvider(c *call) (any, error) {
	text := c.cl.Form.Get("Url")
	if err := checkIssuer(text); err != nil {
		return nil, err
	}
	tags, err := formExactTags(c.cl.Form)
	if err != nil {
		return nil, err
	}
	issuer := strings.TrimPrefix(text, "https://")
	arn := "arn:aws:iam::" + c.acct.id + ":oidc-provider/" + issuer
	if err := c.allow(arn, tags); err != nil {
		return nil, err
	}
	if c.acct.providers[arn] != nil {
		return nil, kernel.Fail(http.StatusConflict, "EntityAlreadyExists", "Provider with url %s already exists.", text)
	}
	if err := checkQuota("OpenIDConnectProvidersPerAccount", len(c.acct.providers), maxProviders); err != nil {
		return nil, err
	}
	p := &oidcProvider{
		ARN:         arn,
		Issuer:      issuer,
		ClientIDs:   kernel.FormList(c.cl.Form, "ClientIDList"),
		Thumbprints: kernel.FormList(c.cl.Form, "ThumbprintList"),
		Tags:        tags,
		Created:     c.cl.Now,
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	c.acct.providers[arn] = p
	c.iam.generation++
	return struct {
		XMLName xml.Name
		Arn     string      `xml:"OpenIDConnectProviderArn"`
		Tags    *tagListXML `xml:",omitempty"`
	}{resultName(c.cl), arn, tagList(tags)}, nil
}

func (p *oidcProvider) check() error {
	if len(p.ClientIDs) > maxClientIDs {
		return kernel.Fail(
			http.StatusConflict,
			"LimitExceeded",
			"Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: %d",
			maxClientIDs,
		)
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
		return kernel.ValidationError("Invalid Open ID Connect Provider URL")
	}
	if u.Scheme != "https" {
		return invalidInput("Invalid Open ID Connect Provider URL. The URL must begin with https://.")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Port() != "" || !issuerHost.MatchString(u.Host) {
		return invalidInput("Invalid Open ID Connect Provider URL.")
	}
	return nil
}

func (c *call) provider() (*oidcProvider, error) {
	arn := c.cl.Form.Get("OpenIDConnectProviderArn")
	if !strings.HasPrefix(arn, "arn:aws:iam::") || !strings.Contains(arn, ":oidc-provider/") {
		return nil, kernel.ValidationError("Invalid ARN: %s", arn)
	}
	p := c.acct.providers[arn]
	var tags []kernel.Tag
	if p != nil {
		tags = p.Tags
	}
	if err := c.allowOn(target{arn: arn, tags: tags}, requestTags(c.cl)); err != nil {
		return nil, err
	}
	if p == nil {
		text := "OpenIDConnect Provider not found for arn %s"
		if op := c.cl.Record.Operation; op == "DeleteOpenIDConnectProvider" || strings.Contains(op, "Tag") {
			text = "OpenId connect Provider %s cannot be found."
		}
		return nil, kernel.Fail(http.StatusNotFound, "NoSuchEntity", text, arn)
	}
	return p, nil
}

func getOIDCProvider(c *call) (any, error) {
	p, err := c.provider()
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
	}{resultName(c.cl), p.Issuer, p.ClientIDs, p.Thumbprints, kernel.QueryTime(p.Created), tagList(p.Tags)}, nil
}

func deleteOIDCProvider(c *call) (any, error) {
	p, err := c.provider()
	if err != nil {
		return nil, err
	}
	delete(c.acct.providers, p.ARN)
	c.iam.generation++
	return nil, nil
}

func listOIDCProviders(c *call) (any, error) {
	if err := c.allow("*", nil); err != nil {
		return nil, err
	}
	type entry struct{ Arn string }
	out := struct {
		XMLName   xml.Name
		Providers []entry `xml:"OpenIDConnectProviderList>member"`
	}{XMLName: resultName(c.cl)}
	for _, arn := range slices.Sorted(maps.Keys(c.acct.providers)) {
		out.Providers = append(out.Providers, entry{arn})
	}
	return out, nil
}

// changeProvider applies a change if the provider is then still valid.
func changeProvider(change func(cl *kernel.Request, p *oidcProvider) error) handler {
	return func(c *call) (any, error) {
		p, err := c.provider()
		if err != nil {
			return nil, err
		}
		next := *p
		next.ClientIDs, next.Thumbprints = slices.Clone(p.ClientIDs), slices.Clone(p.Thumbprints)
		if err := change(c.cl, &next); err != nil {
			return nil, err
		}
		if err := next.check(); err != nil {
			return nil, err
		}
		*p = next
		return nil, nil
	}
}

func addClientID(cl *kernel.Request, p *oidcProvider) error {
	if id := cl.Form.Get("ClientID"); !slices.Contains(p.ClientIDs, id) {
		p.ClientIDs = append(p.ClientIDs, id)
	}
	return nil
}

func removeClientID(cl *kernel.Request, p *oidcProvider) error {
	p.ClientIDs = slices.DeleteFunc(p.ClientIDs, func(c string) bool { return c == cl.Form.Get("ClientID") })
	return nil
}

func updateThumbprints(cl *kernel.Request, p *oidcProvider) error {
	p.Thumbprints = kernel.FormList(cl.Form, "ThumbprintList")
	if len(p.Thumbprints) == 0 {
		return invalidInput("Thumbprint list must contain at least one entry.")
	}
	return nil
}

// IdentityProvider finds an account's provider by its issuer, without the
// scheme; empty for none. The caller holds mu.
func (s *Service) IdentityProvider(account, issuer string) (arn string, clients []string) {
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
