package fixproof

import (
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

// Names and accounts that no document is likely to use.
const (
	strangerAccount = "999988887777"
	strangerName    = "fixproof-stranger"
	strangerOrg     = "o-fixproof0000"
	strangerValue   = "fixproof-other"
	strangerService = "fixproof.amazonaws.com"
)

// caller is a principal other than the caller of the request.
type caller struct {
	name      string
	principal string
	roleARN   string // with its path, of a session
	account   string
	context   map[string][]string // keys that belong to this caller; an empty list removes the key
	policies  ownPolicies
	near      bool // also tried with every variation of the context
}

// ownPolicies says which policies a caller has in its own account.
type ownPolicies int

const (
	allowsAll  ownPolicies = iota // an identity policy that allows everything
	noPolicies                    // no identity policy
	sharedDocs                    // the documents that the caller of the request has
)

// callerKey reports whether a condition key describes the caller, not the call.
func callerKey(key string) bool {
	key = strings.ToLower(key)
	prefix, _, _ := strings.Cut(key, ":")
	switch key {
	case "aws:userid", "aws:username", "aws:sourceidentity", "aws:federatedprovider", "aws:tokenissuetime", "aws:sourcearn",
		"aws:sourceaccount", "aws:sourceowner", "aws:sourceorgid", "aws:sourceorgpaths", "kms:calleraccount":
		return true
	}
	return strings.HasPrefix(key, "aws:principal") || prefix == "saml" || strings.Contains(prefix, ".")
}

// sourceKey reports whether a condition key says for whom an AWS service calls.
func sourceKey(key string) bool {
	switch strings.ToLower(key) {
	case "aws:sourcearn", "aws:sourceaccount", "aws:sourceowner", "aws:sourceorgid", "aws:sourceorgpaths":
		return true
	}
	return false
}

// callers lists the principals whose answers the change must not alter.
func (j *judge) callers() []caller {
	r := &j.after.Request
	own := awsarn.Account(r.Principal)
	resource := j.resourceAccount()
	if own == "" {
		own = resource
	}
	partition := orText(awsarn.Partition(r.Principal), orText(awsarn.Partition(r.Resource), "aws"))
	var out []caller
	role := func(name, account, role string, p ownPolicies, near bool, context map[string][]string) {
		arn := "arn:" + partition + ":iam::" + account + ":role/" + role
		out = append(
			out,
			caller{
				name:      name,
				principal: awsarn.Session(arn, "fixproof"),
				roleARN:   arn,
				account:   account,
				context:   context,
				policies:  p,
				near:      near,
			},
		)
	}
	colleague := j.organization()
	role("another role of account "+own, own, strangerName, allowsAll, true, colleague)
	role("another role of account "+own+" with the caller's tags", own, strangerName, allowsAll, false, j.dressed())
	role("another role of account "+own+" without a policy of its own", own, strangerName, noPolicies, false, colleague)
	role("another role of account "+own+" with the same policies", own, strangerName, sharedDocs, false, colleague)
	out = append(
		out,
		caller{
			name:      "another user of account " + own,
			principal: "arn:" + partition + ":iam::" + own + ":user/" + strangerName,
			account:   own,
			context:   colleague,
		},
	)
	if !strings.HasSuffix(r.Principal, ":root") {
		out = append(
			out,
			caller{
				name:      "the root user of account " + own,
				principal: "arn:" + partition + ":iam::" + own + ":root",
				account:   own,
				context:   colleague,
			},
		)
	}
	if resource != own && resource != "" {
		role("another role of account "+resource, resource, strangerName, allowsAll, true, nil)
		role("another role of account "+resource+" without a policy of its own", resource, strangerName, noPolicies, false, nil)
	}
	role(
		"a role of an account of another organization",
		strangerAccount,
		strangerName,
		allowsAll,
		true,
		map[string][]string{"aws:PrincipalOrgID": {strangerOrg}},
	)
	if name := roleName(r); name != "" {
		role("a role of the same name in another account", strangerAccount, name, allowsAll, false, nil)
		role("a role of account "+own+" whose name begins with the caller's", own, name+"x", allowsAll, false, colleague)
	}
	if strings.HasPrefix(strings.ToLower(r.Action), "s3:") && r.Principal != "*" {
		out = append(out, caller{name: "an anonymous caller", principal: "*", near: true})
	}
	out = append(out, j.mentioned()...)
	out = append(out, j.services()...)
	return append(out, j.tokens()...)
}

func orText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (j *judge) resourceAccount() string {
	r := &j.after.Request
	for _, s := range []string{r.ResourceAccount, awsarn.Account(r.Resource), first(r.Context, "aws:ResourceAccount"),
		awsarn.Account(r.Principal)} {
		if s != "" {
			return s
		}
	}
	return ""
}

// roleName is the name of the caller's role or user.
func roleName(r *iampolicy.Request) string {
	a, err := awsarn.Parse(awsarn.Role(r.Principal))
	if err != nil || a.Type() != "role" && a.Type() != "user" {
		return ""
	}
	return a.Name()
}

// organization keeps the organization of the caller for its colleagues.
func (j *judge) organization() map[string][]string {
	out := map[string][]string{}
	for k, v := range j.after.Request.Context {
		if strings.HasPrefix(strings.ToLower(k), "aws:principalorg") {
			out[k] = v
		}
	}
	return out
}

// dressed keeps tags, too, and every other key that two roles may share.
func (j *judge) dressed() map[string][]string {
	out := map[string][]string{}
	for k, v := range j.after.Request.Context {
		switch lower := strings.ToLower(k); {
		case !callerKey(k), lower == "aws:principalarn", lower == "aws:principalaccount", lower == "aws:userid", lower == "aws:username",
			lower == "aws:principaltype", lower == "aws:principalisawsservice", lower == "aws:principalservicename",
			lower == "aws:principalservicenameslist":
		default:
			out[k] = v
		}
	}
	return out
}

// mentioned are the principals of the documents, other than the caller.
func (j *judge) mentioned() []caller {
	var out []caller
	self := j.self()
	add := func(arn string) {
		a, err := awsarn.Parse(arn)
		switch {
		case err != nil || a.Account == "" || arn == self || awsarn.Role(arn) == self:
			return
		case a.Service == "iam" && a.Resource == "root":
			role := "arn:" + a.Partition + ":iam::" + a.Account + ":role/" + strangerName
			out = append(
				out,
				caller{
					name:      "a role of account " + a.Account,
					principal: awsarn.Session(role, "fixproof"),
					roleARN:   role,
					account:   a.Account,
					near:      true,
				},
			)
		case a.Is("iam", "role"):
			out = append(
				out,
				caller{
					name:      "role " + a.Name() + " of account " + a.Account,
					principal: awsarn.Session(arn, "fixproof"),
					roleARN:   arn,
					account:   a.Account,
					near:      true,
				},
			)
		case a.Is("iam", "user"), a.Is("sts", "assumed-role"), a.Is("sts", "federated-user"):
			out = append(out, caller{name: a.Type() + " " + a.Name() + " of account " + a.Account, principal: arn, account: a.Account, near: true})
		}
	}
	for _, p := range j.words.principals {
		switch {
		case p.class != "AWS":
		case awsarn.IsAccount(p.value):
			add("arn:aws:iam::" + p.value + ":root")
		default:
			add(p.value)
		}
	}
	for _, key := range j.words.keys {
		switch lower := strings.ToLower(key); lower {
		case "aws:principalarn":
			for _, arn := range j.words.values[lower] {
				add(arn)
			}
		case "aws:principalaccount", "kms:calleraccount":
			for _, account := range j.words.values[lower] {
				add("arn:aws:iam::" + account + ":root")
			}
		}
	}
	return out
}

// self is the ARN by which policies name the caller: of its role, not of its session.
func (j *judge) self() string {
	r := &j.after.Request
	if arn := first(r.Context, "aws:PrincipalArn"); arn != "" {
		return arn
	}
	if r.RoleARN != "" {
		return r.RoleARN
	}
	if awsarn.IsAccount(r.Principal) {
		return "arn:aws:iam::" + r.Principal + ":root"
	}
	return awsarn.Role(r.Principal)
}

// first is the first value of a context key.
func first(context map[string][]string, key string) string {
	for k, v := range context {
		if strings.EqualFold(k, key) && len(v) > 0 {
			return v[0]
		}
	}
	return ""
}
