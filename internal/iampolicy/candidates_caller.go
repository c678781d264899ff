package iampolicy

import (
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

type pair struct{ key, value string }

// sourceKeys say for whom an AWS service calls, as far as the request tells.
func (f *fixer) sourceKeys() []pair {
	var out []pair
	for _, key := range [...]string{"aws:SourceArn", "aws:SourceAccount"} {
		if v, state := f.ctx.lookup(strings.ToLower(key)); state == keyPresent && len(v) == 1 && !strings.ContainsAny(v[0], "*?$") {
			out = append(out, pair{key, v[0]})
		}
	}
	return out
}

// claims are the subject and the audience of the token, and the issuer where it is
// a claim; none without both subject and audience.
func (f *fixer) claims() []pair {
	prefix := claimPrefix(f.req.Principal)
	var out []pair
	for i, names := range [...][]string{{"sub", "user_id", "id"}, {"aud", "app_id"}, {"iss"}, {"namequalifier"}} {
		for _, name := range names {
			key := prefix + ":" + name
			if prefix == "saml" {
				key = "SAML:" + name
			}
			v, state := f.ctx.lookup(strings.ToLower(key))
			if state == keyPresent && len(v) == 1 && v[0] != "" && !strings.ContainsAny(v[0], "*?$") {
				out = append(out, pair{key, v[0]})
				break
			}
		}
		if i < 2 && len(out) <= i {
			return nil
		}
	}
	return out
}

// claimPrefix is how the condition keys of a provider's claims begin.
func claimPrefix(provider string) string {
	a, err := awsarn.Parse(provider)
	if err != nil {
		return provider
	}
	if a.Type() == "saml-provider" {
		return "saml"
	}
	_, issuer, _ := strings.Cut(a.Resource, "/")
	return issuer
}
