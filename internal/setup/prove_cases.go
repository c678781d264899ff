package setup

import (
	"fmt"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// allowAll stands for a stranger's own policies at their worst: then it is the
// resource's policy alone that keeps the stranger out.
const allowAll = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`

const strangerName = "brokerd-proof-stranger"

// assuming asks, role by role, whether the role before it may assume it and
// every other principal may not.
func (p *prover) assuming() {
	d, as := p.d.Destination, p.d.Setup.RunsAs
	hops := append(slices.Clone(d.Chain), config.Hop{Role: d.Role, ExternalID: d.Session.ExternalID})
	for i, h := range hops {
		at, ok := p.snap.Identities[h.Role]
		if !ok {
			at = &Identity{ARN: h.Role}
		}
		trust := p.after(KindTrust, h.Role, at.Trust)
		var assumed []string
		if trust.assumption != "" {
			assumed = append(assumed, trust.assumption)
		}
		ask := func(principal, role string, actions policytext.StringList, set iampolicy.PolicySet, missing []iampolicy.Layer,
			context map[string][]string) []iampolicy.Scenario {
			set.Resource = trust.doc
			if !trust.known {
				missing = append(missing, iampolicy.LayerResource)
			}
			var out []iampolicy.Scenario
			for _, action := range actions {
				out = append(out, iampolicy.Scenario{Name: action, NotSupplied: missing, Policies: set, Request: iampolicy.Request{
					Principal: principal, RoleARN: role, Action: action, Resource: h.Role, ResourceAccount: awsarn.Account(h.Role), Context: context,
				}})
			}
			return out
		}
		name := "assuming role " + h.Role
		if i == 0 && as.Type == config.RunsWebIdentity {
			_, issuer, _ := strings.Cut(as.Provider, ":oidc-provider/")
			claims := func(sub, aud string) map[string][]string {
				return map[string][]string{issuer + ":sub": {sub}, issuer + ":aud": {aud}}
			}
			web := policytext.StringList{"sts:AssumeRoleWithWebIdentity"}
			p.decide(
				name+" with a token of "+as.Subject,
				wantAllowed,
				assumed,
				ask(as.Provider, "", web, iampolicy.PolicySet{}, nil, claims(as.Subject, as.Audience))...)
			p.decide(
				name+" with another service account's token",
				wantDenied,
				assumed,
				ask(as.Provider, "", web, iampolicy.PolicySet{}, nil, claims(as.Subject+"-other", as.Audience))...)
			p.decide(
				name+" with a token for another audience",
				wantDenied,
				assumed,
				ask(as.Provider, "", web, iampolicy.PolicySet{}, nil, claims(as.Subject, as.Audience+".other"))...)
			continue
		}
		caller, role := as.Principal, ""
		if i > 0 {
			caller = hops[i-1].Role
		}
		actions := p.assumeActions(h.Role, caller, h.ExternalID)
		set, missing, more := p.callerPolicies(caller)
		assumed = append(assumed, more...)
		if a, err := awsarn.Parse(caller); err == nil && strings.HasPrefix(a.Resource, "role/") {
			caller, role = awsarn.Session(caller, "brokerd"), caller
		}
		context := map[string][]string{}
		if h.ExternalID != "" {
			context["sts:ExternalId"] = []string{h.ExternalID}
		}
		p.decide(name, wantAllowed, assumed, ask(caller, role, actions, set, missing, context)...)
		first := policytext.StringList{"sts:AssumeRole"}
		if h.ExternalID != "" {
			p.decide(name+" without its external id", wantDenied, assumed, ask(caller, role, first, set, missing, nil)...)
		}
		p.decide(
			name+" as another role of the account",
			wantDenied,
			assumed,
			ask(p.stranger(awsarn.Account(h.Role)), "", first, everything(), nil, context)...)
	}
}

// assumeActions are those that the role's trust statement for the caller gives.
func (p *prover) assumeActions(role, caller, external string) policytext.StringList {
	for _, r := range p.state.Roles {
		if r.ARN != role {
			continue
		}
		for _, s := range r.Trust.Statement {
			if slices.Contains(s.Principal["AWS"], caller) &&
				(external == "" && s.Condition == nil || slices.Contains(s.Condition["StringEquals"]["sts:ExternalId"], external)) {
				return s.Action
			}
		}
	}
	return policytext.StringList{"sts:AssumeRole"}
}

func (p *prover) stranger(account string) string {
	return awsarn.Session("arn:"+p.partition()+":iam::"+account+":role/"+strangerName, "x")
}

func (p *prover) partition() string { return awsarn.Partition(p.d.BucketARN) }

func everything() iampolicy.PolicySet {
	doc, err := iampolicy.Parse([]byte(allowAll))
	if err != nil {
		return iampolicy.PolicySet{}
	}
	return iampolicy.PolicySet{Identity: []iampolicy.NamedPolicy{{Name: "everything", Policy: doc}}}
}

// uploading asks about uploads as the daemon sends them, and about requests that
// must be denied to the session and to others.
func (p *prover) uploading() {
	d := p.d.Destination
	put, assumed := p.put()
	object := strings.TrimSuffix(p.d.Objects, "*") + "proof/object"
	multi := put(object, "")
	p.putCase("an upload below the prefix", wantAllowed, assumed, multi, nil)
	p.putCase("uploading a part, which names no key", wantAllowed, assumed, multi, map[string]string{sseHeader: "", keyHeader: ""})
	abort := multi
	abort.Request.Action, abort.KeyARN, abort.ACL, abort.Tags = "s3:AbortMultipartUpload", "", "", nil
	abort.Request.Context = map[string][]string{"aws:SecureTransport": {"true"}}
	p.putCase("aborting an upload", wantAllowed, assumed, abort, nil)

	if d.KeyTemplate.Prefix() != "" {
		p.putCase("an upload outside the prefix", wantDenied, assumed, put(p.d.BucketARN+"/brokerd-proof-outside/object", ""), nil)
	}
	p.putCase("an upload with another key", wantDenied, assumed, multi, map[string]string{keyHeader: otherKey(d.KMSKey)})
	p.putCase("an upload with SSE-S3", wantDenied, assumed, multi, map[string]string{sseHeader: "AES256", keyHeader: ""})
	p.putCase("an upload over plain HTTP", wantDenied, assumed, multi, map[string]string{"aws:SecureTransport": "false"})
	admin := put(object, p.stranger(d.Owner))
	p.decide("listing the bucket over plain HTTP, as an administrator of account "+d.Owner, wantDenied, assumed, iampolicy.Scenario{
		Name: "s3:ListBucket", Policies: admin.Policies, PublicAccessBlock: admin.PublicAccessBlock, NotSupplied: admin.NotSupplied,
		Request: iampolicy.Request{
			Principal:       admin.Request.Principal,
			Action:          "s3:ListBucket",
			Resource:        p.d.BucketARN,
			ResourceAccount: d.Owner,
			Context:         map[string][]string{"aws:SecureTransport": {"false"}},
		},
	})
	// Inside the bucket's own account its administrators decide who may write.
	if a := awsarn.Account(d.Role); a != d.Owner {
		p.putCase("an upload by another role of account "+a, wantDenied, assumed, put(object, p.stranger(a)), nil)
	}
	for _, c := range []struct{ name, action, resource string }{
		{"reading an object", "s3:GetObject", object}, {"deleting an object", "s3:DeleteObject", object},
		{"listing the bucket", "s3:ListBucket", p.d.BucketARN},
	} {
		sc := multi
		sc.Request.Action, sc.Request.Resource = c.action, c.resource
		p.decide(c.name, wantDenied, assumed, iampolicy.Scenario{
			Name: c.action, Policies: sc.Policies, PublicAccessBlock: sc.PublicAccessBlock, NotSupplied: sc.NotSupplied,
			Request: iampolicy.Request{
				Principal:       sc.Request.Principal,
				RoleARN:         d.Role,
				Action:          c.action,
				Resource:        c.resource,
				ResourceAccount: d.Owner,
				Context:         map[string][]string{"aws:SecureTransport": {"true"}},
			},
		})
	}
	p.keyCases(multi, assumed)
}

const (
	sseHeader = "s3:x-amz-server-side-encryption"
	keyHeader = "s3:x-amz-server-side-encryption-aws-kms-key-id"
)

func otherKey(arn string) string {
	return arn[:strings.LastIndexByte(arn, '/')+1] + "00000000-0000-0000-0000-000000000000"
}

// put makes uploads with the policies as they will be.
func (p *prover) put() (func(object, stranger string) iampolicy.Put, []string) {
	d := p.d.Destination
	set, missing, assumed := p.callerPolicies(d.Role)
	b, ok := p.snap.Buckets[d.Bucket]
	if !ok {
		b = &BucketAt{Name: d.Bucket}
	}
	policy := p.after(KindBucket, p.d.BucketARN, b.Policy)
	k, ok := p.snap.Keys[d.KMSKey]
	if !ok {
		k = &KeyAt{ARN: d.KMSKey}
	}
	key := p.after(KindKey, d.KMSKey, k.Policy)
	for _, s := range []stored{policy, key} {
		if s.assumption != "" {
			assumed = append(assumed, s.assumption)
		}
	}
	if !policy.known {
		missing = append(missing, iampolicy.LayerResource)
	}
	return func(object, stranger string) iampolicy.Put {
		u := iampolicy.Put{
			Policies: set, NotSupplied: missing, PublicAccessBlock: p.block(b), KeyARN: d.KMSKey, KeyPolicy: key.doc, KeyNotSupplied: !key.known,
			Multipart: true, BucketKey: part{dest: d}.bucketKey(), ACL: d.ACL, Tags: d.Tags,
			Request: iampolicy.Request{
				Principal: awsarn.Session(d.Role, d.Session.Name), RoleARN: d.Role, Action: "s3:PutObject", Resource: object, ResourceAccount: d.Owner,
				Context: map[string][]string{"aws:SecureTransport": {"true"}, sseHeader: {"aws:kms"}, keyHeader: {d.KMSKey}},
			},
		}
		if stranger != "" {
			u.Request.Principal, u.Request.RoleARN, u.Policies, u.NotSupplied = stranger, "", everything(), nil
			if !policy.known {
				u.NotSupplied = []iampolicy.Layer{iampolicy.LayerResource}
			}
		}
		u.Policies.Resource = policy.doc
		return u
	}, assumed
}

// block is the public-access block as it will be, the account's included.
func (p *prover) block(b *BucketAt) *iampolicy.PublicAccessBlock {
	is := b.PublicAccess.Value
	if c := p.plan.Change(KindPublicBlock, p.d.BucketARN); c != nil && c.Pending() {
		is = PublicAccess{true, true, true, true}
	}
	all := b.AccountPublicAccess.Value
	return &iampolicy.PublicAccessBlock{
		BlockPublicAcls: is.BlockPublicACLs || all.BlockPublicACLs, IgnorePublicAcls: is.IgnorePublicACLs || all.IgnorePublicACLs,
		BlockPublicPolicy: is.BlockPublicPolicy ||
			all.BlockPublicPolicy, RestrictPublicBuckets: is.RestrictPublicBuckets || all.RestrictPublicBuckets,
	}
}

// putCase asks about an upload with some headers changed; an empty one is left out.
func (p *prover) putCase(name, want string, assumed []string, u iampolicy.Put, headers map[string]string) {
	if len(headers) > 0 {
		context := map[string][]string{}
		for k, v := range u.Request.Context {
			context[k] = v
		}
		for k, v := range headers {
			delete(context, k)
			if v != "" {
				context[k] = []string{v}
			}
		}
		u.Request.Context = context
		if _, changed := headers[keyHeader]; changed {
			u.KeyARN = "" // it is for the bucket policy to refuse, whatever the other key says
		}
	}
	scenarios, err := u.Scenarios()
	if err != nil {
		p.out = append(p.out, Case{Destination: p.d.Destination.Name, Name: name, Want: want, Verdict: Unclear, Why: err.Error()})
		return
	}
	p.decide(name, want, assumed, scenarios...)
}

// keyCases ask whether the key can be used without S3, or for another bucket.
func (p *prover) keyCases(u iampolicy.Put, assumed []string) {
	scenarios, err := u.Scenarios()
	if err != nil {
		return
	}
	for _, sc := range scenarios {
		if sc.Request.Action != "kms:Decrypt" {
			continue
		}
		direct := sc
		direct.Request.Context = map[string][]string{
			"kms:EncryptionContext:aws:s3:arn": sc.Request.Context["kms:EncryptionContext:aws:s3:arn"],
			"aws:SecureTransport":              {"true"},
		}
		p.decide("using the key without S3", wantDenied, assumed, direct)
		elsewhere := sc
		elsewhere.Request.Context = map[string][]string{}
		for k, v := range sc.Request.Context {
			elsewhere.Request.Context[k] = v
		}
		elsewhere.Request.Context["kms:EncryptionContext:aws:s3:arn"] = []string{
			fmt.Sprintf("arn:%s:s3:::brokerd-proof-another-bucket", p.partition()),
		}
		p.decide("using the key for another bucket", wantDenied, assumed, elsewhere)
	}
}
