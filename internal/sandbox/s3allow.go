package sandbox

import (
	"fmt"
	"net/url"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// signedHeaderKeys become condition keys s3:<header> when they are sent. S3
// shows policies what the request says, not what the bucket's defaults add.
var s3HeaderKeys = []string{
	"x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-acl", "x-amz-storage-class",
	"x-amz-grant-read", "x-amz-grant-write", "x-amz-grant-read-acp", "x-amz-grant-write-acp", "x-amz-grant-full-control",
	"x-amz-content-sha256", "x-amz-object-ownership", "x-amz-website-redirect-location", "x-amz-metadata-directive",
	"x-amz-server-side-encryption-customer-algorithm", "x-amz-copy-source",
}

func (c *s3Call) conditionContext(owner, region string) map[string][]string {
	ctx := c.requestContext(region)
	ctx["s3:ResourceAccount"] = []string{owner}
	for _, h := range s3HeaderKeys {
		if v := c.r.Header.Get(h); v != "" {
			ctx["s3:"+h] = []string{v}
		}
	}
	if v := c.r.Header.Get("If-None-Match"); v != "" {
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
	if tags, err := url.ParseQuery(c.r.Header.Get("X-Amz-Tagging")); err == nil {
		var keys []string
		for k, v := range tags {
			ctx["s3:RequestObjectTag/"+k] = v[:1]
			keys = append(keys, k)
		}
		if keys != nil {
			ctx["s3:RequestObjectTagKeys"] = keys
		}
	}
	if c.r.TLS != nil {
		ctx["s3:TlsVersion"] = []string{tlsVersion(c.r.TLS.Version)}
	}
	if c.sig != nil {
		ctx["s3:signatureversion"] = []string{sigAlgorithm}
		ctx["s3:authType"] = []string{"REST-HEADER"}
		if c.sig.presigned {
			ctx["s3:authType"] = []string{"REST-QUERY-STRING"}
		}
		ctx["s3:signatureAge"] = []string{fmt.Sprint(max(0, c.now.Sub(c.sig.time).Milliseconds()))}
	}
	return ctx
}

func tlsVersion(v uint16) string {
	if v == 0x0304 {
		return "1.3"
	}
	return "1.2"
}

// allow decides an action on a bucket or its objects. The caller holds mu.
func (c *s3Call) allow(b *bucket, action, resource string) error {
	sc, res := c.judge(b, action, resource)
	if res.Decision != iampolicy.Allowed && c.rootRescue(b, action) {
		res.Decision = iampolicy.Allowed
	}
	c.decided(access{caller: c.caller, action: action, resource: resource, owner: b.account}, res)
	if res.Decision == iampolicy.Allowed {
		return nil
	}
	e := accessDenied()
	// S3 explains itself to callers of the owner's account or organization only,
	// and never how an endpoint's policy decided.
	if c.s.k.sameOrganization(c.caller.account, sc.Request.ResourceAccount) && iampolicy.BlamedLayer(sc, res) != iampolicy.LayerVPCEndpoint {
		e.Message = iampolicy.AccessDeniedText(sc, res)
	}
	return e
}

func (c *s3Call) question(b *bucket, action, resource string) access {
	_, policy := c.s.iam.policyNow(b.policy)
	ctx := c.conditionContext(b.account, b.region)
	if c.key != "" {
		for _, t := range b.existingTags(c.key, c.query.Get("versionId")) {
			ctx["s3:ExistingObjectTag/"+t.Key] = []string{t.Value}
		}
	}
	block := b.blocked()
	if block != nil && block.BlockPublicAcls && b.ownership == ownerEnforced {
		// Lists have no effect here: that, and not their being public, is why they are refused.
		unblocked := *block
		unblocked.BlockPublicAcls = false
		block = &unblocked
	}
	return access{
		caller: c.caller, action: action, resource: resource, owner: b.account,
		context: ctx, policy: policy, block: block,
	}
}

// rootRescue: the owner's root user can always get at the bucket policy, or a
// bad one would lock everybody out.
func (c *s3Call) rootRescue(b *bucket, action string) bool {
	if c.caller.kind != rootUser || c.caller.account != b.account {
		return false
	}
	switch action {
	case "s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy":
		return true
	}
	return false
}

// may asks without leaving a trace. The caller holds mu.
func (c *s3Call) may(b *bucket, action, resource string) bool {
	_, res := c.judge(b, action, resource)
	return res.Decision == iampolicy.Allowed
}
