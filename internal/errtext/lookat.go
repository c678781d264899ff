package errtext

import (
	"cmp"
	"strings"

	"github.com/brokerd/brokerd/internal/awserr"
)

// lookAt lists the places to look at for a refusal, the most probable first.
func lookAt(e Error) []string {
	d, action := e.Denial, cmp.Or(e.Denial.Action, actionOf(e))
	switch d.Layer {
	case awserr.LayerIdentity:
		if d.Explicit {
			return []string{"the Deny statements in the identity policies of " + caller(e)}
		}
		if strings.HasPrefix(action, "kms:") {
			return []string{
				"the identity policies of " + caller(e) + ": " + action + " on the key's ARN (an alias does not match)",
				"conditions there on the network (aws:SourceIp, aws:SourceVpce): S3 calls KMS from its own network",
			}
		}
		return []string{"the identity policies of " + caller(e) + ": " + cmp.Or(action, "the action") + on(d.Resource)}
	case awserr.LayerResource:
		if d.Explicit {
			return []string{"the Deny statements in the policy of " + resourceName(e)}
		}
		return []string{
			"the policy of " + resourceName(e) + ": a statement that allows " + caller(e),
			"if that policy allows the caller's whole account (:root), the identity policies of " + caller(e) +
				": AWS names the resource's policy then as well",
		}
	case awserr.LayerKeyPolicy:
		return []string{
			"the key policy: a statement that allows " + caller(e) + ", and its conditions (kms:ViaService, encryption context)",
			"the key itself: its Region, and whether it is the key that was meant (default encryption, alias, aws/s3)",
			"if the key policy allows the caller's whole account (:root), the identity policies of " + caller(e),
		}
	case awserr.LayerTrust:
		return trustPlaces(e)
	case awserr.LayerBoundary:
		return []string{"the permissions boundary of " + caller(e)}
	case awserr.LayerSession:
		return []string{"the session policy that was passed to AssumeRole; brokerd sends one unless `session.scope: \"off\"` is set"}
	case awserr.LayerSCP:
		return []string{"the service control policies on the caller's account, in its organization's management account"}
	case awserr.LayerRCP:
		return []string{"the resource control policies on the account of " + resourceName(e) + ", in its organization's management account"}
	case awserr.LayerVPCEndpoint:
		return []string{"the policy of the VPC endpoint that the request went through"}
	case awserr.LayerPublicAccess:
		return []string{"the public statement in the policy of " + resourceName(e) +
			", or the public ACL: remove it, and leave Block Public Access on"}
	}
	return unnamedPlaces(e, action)
}

// trustPlaces are the places for a refusal by a trust policy.
func trustPlaces(e Error) []string {
	if strings.HasPrefix(e.Denial.Action, "sts:AssumeRoleWithWebIdentity") {
		return []string{
			"the trust policy of the role: the identity provider as principal, and the conditions on :sub and :aud against the token's claims",
			"the identity provider in the role's account: issuer and audiences",
			"the ARN of the role: STS gives the same answer for a role that does not exist",
		}
	}
	if e.Denial.Explicit {
		return []string{"the Deny statements in the trust policy of the role"}
	}
	return []string{"the trust policy of the role: its principal, and its conditions (sts:ExternalId, tags, MFA)"}
}

// unnamedPlaces are the candidates for a text that names no policy.
func unnamedPlaces(e Error, action string) []string {
	switch {
	case strings.HasPrefix(action, "sts:AssumeRoleWith"):
		return trustPlaces(Error{Denial: awserr.Denial{Action: "sts:AssumeRoleWithWebIdentity"}})
	case strings.HasPrefix(action, "sts:"):
		role := cmp.Or(e.Role, e.Denial.Resource, "the role")
		return []string{
			"the trust policy of " + role + ": does it name the caller, and does sts:ExternalId fit?",
			"the identity policies of " + caller(e) + ": sts:AssumeRole" + on(e.Denial.Resource),
			"the ARN of the role: STS gives the same answer for a role that does not exist",
		}
	case strings.HasPrefix(action, "kms:"):
		return []string{
			"the identity policies of " + caller(e) + ": " + action + on(e.Denial.Resource),
			"the key policy: a statement that allows " + caller(e),
			"the key itself: its Region, and whether it is the key that was meant",
		}
	case e.Denial.Action != "":
		return []string{
			"the identity policies of " + caller(e) + ": " + action + on(e.Denial.Resource),
			"the policy of " + resourceName(e) + ", if it has one",
			"the policies around both: service control policies, a permissions boundary, a session policy",
		}
	}
	return []string{
		"a bare \"Access Denied\" names no policy: the identity policies of " + caller(e) + ", the policy of " + resourceName(e) +
			", or a policy around them",
		"`brokerctl verify` tests each of them; a bare \"Access Denied\" of S3 is not from KMS",
	}
}

// caller names the caller as precisely as the text allows.
func caller(e Error) string {
	p := e.Denial.Principal
	if _, after, ok := strings.Cut(p, ":assumed-role/"); ok {
		role, _, _ := strings.Cut(after, "/")
		return "role " + role
	}
	if _, after, ok := strings.Cut(p, ":user/"); ok && strings.HasPrefix(p, "arn:") {
		return "user " + after
	}
	return "the caller"
}

func on(resource string) string {
	if resource == "" {
		return ""
	}
	return " on " + resource
}
