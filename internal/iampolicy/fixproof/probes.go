package fixproof

import (
	"maps"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

// strangers tries every other caller with the request as it is, and those near the
// documents with every variation of it.
func (j *judge) strangers() {
	variations := j.variations()
	for _, c := range j.callers() {
		for _, network := range j.networks(c) {
			j.stranger(c, variation{}, network)
			if c.near {
				for _, v := range variations {
					j.stranger(c, v, network)
				}
			}
		}
		if j.enough() {
			return
		}
	}
}

// networks says whether the caller passes the VPC endpoint of the request: both,
// when the endpoint has a policy.
func (j *judge) networks(c caller) []bool {
	if j.before.Policies.VPCEndpoint == nil && j.after.Policies.VPCEndpoint == nil || isService(c.principal) {
		return []bool{false}
	}
	return []bool{true, false}
}

func (j *judge) stranger(c caller, v variation, endpoint bool) {
	request := j.after.Request
	request.Principal, request.RoleARN, request.PrincipalID = c.principal, c.roleARN, ""
	request.Context = maps.Clone(request.Context)
	if request.Context == nil {
		request.Context = map[string][]string{}
	}
	for k := range request.Context {
		if callerKey(k) {
			delete(request.Context, k)
		}
	}
	for k, values := range c.context {
		set(request.Context, k, values)
	}
	v.apply(&request)
	c.restore(request.Context)
	before, after := j.as(j.before, c, request, endpoint), j.as(j.after, c, request, endpoint)
	v.move(&before)
	v.move(&after)
	j.compare(join(c.name, v.name), before, after, nil)
}

// restore keeps a variation from changing who the caller is: a service's source
// and a token's claims belong to the caller. Only services have a source.
func (c caller) restore(context map[string][]string) {
	iam := strings.Contains(c.principal, ":") && !strings.Contains(c.principal, "-provider/")
	for k := range context {
		if callerKey(k) && (!iam || sourceKey(k)) {
			delete(context, k)
		}
	}
	if !iam {
		for k, values := range c.context {
			set(context, k, values)
		}
	}
}

func join(name, variation string) string {
	if variation == "" {
		return name
	}
	return name + ", " + variation
}

// as is a scenario of another caller. The documents around the resource stay; the
// caller has policies of its own.
func (j *judge) as(sc iampolicy.Scenario, c caller, request iampolicy.Request, endpoint bool) iampolicy.Scenario {
	p := sc.Policies
	colleague := c.account != "" && c.account == awsarn.Account(j.after.Request.Principal)
	switch c.policies {
	case sharedDocs:
		// A statement that is added to the caller's own policies is not shared; one
		// that is changed in a document may be attached to others as well.
		p.Identity = p.Identity[:min(len(p.Identity), len(j.before.Policies.Identity))]
	case allowsAll:
		p.Identity, p.Boundary = openPolicies(), nil
	case noPolicies:
		p.Identity, p.Boundary = nil, nil
	}
	p.Session = nil
	if !colleague {
		p.ServiceControl = nil
	}
	if !endpoint {
		p.VPCEndpoint = nil
	}
	sc.Policies, sc.Request = p, request
	var missing []iampolicy.Layer
	for _, l := range sc.NotSupplied {
		switch l {
		case iampolicy.LayerResource, iampolicy.LayerRCP, iampolicy.LayerPublicAccess:
			missing = append(missing, l)
		case iampolicy.LayerIdentity, iampolicy.LayerBoundary, iampolicy.LayerSession, iampolicy.LayerSCP, iampolicy.LayerVPCEndpoint:
		}
	}
	sc.NotSupplied = missing
	return sc
}

const openPolicy = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`

const openResourcePolicy = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`

func openPolicies() []iampolicy.NamedPolicy {
	doc, err := iampolicy.Parse([]byte(openPolicy))
	if err != nil {
		return nil
	}
	return []iampolicy.NamedPolicy{{Name: "everything", Policy: doc}}
}

// own tries the caller of the request with every variation of it. An exemption
// from a Deny statement is for the caller, whatever it sends; only the keys that
// guard a request have to hold for it as well.
func (j *judge) own() {
	for _, v := range j.variations() {
		if v.free || j.enough() {
			continue
		}
		before, after := j.before, j.after
		before.Request = j.after.Request
		for _, sc := range []*iampolicy.Scenario{&before, &after} {
			sc.Request.Context = maps.Clone(sc.Request.Context)
			if sc.Request.Context == nil {
				sc.Request.Context = map[string][]string{}
			}
			v.apply(&sc.Request)
			v.move(sc)
		}
		j.compare(join("the caller itself", v.name), before, after, func(before iampolicy.Result) bool {
			switch {
			case v.guard:
				return false
			case before.Decision == iampolicy.ExplicitDeny:
				return true
			}
			// Its own statement begins to work once the policy is no longer public.
			return len(before.BlockedBy) == 1 && before.BlockedBy[0] == iampolicy.LayerPublicAccess
		})
	}
}

const encryptionPrefix = "s3:x-amz-server-side-encryption"

// timeKey reports whether a key changes by itself.
func timeKey(key string) bool {
	switch key {
	case "aws:currenttime", "aws:epochtime", "aws:tokenissuetime", "aws:multifactorauthage":
		return true
	}
	return false
}

// identityKey reports whether AWS derives a key from the caller: no caller has
// another value of it.
func identityKey(key string) bool {
	switch key {
	case "aws:principalarn", "aws:principalaccount", "aws:principaltype", "aws:principalisawsservice", "aws:principalservicename",
		"aws:userid", "aws:username", "kms:calleraccount", "aws:resourceaccount", "s3:resourceaccount":
		return true
	}
	return false
}

// yesKey reports whether "true" is the strict value of a key.
func yesKey(key string) bool {
	return key == "aws:securetransport" || key == "aws:multifactorauthpresent"
}

// guardKey reports whether a key guards requests: a caller that is exempted from a
// Deny statement still has to send it.
func guardKey(key string) bool {
	switch key {
	case "aws:securetransport", "sts:externalid", "aws:multifactorauthpresent":
		return true
	}
	return strings.HasPrefix(key, encryptionPrefix)
}

// otherValue is a value of a key that neither the request nor a document has.
func otherValue(key, got string) string {
	switch {
	case key == "aws:securetransport" || key == "aws:multifactorauthpresent" || key == "aws:viaawsservice":
		if strings.EqualFold(got, "false") {
			return "true"
		}
		return "false"
	case key == "aws:sourceip" || key == "aws:vpcsourceip":
		return "198.51.100.77"
	case strings.HasSuffix(key, "account") && key != "s3:dataaccesspointaccount":
		return strangerAccount
	case strings.HasSuffix(key, "orgid"):
		return strangerOrg
	case strings.HasSuffix(key, "arn"):
		return "arn:aws:iam::" + strangerAccount + ":role/" + strangerName
	}
	return strangerValue
}
