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

// webToken holds the claims of a web identity's token that policies compare. STS checks
// the signature.
type webToken struct {
	Issuer   string                `json:"iss"`
	Subject  string                `json:"sub"`
	Audience policytext.StringList `json:"aud"`
}

func (t webToken) describe() string {
	if t.Issuer == "" {
		return ""
	}
	return fmt.Sprintf(": %s of %s, for %s", t.Subject, t.Issuer, strings.Join(t.Audience, ", "))
}

// provider returns the issuer in the form of IAM.
func (t webToken) provider() string {
	return strings.TrimSuffix(strings.TrimPrefix(t.Issuer, "https://"), "/")
}

func (r *run) readToken() {
	file := r.tokenFile
	if file == "" {
		file = os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE")
	}
	data, err := os.ReadFile(file)
	if err != nil || len(data) > 64<<10 {
		return
	}
	r.token = parseToken(string(data))
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

// webIdentity explains a token that STS refuses.
func (d *diagnosis) webIdentity(c finding, s step) finding {
	needs := fmt.Sprintf(
		"Account %s needs an IAM identity provider for the issuer and the audience of the token, and a trust policy whose conditions on sub and "+
			"aud match the token.",
		d.accountA(),
	)
	if blockers := findingsFor(d.predicted.blockers, stepAssume); len(blockers) > 0 {
		f := d.confirmed(blockers, c, s, awserr.Info{})[0]
		if c.AWSCode == "InvalidIdentityToken" {
			// STS has not read the trust policy yet, and IAM stores no trust policy that
			// names a provider that is not there.
			f.Repair = d.fixes.described(f.Repair, "STS says: "+c.AWSMessage+". "+needs)
		}
		return f
	}
	c.blame(causeWebIdentity, d.accountA(), report.ArtefactTrust, d.dest.Role)
	c.Confidence = report.Strong
	c.Detail = fmt.Sprintf("%s: STS refuses the web identity%s: %s", s.name, d.token.describe(), c.AWSMessage)
	c.Fix = needs
	if host := d.token.provider(); host != "" && c.AWSCode != "InvalidIdentityToken" {
		c.FixStatement = d.fixes.webTrust()
		c.Fix = "Add this statement to the trust policy of the role."
	}
	return c
}
