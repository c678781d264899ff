package awserr

import (
	"regexp"
	"strings"
)

// Layer is the kind of policy that refused.
type Layer string

// The layers, with the names of internal/iampolicy where it knows the layer.
const (
	LayerUnknown      Layer = ""
	LayerIdentity     Layer = "identity"
	LayerResource     Layer = "resource"
	LayerBoundary     Layer = "permissions_boundary"
	LayerSession      Layer = "session"
	LayerSCP          Layer = "service_control"
	LayerRCP          Layer = "resource_control"
	LayerVPCEndpoint  Layer = "vpc_endpoint"
	LayerPublicAccess Layer = "public_access_block"
	LayerTrust        Layer = "trust"
	// LayerKeyPolicy stands for KMS's deliberately opaque text. The key policy does not
	// allow the call, or denies it, or the key is in another Region, or the request named
	// the caller's own aws/s3 key.
	LayerKeyPolicy Layer = "key_policy"
)

// Side is the account of a policy layer.
type Side string

// The sides.
const (
	SideUnknown Side = ""
	SideA       Side = "A" // the caller's account, with its role
	SideB       Side = "B" // the account of the bucket and the key
)

// Side returns the account in which policies of this layer are attached.
func (l Layer) Side() Side {
	switch l {
	case LayerIdentity, LayerBoundary, LayerSession, LayerSCP, LayerVPCEndpoint, LayerTrust:
		return SideA
	case LayerResource, LayerRCP, LayerPublicAccess, LayerKeyPolicy:
		return SideB
	}
	return SideUnknown
}

// Denial is a service's text about a refusal, parsed. It is evidence, not proof: AWS names
// one layer even when several refuse, and it names the resource-based policy for a missing
// identity policy when the resource policy delegates to the caller's account.
type Denial struct {
	Principal string
	Action    string // "s3:PutObject"
	Resource  string // ARN; empty when the text names none
	Layer     Layer
	Side      Side
	Explicit  bool
	PolicyARN string // the policy, when the text names it
}

var (
	denialHead     = regexp.MustCompile(`User(?:: (\S(?:.*?\S)?))? is not authorized to perform: ([A-Za-z][A-Za-z0-9-]*:[A-Za-z0-9*]+)(.*)`)
	denialResource = regexp.MustCompile(
		`^ on (?:resource: (?:"([^"]+)"|"?([^"\s]+)"?)|this resource|the resource associated with this ciphertext|the specified resource)`,
	)
	denialImplicit = regexp.MustCompile(`^because no ([A-Za-z -]{1,60}?) allows? the (?:\S+ action)?`)
	denialExplicit = regexp.MustCompile(`^with an explicit deny(?: in (?:an?|the) ((?:[A-Za-z-]+ ){0,3}?(?:policy|policies|boundary)\b` +
		`(?: transitively through a service control policy)?))?`)
	denialPolicy   = regexp.MustCompile(`^[ ,]*(?:: |with policy ARN: )(arn:[^\s,"]+)`)
	denialFederate = regexp.MustCompile(`Not authorized to perform:? (sts:[A-Za-z]+)`)
	denialPublic   = regexp.MustCompile(`^because public .{1,80}? (?:are|is) (?:blocked|prevented|restricted) by the `)
)

const (
	opaqueKMS = "because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy " +
		"explicitly denies access"
	legacyKMS = "The ciphertext refers to a customer master key that does not exist"
)

// layerNames are searched in this order; "session" is part of no other name.
var layerNames = []struct {
	name  string
	layer Layer
}{
	{"identity-based", LayerIdentity},
	{"resource-based", LayerResource},
	{"permissions boundary", LayerBoundary},
	{"service control", LayerSCP},
	{"resource control", LayerRCP},
	{"VPC endpoint", LayerVPCEndpoint},
	{"role trust", LayerTrust},
	{"session", LayerSession}, // and AWS's own misprint "sessions policy"
}

func layerNamed(s string) Layer {
	for _, n := range layerNames {
		if strings.Contains(s, n.name) {
			return n.layer
		}
	}
	return LayerUnknown
}

// ParseDenial parses a service's refusal text. ok is false when the text has no detail,
// as for callers outside the bucket's organization.
func ParseDenial(text string) (d Denial, ok bool) {
	text = strings.Join(strings.Fields(text), " ")
	m := denialHead.FindStringSubmatch(text)
	if m == nil {
		return parseOtherDenial(text)
	}
	d.Principal, d.Action = m[1], m[2]
	tail := m[3]
	if r := denialResource.FindStringSubmatch(tail); r != nil {
		d.Resource = strings.TrimRight(r[1]+r[2], ".,;)'\\")
		tail = tail[len(r[0]):]
	}
	d.Layer, d.Explicit, tail = verdict(tail)
	// The resource policy of a role is its trust policy.
	if d.Layer == LayerResource && strings.HasPrefix(d.Action, "sts:AssumeRole") {
		d.Layer = LayerTrust
	}
	d.Side = d.Layer.Side()
	if p := denialPolicy.FindStringSubmatch(tail); p != nil {
		d.PolicyARN = strings.TrimRight(p[1], ".,;)'\\")
	}
	return d, true
}

// verdict reads the reason that directly follows a refusal, and returns the text after it.
// Text further on, such as a remark of the person who pasted it, is no reason.
func verdict(tail string) (layer Layer, explicit bool, rest string) {
	tail = strings.TrimLeft(tail, " ,:")
	if after, ok := strings.CutPrefix(tail, opaqueKMS); ok {
		return LayerKeyPolicy, false, after
	}
	if m := denialPublic.FindString(tail); m != "" {
		return LayerPublicAccess, true, tail[len(m):]
	}
	if m := denialExplicit.FindStringSubmatch(tail); m != nil {
		layer = layerNamed(m[1])
		if strings.Contains(m[1], "transitively through a service control policy") {
			layer = LayerSCP
		}
		return layer, true, tail[len(m[0]):]
	}
	if m := denialImplicit.FindStringSubmatch(tail); m != nil {
		return layerNamed(m[1]), false, tail[len(m[0]):]
	}
	return LayerUnknown, false, ""
}

func parseOtherDenial(text string) (Denial, bool) {
	if strings.Contains(text, legacyKMS) {
		return Denial{Action: "kms:Decrypt", Layer: LayerKeyPolicy, Side: SideB}, true
	}
	if m := denialFederate.FindStringSubmatch(text); m != nil {
		return Denial{Action: m[1], Layer: LayerTrust, Side: SideA}, true
	}
	return Denial{}, false
}
