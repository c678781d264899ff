package s3

import (
	"fmt"
	"net/url"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// headerKeys become condition keys s3:<header> when they are sent. Policies see the
// headers of the request, not the defaults of the bucket.
var headerKeys = []string{
	"x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-acl", "x-amz-storage-class",
	"x-amz-grant-read", "x-amz-grant-write", "x-amz-grant-read-acp", "x-amz-grant-write-acp", "x-amz-grant-full-control",
	"x-amz-content-sha256", "x-amz-object-ownership", "x-amz-website-redirect-location", "x-amz-metadata-directive",
	"x-amz-server-side-encryption-customer-algorithm", "x-amz-copy-source",
}

func (c *call) conditionContext(owner, region string) map[string][]string {
	ctx := c.Conditions(region)
	ctx["s3:ResourceAccount"] = []string{owner}
	for _, h := range headerKeys {
		if v := c.HTTP.Header.Get(h); v != "" {
			ctx["s3:"+h] = []string{v}
		}
	}
	if v := c.HTTP.Header.Get("If-None-Match"); v != "" {
		ctx["s3:if-none-match"] = []string{v}
	}
	if v := c.query.Get("versionId"); v != "" {
		ctx["s3:versionid"] = []string{v}
	}
	switch c.action {
	case "s3:ListBucket", "s3:ListBucketVersions":
		for _, name := range []string{"prefix", "delimiter", "max-keys"} {
			if c.query.Has(name) {
				ctx["s3:"+name] = []string{c.query.Get(name)}
			}
		}
	}
	c.lockContext(ctx)
	if tags, err := url.ParseQuery(c.HTTP.Header.Get("X-Amz-Tagging")); err == nil {
		var keys []string
		for k, v := range tags {
			ctx["s3:RequestObjectTag/"+k] = v[:1]
			keys = append(keys, k)
		}
		if keys != nil {
			ctx["s3:RequestObjectTagKeys"] = keys
		}
	}
	if c.HTTP.TLS != nil {
		ctx["s3:TlsVersion"] = []string{kernel.TLSVersion(c.HTTP.TLS.Version)}
	}
	if c.Signature != nil {
		ctx["s3:signatureversion"] = []string{kernel.SigAlgorithm}
		ctx["s3:authType"] = []string{"REST-HEADER"}
		if c.Signature.Presigned {
			ctx["s3:authType"] = []string{"REST-QUERY-STRING"}
		}
		ctx["s3:signatureAge"] = []string{fmt.Sprint(max(0, c.Now.Sub(c.Signature.Time).Milliseconds()))}
	}
	return ctx
}

// allow decides an action on a bucket or its objects. The caller holds mu.
func (c *call) allow(b *bucket, action, resource string) error {
	sc, res := c.judge(b, action, resource)
	if res.Decision != iampolicy.Allowed && c.rootRescue(b, action) {
		res.Decision = iampolicy.Allowed
	}
	if res.Decision == iampolicy.ImplicitDeny && (action == "s3:GetObject" || action == "s3:GetObjectVersion") && c.listedByACL(b) {
		res.Decision = iampolicy.Allowed // the read answers that there is no object
	}
	c.Decided(kernel.Access{Caller: c.Caller, Action: action, Resource: resource, Owner: b.account}, res)
	if res.Decision == iampolicy.Allowed {
		return nil
	}
	e := accessDenied()
	// S3 gives reasons to callers of the owner's account or organization only, and never
	// names an endpoint's policy.
	if c.s.k.SameOrganization(c.Caller.Account, sc.Request.ResourceAccount) &&
		iampolicy.BlamedLayer(sc, res) != iampolicy.LayerVPCEndpoint {
		e.Message = iampolicy.AccessDeniedText(sc, res)
	}
	return e
}

func (c *call) question(b *bucket, action, resource string) kernel.Access {
	_, policy := c.s.iam.PolicyNow(b.policy)
	ctx := c.conditionContext(b.account, b.region)
	if c.key != "" {
		for _, t := range b.existingTags(c.key, c.query.Get("versionId")) {
			ctx["s3:ExistingObjectTag/"+t.Key] = []string{t.Value}
		}
	}
	block := b.blocked()
	if block != nil && block.BlockPublicAcls && b.ownership == ownerEnforced {
		// Lists have no effect here, and are refused for that reason instead of for being public.
		unblocked := *block
		unblocked.BlockPublicAcls = false
		block = &unblocked
	}
	return kernel.Access{
		Caller: c.Caller, Action: action, Resource: resource, Owner: b.account,
		Context: ctx, Policy: policy, Block: block,
	}
}

// rootRescue reports whether the caller is the owner's root user and the action is about
// the bucket policy. Root can always repair a policy that locks all callers out.
func (c *call) rootRescue(b *bucket, action string) bool {
	if c.Caller.Kind != kernel.RootUser || c.Caller.Account != b.account {
		return false
	}
	switch action {
	case "s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy":
		return true
	}
	return false
}

// may decides an action without recording the decision. The caller holds mu.
func (c *call) may(b *bucket, action, resource string) bool {
	_, res := c.judge(b, action, resource)
	return res.Decision == iampolicy.Allowed
}
