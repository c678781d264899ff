package fixproof

import (
	"maps"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

// services are AWS services that call for others: the caller's own service on
// behalf of another account, and every service of the documents.
func (j *judge) services() []caller {
	r := &j.after.Request
	names := []string{strangerService}
	for _, p := range j.words.principals {
		if p.class == "Service" && isService(p.value) && !slices.Contains(names, p.value) {
			names = append(names, p.value)
		}
	}
	var out []caller
	same := map[string][]string{}
	for k, v := range r.Context {
		if sourceKey(k) {
			same[k] = v
		}
	}
	for _, name := range names {
		if name == r.Principal {
			continue
		}
		out = append(out, caller{name: "service " + name, principal: name, context: same},
			caller{name: "service " + name + " on behalf of another account", principal: name, context: elsewhere(same)})
	}
	if isService(r.Principal) {
		out = append(
			out,
			caller{name: "service " + r.Principal + " on behalf of another account", principal: r.Principal, context: elsewhere(same), near: true},
			caller{name: "service " + r.Principal + " without a source", principal: r.Principal},
		)
		for _, key := range j.words.keys {
			if sourceKey(key) {
				out = append(out, j.withValues("service "+r.Principal, same, key)...)
			}
		}
		for k := range same {
			if strings.EqualFold(k, "aws:SourceArn") {
				context := maps.Clone(same)
				context[k] = []string{same[k][0] + "x"}
				out = append(out, caller{name: "service " + r.Principal + " on behalf of another resource", principal: r.Principal, context: context})
			}
		}
	}
	return out
}

// elsewhere moves the source of a service's call to another account.
func elsewhere(source map[string][]string) map[string][]string {
	out := map[string][]string{
		"aws:SourceAccount": {strangerAccount},
		"aws:SourceArn":     {"arn:aws:s3:::" + strangerName},
		"aws:SourceOrgID":   {strangerOrg},
	}
	for k, v := range source {
		for known := range out {
			if strings.EqualFold(known, k) && known != k {
				out[k] = out[known]
				delete(out, known)
			}
		}
		if a, err := awsarn.Parse(v[0]); err == nil && strings.EqualFold(k, "aws:SourceArn") && a.Account != "" {
			a.Account = strangerAccount
			out[k] = []string{a.String()}
		}
	}
	return out
}

func isService(s string) bool {
	return strings.HasSuffix(s, ".amazonaws.com") || strings.HasSuffix(s, ".amazonaws.com.cn")
}

// tokens are holders of tokens of the providers that take part.
func (j *judge) tokens() []caller {
	r := &j.after.Request
	action := strings.ToLower(r.Action)
	if action != "sts:assumerolewithwebidentity" && action != "sts:assumerolewithsaml" {
		return nil
	}
	claims := map[string][]string{}
	for k, v := range r.Context {
		if callerKey(k) && !strings.HasPrefix(strings.ToLower(k), "aws:principal") {
			claims[k] = v
		}
	}
	var out []caller
	for k := range claims {
		other := maps.Clone(claims)
		other[k] = []string{strangerValue}
		out = append(
			out,
			caller{
				name:      "a token of " + r.Principal + " with another " + k,
				principal: r.Principal,
				context:   other,
				near:      strings.HasSuffix(strings.ToLower(k), ":sub"),
			},
		)
		gone := maps.Clone(claims)
		delete(gone, k)
		out = append(out, caller{name: "a token of " + r.Principal + " without " + k, principal: r.Principal, context: gone})
	}
	prefix := claimPrefix(r.Principal)
	for _, key := range j.words.keys {
		if strings.HasPrefix(strings.ToLower(key), strings.ToLower(prefix)+":") {
			out = append(out, j.withValues("a token of "+r.Principal, claims, key)...)
		}
	}
	out = append(out, caller{name: "any other token of " + r.Principal, principal: r.Principal, near: true})
	for _, suffix := range []string{"sub", "aud"} {
		other := maps.Clone(claims)
		for k := range other {
			if strings.EqualFold(k, prefix+":"+suffix) {
				delete(other, k)
			}
		}
		other[prefix+":"+suffix] = []string{strangerValue}
		out = append(out, caller{name: "a token of " + r.Principal + " with another " + suffix, principal: r.Principal, context: other})
	}
	providers := []string{"arn:aws:iam::" + strangerAccount + ":oidc-provider/fixproof.example.com"}
	if prefix == "saml" {
		providers = []string{"arn:aws:iam::" + strangerAccount + ":saml-provider/fixproof"}
	}
	for _, p := range j.words.principals {
		if p.class == "Federated" && p.value != r.Principal && !strings.Contains(p.value, "*") {
			providers = append(providers, p.value)
		}
	}
	for _, p := range providers {
		out = append(out, caller{name: "a token of " + p, principal: p, context: claims},
			caller{name: "a token of " + p + " with claims of its own", principal: p, context: rename(claims, prefix, claimPrefix(p))})
	}
	return out
}

// withValues are callers like the one of the request but for one key: with each
// value of it that the documents mention.
func (j *judge) withValues(name string, context map[string][]string, key string) []caller {
	var out []caller
	got := first(context, key)
	for _, value := range j.words.values[strings.ToLower(key)] {
		if value == got {
			continue
		}
		other := maps.Clone(context)
		set(other, key, []string{value})
		out = append(out, caller{name: name + " with " + key + "=" + value, principal: j.after.Request.Principal, context: other})
	}
	return out
}

// claimPrefix is how the condition keys of a provider's claims begin.
func claimPrefix(provider string) string {
	if a, err := awsarn.Parse(provider); err == nil {
		if a.Type() == "saml-provider" {
			return "saml"
		}
		_, issuer, _ := strings.Cut(a.Resource, "/")
		return issuer
	}
	return provider
}

func rename(claims map[string][]string, from, to string) map[string][]string {
	out := map[string][]string{}
	for k, v := range claims {
		if len(k) > len(from) && strings.EqualFold(k[:len(from)], from) {
			k = to + k[len(from):]
		}
		out[k] = v
	}
	return out
}
