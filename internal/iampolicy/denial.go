package iampolicy

import (
	"slices"
	"strings"
)

// opaqueKMS is the end of KMS's text when the caller is of another account.
const opaqueKMS = "because the resource does not exist in this Region, no resource-based policies allow access, " +
	"or a resource-based policy explicitly denies access"

// AccessDeniedText is the text that AWS sends for a denial, complete; "" when
// the result is not a denial. S3 sends it only to callers of the same account
// or organization, and "Access Denied" to everybody else: that is for the
// caller of this function to decide. The shapes are those of the IAM User
// Guide (troubleshoot_access-denied.html); which layer is named across accounts
// follows what others recorded.
func AccessDeniedText(sc Scenario, r Result) string {
	if r.Decision != ImplicitDeny && r.Decision != ExplicitDeny {
		return ""
	}
	req := parseRequest(&sc.Request)
	text := "User: " + sc.Request.Principal
	if req.caller.kind == callerAnonymous {
		text = "User: anonymous"
	}
	text += " is not authorized to perform: " + sc.Request.Action
	layer := BlamedLayer(sc, r)
	foreignKey := req.service == "kms" && !req.sameAccount && layer == LayerResource
	if !req.anyResource {
		switch {
		case foreignKey && req.actionLower == "kms:decrypt":
			text += " on the resource associated with this ciphertext"
		case req.service == "s3":
			text += ` on resource: "` + sc.Request.Resource + `"`
		default:
			text += " on resource: " + sc.Request.Resource
		}
	}
	if foreignKey {
		return text + " " + opaqueKMS
	}
	return text + " " + denialTail(&req, layer, r.Decision, sc)
}

func denialTail(req *parsedRequest, l Layer, d Decision, sc Scenario) string {
	if l == LayerPublicAccess {
		if sc.PublicAccessBlock != nil && sc.PublicAccessBlock.RestrictPublicBuckets && !req.sameAccount {
			return "because public policies are restricted by the RestrictPublicBuckets block public access setting"
		}
		return "because public access control lists (ACLs) are blocked by the BlockPublicAcls block public access setting"
	}
	noun := map[Layer]string{
		LayerIdentity: "identity-based policy", LayerResource: "resource-based policy", LayerBoundary: "permissions boundary",
		LayerSession: "session policy", LayerSCP: "service control policy", LayerRCP: "resource control policy",
		LayerVPCEndpoint: "VPC endpoint policy",
	}[l]
	article := "a "
	switch {
	case l == LayerIdentity:
		article = "an "
	case l == LayerResource && strings.HasPrefix(req.actionLower, "sts:assumerole"):
		noun = "role trust policy"
		if d == ExplicitDeny {
			article = "the "
		}
	}
	if d == ExplicitDeny {
		return "with an explicit deny in " + article + noun
	}
	return "because no " + noun + " allows the " + sc.Request.Action + " action"
}

// BlamedLayer is the one layer that AWS's text names. Across accounts AWS names
// the resource policy first; and when that policy lets the caller's account in
// rather than the caller, it is named although the caller's own policy is what
// is missing. An explicit deny of the caller's own policies comes before one of
// the resource's.
func BlamedLayer(sc Scenario, r Result) Layer {
	if len(r.BlockedBy) == 0 {
		return LayerIdentity
	}
	if r.Decision == ExplicitDeny {
		for _, order := range [...]Layer{LayerSCP, LayerRCP, LayerVPCEndpoint, LayerIdentity, LayerBoundary, LayerSession, LayerResource} {
			for i := range r.Layers {
				if r.Layers[i].Layer == order && r.Layers[i].Decision == ExplicitDeny {
					return order
				}
			}
		}
		return r.BlockedBy[0]
	}
	req := parseRequest(&sc.Request)
	if !req.sameAccount {
		if slices.Contains(r.BlockedBy, LayerResource) || slices.Contains(r.BlockedBy, LayerIdentity) && grantOf(r) == GrantAccount {
			return LayerResource
		}
	}
	for _, l := range [...]Layer{LayerSCP, LayerVPCEndpoint, LayerResource, LayerPublicAccess, LayerIdentity, LayerBoundary, LayerSession} {
		if slices.Contains(r.BlockedBy, l) {
			return l
		}
	}
	return r.BlockedBy[0]
}

// grantOf is the strongest way in which the resource policy names the caller.
func grantOf(r Result) Grant {
	g := GrantNone
	for i := range r.Layers {
		if r.Layers[i].Layer != LayerResource {
			continue
		}
		for j := range r.Layers[i].Statements {
			if t := &r.Layers[i].Statements[j]; t.Outcome == Matched && t.Grant.strength() > g.strength() {
				g = t.Grant
			}
		}
	}
	return g
}
