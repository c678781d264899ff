package iampolicy

import "slices"

// assumptions lists the facts that the scenario does not give and the decision
// rests on. Those of an "unknown" name the layers and keys that it depends on.
func (e *evaluation) assumptions(d Decision) []string {
	out := make([]string, 0, 8)
	sc, r := e.sc, &e.req
	if r.accountGuessed && !r.anyResource {
		out = append(out, "the resource belongs to the caller's account: its owner was not given")
	}
	for _, l := range sc.NotSupplied {
		if d == Unknown || d == Allowed {
			out = append(out, "not supplied: "+string(l))
		}
	}
	if len(sc.Request.UnknownContext) > 0 && d == Unknown {
		for _, k := range sc.Request.UnknownContext {
			out = append(out, "context key not known: "+k)
		}
	}
	if d != Allowed && d != Unknown {
		return out
	}
	absent := func(l Layer) bool { return !slices.Contains(sc.NotSupplied, l) }
	if r.caller.kind == callerRole && r.caller.session != "" && r.RoleARN == "" {
		out = append(out, "the role behind the session has no path: its ARN was not given")
	}
	if e.identity.present {
		if len(sc.Policies.ServiceControl) == 0 && absent(LayerSCP) {
			out = append(out, "no service control policy applies to the caller")
		}
		if sc.Policies.Boundary == nil && absent(LayerBoundary) && r.caller.kind != callerRoot {
			out = append(out, "the caller has no permissions boundary")
		}
		if sc.Policies.Session == nil && absent(LayerSession) && (r.caller.kind == callerRole || r.caller.kind == callerFederatedUser) {
			out = append(out, "the session has no session policy")
		}
	}
	if rcpApplies(r.service) && len(sc.Policies.ResourceControl) == 0 && absent(LayerRCP) {
		out = append(out, "no resource control policy denies")
	}
	if sc.Policies.VPCEndpoint == nil && absent(LayerVPCEndpoint) && !e.forwarded() {
		out = append(out, "the request does not pass a VPC endpoint with a policy")
	}
	if r.service == "s3" && sc.PublicAccessBlock == nil && !r.sameAccount && absent(LayerPublicAccess) {
		out = append(out, "no public-access block applies")
	}
	if r.service == "kms" {
		out = append(out, "KMS grants are not evaluated")
	}
	return append(out, "context keys that were not given are absent from the request")
}
