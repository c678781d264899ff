package verify

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// webToken is what the payload of a web identity's token says. Its signature is
// STS's to check; nothing of it is printed but the claims that policies compare.
type webToken struct {
	Issuer   string                `json:"iss"`
	Subject  string                `json:"sub"`
	Audience policytext.StringList `json:"aud"`
}

func (t webToken) words() string {
	if t.Issuer == "" {
		return ""
	}
	return fmt.Sprintf(": %s of %s, for %s", t.Subject, t.Issuer, strings.Join(t.Audience, ", "))
}

// provider is the issuer as IAM names it.
func (t webToken) provider() string {
	return strings.TrimSuffix(strings.TrimPrefix(t.Issuer, "https://"), "/")
}

func (p *probe) readToken() {
	file := p.tokenFile
	if file == "" {
		file = os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE")
	}
	data, err := os.ReadFile(file)
	if err != nil || len(data) > 64<<10 {
		return
	}
	p.token = parseToken(string(data))
}

func parseToken(text string) (t webToken) {
	parts := strings.Split(strings.TrimSpace(text), ".")
	if len(parts) != 3 {
		return webToken{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &t) != nil {
		return webToken{}
	}
	return t
}

func isWebIdentity(info awserr.Info) bool {
	return info.Code == "InvalidIdentityToken" || info.Code == "IDPRejectedClaim" || info.Action == "sts:AssumeRoleWithWebIdentity"
}

// webIdentity explains a token that STS does not take.
func (p *probe) webIdentity(c finding, s step) finding {
	if blockers := of(p.predicted.blockers, stepAssume); len(blockers) > 0 {
		return p.confirmed(blockers, c, s, awserr.Info{})[0]
	}
	c.Code, c.Account, c.Artefact, c.ArtefactARN, c.Confidence = causeWebIdentity, p.accountA(), report.ArtefactTrust, p.dest.Role, report.Strong
	c.Detail = fmt.Sprintf("%s: STS does not take the web identity%s: %s", s.name, p.token.words(), c.AWSMessage)
	c.Fix = fmt.Sprintf("In account %s: an IAM identity provider for the token's issuer with the token's audience, and a trust policy whose conditions on sub and aud are the token's.", p.accountA())
	if host := p.token.provider(); host != "" && c.AWSCode != "InvalidIdentityToken" {
		c.FixStatement = p.webTrust()
		c.Fix = "Add this statement to the trust policy of the role."
	}
	return c
}

// webTrust lets just this token in.
func (p *probe) webTrust() string {
	host := p.token.provider()
	equals := map[string]any{host + ":sub": p.token.Subject}
	if len(p.token.Audience) > 0 {
		equals[host+":aud"] = p.token.Audience[0]
	}
	return statementJSON(map[string]any{
		"Sid": "BrokerdAssumeRole", "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
		"Principal": map[string]string{"Federated": p.providerARN()}, "Condition": map[string]any{"StringEquals": equals},
	})
}

func (p *probe) providerARN() string {
	return "arn:" + p.partition() + ":iam::" + p.accountA() + ":oidc-provider/" + p.token.provider()
}
