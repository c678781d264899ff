package fixproof

import (
	"fmt"
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
	switch {
	case c.policies == sharedDocs:
		// A statement that is added to the caller's own policies is not shared; one
		// that is changed in a document may be attached to others as well.
		p.Identity = p.Identity[:min(len(p.Identity), len(j.before.Policies.Identity))]
	default:
		p.Identity, p.Boundary = nil, nil
		if c.policies == allowsAll {
			p.Identity = openPolicies()
		}
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

// variation changes one thing of a request.
type variation struct {
	name   string
	change func(*iampolicy.Request)
	guard  bool // it takes away a key that guards the request
	away   bool // on a resource that has a policy of its own
	free   bool // the caller itself may vary it: the request does not carry the key
}

func (v variation) apply(r *iampolicy.Request) {
	if v.change != nil {
		v.change(r)
	}
}

// move gives a resource that the documents are not about a policy that allows
// everything: the policies of the caller decide.
func (v variation) move(sc *iampolicy.Scenario) {
	if !v.away {
		return
	}
	if doc, err := iampolicy.Parse([]byte(openResourcePolicy)); err == nil {
		sc.Policies.Resource, sc.PublicAccessBlock = doc, nil
	}
}

// set sets a context key in place; an empty list removes it.
func set(context map[string][]string, key string, values []string) {
	for k := range context {
		if strings.EqualFold(k, key) {
			delete(context, k)
		}
	}
	if len(values) > 0 {
		context[key] = values
	}
}

func withKey(name, key string, guard, free bool, values ...string) variation {
	return variation{name: name, guard: guard, free: free, change: func(r *iampolicy.Request) { set(r.Context, key, values) }}
}

func (j *judge) variations() []variation {
	var out []variation
	context := j.after.Request.Context
	for _, key := range j.words.keys {
		lower := strings.ToLower(key)
		if timeKey(lower) || identityKey(lower) {
			continue
		}
		got := first(context, key)
		guard := guardKey(lower)
		// The caller of the request may send more than before, and is who it is.
		free := got == "" || callerKey(key) || yesKey(lower) && !strings.EqualFold(got, "true")
		if got != "" {
			out = append(out, withKey("without "+key, key, guard, free))
		}
		for _, value := range append([]string{otherValue(lower, got)}, j.words.values[lower]...) {
			if value != got {
				out = append(out, withKey(key+"="+value, key, guard, free, value))
			}
		}
	}
	if !strings.EqualFold(first(context, "aws:SecureTransport"), "false") {
		spoken := j.speaksOf("aws:securetransport")
		out = append(out, withKey("over plain HTTP", "aws:SecureTransport", spoken, !spoken, "false"))
	}
	out = append(out, j.encryption()...)
	for i, conditions := range j.words.statements {
		out = append(out, variation{name: fmt.Sprintf("as statement %d of the documents wants it", i+1), free: true, change: func(r *iampolicy.Request) { satisfy(r.Context, conditions) }})
	}
	return append(out, j.elsewhere()...)
}

func (j *judge) speaksOf(key string) bool {
	_, ok := j.words.values[key]
	return ok
}

const encryptionPrefix = "s3:x-amz-server-side-encryption"

// encryption varies the headers of server-side encryption together.
func (j *judge) encryption() []variation {
	if !strings.HasPrefix(strings.ToLower(j.after.Request.Action), "s3:") {
		return nil
	}
	guard := j.speaksOf(encryptionPrefix) || j.speaksOf(encryptionPrefix+"-aws-kms-key-id")
	free := !guard || first(j.after.Request.Context, encryptionPrefix) == ""
	headers := func(name string, values ...string) variation {
		return variation{name: name, guard: guard, free: free, change: func(r *iampolicy.Request) {
			for _, h := range []string{"", "-aws-kms-key-id", "-bucket-key-enabled", "-context"} {
				set(r.Context, encryptionPrefix+h, nil)
			}
			for i := 0; i+1 < len(values); i += 2 {
				set(r.Context, encryptionPrefix+values[i], []string{values[i+1]})
			}
		}}
	}
	const key = "arn:aws:kms:eu-west-1:" + strangerAccount + ":key/00000000-0000-0000-0000-000000000000"
	return []variation{
		headers("without encryption headers"),
		headers("with SSE-S3", "", "AES256"),
		headers("with SSE-KMS", "", "aws:kms"),
		headers("with another key", "", "aws:kms", "-aws-kms-key-id", key),
	}
}

// bucketOf is the bucket of an S3 ARN; empty for any other.
func bucketOf(resource string) string {
	a, err := awsarn.Parse(resource)
	if err != nil || a.Service != "s3" {
		return ""
	}
	bucket, _, _ := strings.Cut(a.Resource, "/")
	return bucket
}

// elsewhere varies the action and the resource.
func (j *judge) elsewhere() []variation {
	r := &j.after.Request
	var out []variation
	home := bucketOf(r.Resource)
	at := func(name, resource string) {
		if resource == r.Resource || r.Resource == "*" || r.Resource == "" {
			return
		}
		out = append(out, variation{name: name, away: home == "" || bucketOf(resource) != home, change: func(r *iampolicy.Request) { r.Resource = resource }})
	}
	if a, err := awsarn.Parse(r.Resource); err == nil {
		at("on another "+a.Service+" resource", r.Resource+"x")
		if home != "" {
			at("on another object", awsarn.Bucket(a.Partition, home)+"/"+strangerName)
			at("on the bucket", awsarn.Bucket(a.Partition, home))
			at("on another bucket", awsarn.Bucket(a.Partition, strangerName)+"/x")
		}
		for i, resource := range j.words.resources {
			if b, err := awsarn.Parse(resource); err == nil && i < 8 && b.Service == a.Service {
				at("on "+resource, resource)
			}
		}
	}
	service, _, _ := strings.Cut(r.Action, ":")
	actions := map[string][]string{
		"s3":  {"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:PutObjectAcl"},
		"kms": {"kms:Decrypt", "kms:Encrypt", "kms:CreateGrant", "kms:PutKeyPolicy"},
		"sts": {"sts:AssumeRole", "sts:TagSession"},
	}[strings.ToLower(service)]
	for _, action := range j.words.actions {
		if len(actions) < 10 && strings.HasPrefix(strings.ToLower(action), strings.ToLower(service)+":") {
			actions = append(actions, action)
		}
	}
	for _, action := range actions {
		if !strings.EqualFold(action, r.Action) {
			out = append(out, variation{name: "for " + action, change: func(r *iampolicy.Request) { r.Action = action }})
		}
	}
	return out
}

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
