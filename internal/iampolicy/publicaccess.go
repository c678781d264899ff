package iampolicy

import (
	"net/netip"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

// weighPublicAccess applies the public-access block of the bucket.
func (e *evaluation) weighPublicAccess() {
	r := &e.req
	if r.service != "s3" {
		return
	}
	block, d := e.sc.PublicAccessBlock, e.sc.Policies.Resource
	for _, l := range e.sc.NotSupplied {
		// The setting matters only to callers from outside and a public policy.
		if l == LayerPublicAccess && block == nil && !r.sameAccount && r.caller.kind != callerService && d.Public() {
			e.publicAccess = maybe
			e.results = append(
				e.results,
				LayerResult{
					Layer:    LayerPublicAccess,
					Account:  r.resourceAccount,
					Decision: Unknown,
					Reason:   "not supplied, and the bucket policy is public",
				},
			)
		}
	}
	if block == nil {
		return
	}
	switch {
	case block.RestrictPublicBuckets && !r.sameAccount && r.caller.kind != callerService && d.Public():
		e.publicAccess = yes
		e.publicAccessWhy = "the bucket policy has a public statement and restrict_public_buckets is on: only principals of account " +
			r.resourceAccount + " and AWS services get through"
	case block.BlockPublicAcls && e.publicACLHeader():
		e.publicAccess = yes
		e.publicAccessWhy = "the request sets a public ACL and block_public_acls is on"
	}
	res := LayerResult{Layer: LayerPublicAccess, Account: r.resourceAccount, Decision: Allowed, Reason: e.publicAccessWhy}
	if e.publicAccess == yes {
		res.Decision = ImplicitDeny
	}
	e.results = append(e.results, res)
}

// publicACLHeader says whether the request gives access to everybody by ACL.
func (e *evaluation) publicACLHeader() bool {
	switch e.req.actionLower {
	case "s3:putobject", "s3:putobjectacl", "s3:putobjectversionacl", "s3:putbucketacl", "s3:createbucket":
	default:
		return false
	}
	acl, _ := e.ctx.lookup("s3:x-amz-acl")
	for _, v := range acl {
		switch v {
		case "public-read", "public-read-write", "authenticated-read":
			return true
		}
	}
	for _, key := range [...]string{"s3:x-amz-grant-read", "s3:x-amz-grant-write", "s3:x-amz-grant-read-acp", "s3:x-amz-grant-write-acp",
		"s3:x-amz-grant-full-control"} {
		grants, _ := e.ctx.lookup(key)
		for _, v := range grants {
			if strings.Contains(v, "/groups/global/AllUsers") || strings.Contains(v, "/groups/global/AuthenticatedUsers") {
				return true
			}
		}
	}
	return false
}

// Public says whether S3 calls the bucket policy public: some Allow statement
// is for everyone, or for the users of an identity provider, and no condition limits it to fixed values
// (S3 User Guide, access-control-block-public-access.html).
func (d *Document) Public() bool {
	if d == nil {
		return false
	}
	for i := range d.statements {
		if d.statements[i].public() {
			return true
		}
	}
	return false
}

func (s *statement) public() bool {
	if s.deny || !s.hasPrincipal {
		return false
	}
	open := s.notPrincipal
	for i := range s.principals {
		open = open || s.principals[i].kind == principalAny || s.principals[i].kind == principalFederated
	}
	if !open {
		return false
	}
	for i := range s.conditions {
		if s.conditions[i].limitsPublic() {
			return false
		}
	}
	return true
}

// limitsPublic says whether a condition confines a wildcard principal. It has
// to be positive, hold only when the key is there, and name fixed values.
func (c *condition) limitsPublic() bool {
	if c.op.negated || c.ifExists || c.set == forAll || len(c.want) == 0 {
		return false
	}
	key := strings.ToLower(c.key)
	switch key {
	case "aws:sourceip":
		if c.op.kind != opIP {
			return false
		}
		for i := range c.values {
			if !c.values[i].valid || !narrow(c.values[i].prefix) {
				return false
			}
		}
		return true
	case "aws:principalorgid", "aws:principalaccount", "aws:principalarn", "aws:sourcevpc", "aws:sourcevpce",
		"aws:sourcevpcarn", "aws:sourcearn", "aws:sourceaccount", "aws:sourceowner", "aws:userid",
		"s3:dataaccesspointarn", "s3:dataaccesspointaccount", "s3:x-amz-server-side-encryption-aws-kms-key-id":
	default:
		return false
	}
	switch c.op.kind {
	case opString, opStringFold, opStringLike, opARN:
	default:
		return false
	}
	for i, w := range c.want {
		if c.values[i].template.pieces != nil {
			return false
		}
		if c.op.kind == opString || c.op.kind == opStringFold || !strings.ContainsAny(w, "*?") {
			continue
		}
		if !fixedEnough(key, w) {
			return false
		}
	}
	return true
}

// fixedEnough says whether a value with wildcards still names its owner: an
// access point of a given account, a session of a given role id.
func fixedEnough(key, value string) bool {
	switch key {
	case "aws:userid":
		id, _, ok := strings.Cut(value, ":")
		return ok && !strings.ContainsAny(id, "*?")
	case "s3:dataaccesspointarn", "aws:principalarn", "aws:sourcearn":
		return awsarn.IsAccount(awsarn.Account(value))
	}
	return false
}

// narrow refuses blocks that S3 takes for the whole Internet.
func narrow(p netip.Prefix) bool {
	if p.Addr().Is4() {
		return p.Bits() >= 8
	}
	return p.Bits() >= 32
}
