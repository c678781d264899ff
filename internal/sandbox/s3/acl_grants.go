package s3

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// Access control lists in decisions. A grant is an allow of the resource's owner: the
// engine is asked a second time with the list written as a policy. An explicit deny
// wins over every list.

// ownerOf is the account that owns an object now: under BucketOwnerEnforced, the bucket's
// owner owns all objects.
func (b *bucket) ownerOf(o *object) string {
	if b.ownership == ownerEnforced {
		return b.account
	}
	return o.owner
}

// judge decides an action on a bucket or its objects. The caller holds mu.
func (c *call) judge(b *bucket, action, resource string) (iampolicy.Scenario, iampolicy.Result) {
	a := c.question(b, action, resource)
	sc, res := c.s.k.Decide(a)
	if res.Decision == iampolicy.ExplicitDeny || slices.Contains(res.BlockedBy, iampolicy.LayerPublicAccess) ||
		b.ownership == ownerEnforced {
		return sc, res
	}
	o := c.target(b, resource)
	a.Block = nil // the settings on policies are applied already, and grantPolicy applies IgnorePublicAcls
	if o != nil && o.owner != b.account && c.reachesOwner(action) {
		// The object belongs to another account: the bucket's policy can deny, and cannot allow.
		a.Owner, a.Policy = o.owner, c.grantPolicy(b, o.acl, objectPermission(action), action, resource)
		return c.s.k.Decide(a)
	}
	if res.Decision != iampolicy.ImplicitDeny {
		return sc, res
	}
	list, permission := b.conf.ACL, c.bucketPermission(b, o, action)
	if o != nil && !c.writesObject() && objectPermission(action) != "" {
		list, permission = o.acl, objectPermission(action)
	}
	if a.Policy = c.grantPolicy(b, list, permission, action, resource); a.Policy == nil {
		return sc, res
	}
	if _, again := c.s.k.Decide(a); again.Decision == iampolicy.Allowed {
		return sc, again
	}
	return sc, res
}

// writesObject reports whether the call writes an object: the actions that it implies are
// about the new object, not about the present one.
func (c *call) writesObject() bool { return c.action == "s3:PutObject" }

// listedByACL reports whether the call is about a key without an object, and the
// bucket's list lets the caller list its keys. S3 answers such a caller that there is no
// object, instead of denying access.
func (c *call) listedByACL(b *bucket) bool {
	if b.ownership == ownerEnforced || len(b.versions[c.key]) > 0 {
		return false
	}
	a := c.question(b, "s3:ListBucket", b.arn())
	a.Block = nil
	if a.Policy = c.grantPolicy(b, b.conf.ACL, permRead, a.Action, a.Resource); a.Policy == nil {
		return false
	}
	_, res := c.s.k.Decide(a)
	return res.Decision == iampolicy.Allowed
}

// target is the existing version that a resource and the request name; nil for none.
func (c *call) target(b *bucket, resource string) *object {
	key, ok := strings.CutPrefix(resource, b.arn()+"/")
	if !ok {
		return nil
	}
	if version := c.query.Get("versionId"); version != "" && key == c.key {
		return b.version(key, version)
	}
	return b.current(key)
}

// reachesOwner reports whether the object's owner grants an action. The bucket's owner
// grants writing and deleting.
func (c *call) reachesOwner(action string) bool {
	if c.writesObject() {
		return false
	}
	switch action {
	case "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
		"s3:BypassGovernanceRetention", "s3:PutObjectRetention", "s3:PutObjectLegalHold", "s3:GetObjectRetention", "s3:GetObjectLegalHold":
		return false
	}
	return true
}

// objectPermission is the permission that an object's list has to grant; empty for actions that no list grants.
func objectPermission(action string) string {
	switch action {
	case "s3:GetObject", "s3:GetObjectVersion":
		return permRead
	case "s3:GetObjectAcl", "s3:GetObjectVersionAcl":
		return permReadACP
	case "s3:PutObjectAcl", "s3:PutObjectVersionAcl":
		return permWriteACP
	}
	return ""
}

// bucketPermission is the permission that a bucket's list has to grant. o is the present
// object. (S3 User Guide, acl-overview.html, mapping of ACL permissions.)
func (c *call) bucketPermission(b *bucket, o *object, action string) string {
	switch action {
	case "s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads":
		return permRead
	case "s3:GetBucketAcl":
		return permReadACP
	case "s3:PutBucketAcl":
		return permWriteACP
	case "s3:PutObject":
		return permWrite
	case "s3:PutObjectAcl":
		if c.writesObject() {
			return permWrite
		}
	case "s3:DeleteObject":
		if o == nil || o.owner == c.Caller.Account {
			return permWrite
		}
	case "s3:DeleteObjectVersion":
		if c.Caller.Account == b.account {
			return permWrite
		}
	case "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts":
		// The initiator of an upload may list its parts and abort it.
		if u := b.uploads[c.query.Get("uploadId")]; u != nil && u.object.writer == c.Caller.ARN {
			return permWrite
		}
	}
	return ""
}

// grantPolicy writes a list as a policy that allows action on resource to the grantees with
// a permission; nil when there is none.
func (c *call) grantPolicy(b *bucket, l *accessList, permission, action, resource string) *iampolicy.Document {
	if l == nil || permission == "" {
		return nil
	}
	var everybody bool
	var accounts []string
	block := b.blocked()
	for _, g := range l.Grants {
		if g.Permission != permission && g.Permission != permFullControl || g.public() && block != nil && block.IgnorePublicAcls {
			continue
		}
		switch {
		case g.Account != "":
			accounts = append(accounts, g.Account)
		case g.Group == groupAllUsers:
			everybody = true
		case g.Group == groupAuthenticated:
			accounts = slices.AppendSeq(accounts, maps.Keys(c.s.k.Accounts))
		}
	}
	if !everybody && accounts == nil {
		return nil
	}
	var principal any = "*"
	if !everybody {
		principal = map[string][]string{"AWS": accounts}
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": map[string]any{
		"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource,
	}})
	if err != nil {
		return nil
	}
	doc, err := iampolicy.Parse(text)
	if err != nil {
		return nil
	}
	return doc
}
