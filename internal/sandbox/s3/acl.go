package s3

import (
	"net/http"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// Access control lists: their grants, and their form in requests. The owner is not part of
// a list: it is the owner of the bucket or object.

const (
	permRead        = "READ"
	permWrite       = "WRITE"
	permReadACP     = "READ_ACP"
	permWriteACP    = "WRITE_ACP"
	permFullControl = "FULL_CONTROL"

	groupAllUsers      = "http://acs.amazonaws.com/groups/global/AllUsers"
	groupAuthenticated = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
	groupLogDelivery   = "http://acs.amazonaws.com/groups/s3/LogDelivery"

	maxACLGrants = 100
)

// grant gives one permission to an account or to a group.
type grant struct {
	Account    string `json:",omitempty"`
	Group      string `json:",omitempty"` // URI
	Permission string
}

// accessList is an ACL. A nil list is the default, which grants access to the owner only.
type accessList struct{ Grants []grant }

// entries are the grants as S3 returns them; owner is an account.
func (l *accessList) entries(owner string) []grant {
	if l == nil {
		return []grant{{Account: owner, Permission: permFullControl}}
	}
	return l.Grants
}

// public reports whether the list grants access to all users, or to all users with an AWS account.
func (l *accessList) public() bool {
	return l != nil && slices.ContainsFunc(l.Grants, grant.public)
}

func (g grant) public() bool { return g.Group == groupAllUsers || g.Group == groupAuthenticated }

// ownerOnly reports whether a list grants access to the owner only.
func (l *accessList) ownerOnly(owner string) bool {
	return !slices.ContainsFunc(l.entries(owner), func(g grant) bool { return g.Account != owner })
}

// grantHeaders are the headers with grants, in the order of listings.
var grantHeaders = []struct{ name, permission string }{
	{"x-amz-grant-full-control", permFullControl}, {"x-amz-grant-read", permRead}, {"x-amz-grant-write", permWrite},
	{"x-amz-grant-read-acp", permReadACP}, {"x-amz-grant-write-acp", permWriteACP},
}

// hasACLHeader reports whether the request's headers set an ACL.
func hasACLHeader(h http.Header) bool {
	return h.Get("X-Amz-Acl") != "" || hasGrantHeader(h)
}

func hasGrantHeader(h http.Header) bool {
	for _, g := range grantHeaders {
		if h.Get(g.name) != "" {
			return true
		}
	}
	return false
}

// cannedACL makes the list of a predefined ACL. bucketOwner is empty for the
// ACL of a bucket itself.
func cannedACL(name, owner, bucketOwner string) (*accessList, error) {
	l := &accessList{Grants: []grant{{Account: owner, Permission: permFullControl}}}
	add := func(g grant) { l.Grants = append(l.Grants, g) }
	switch name {
	case "private":
		return nil, nil
	case "public-read":
		add(grant{Group: groupAllUsers, Permission: permRead})
	case "public-read-write":
		add(grant{Group: groupAllUsers, Permission: permRead})
		add(grant{Group: groupAllUsers, Permission: permWrite})
	case "authenticated-read":
		add(grant{Group: groupAuthenticated, Permission: permRead})
	case "log-delivery-write":
		if bucketOwner != "" {
			return nil, badCannedACL(name)
		}
		add(grant{Group: groupLogDelivery, Permission: permWrite})
		add(grant{Group: groupLogDelivery, Permission: permReadACP})
	case "bucket-owner-read", "bucket-owner-full-control":
		// S3 ignores both on a bucket, and they add nothing to objects of its owner.
		if bucketOwner == "" || bucketOwner == owner {
			return nil, nil
		}
		if name == "bucket-owner-read" {
			add(grant{Account: bucketOwner, Permission: permRead})
		} else {
			add(grant{Account: bucketOwner, Permission: permFullControl})
		}
	case "aws-exec-read":
		return nil, kernel.NotImplemented("the canned ACL aws-exec-read")
	default:
		return nil, badCannedACL(name)
	}
	return l, nil
}

// badCannedACL is an error without a text, as on S3.
func badCannedACL(name string) *kernel.Error {
	return kernel.InvalidArgument("").With("ArgumentName", "x-amz-acl").With("ArgumentValue", name)
}

// headerGrants reads the x-amz-grant-* headers. The caller holds mu.
func (w *Service) headerGrants(h http.Header) (*accessList, error) {
	l := &accessList{}
	for _, header := range grantHeaders {
		text := h.Get(header.name)
		if text == "" {
			continue
		}
		for entry := range strings.SplitSeq(text, ",") {
			kind, value, ok := strings.Cut(strings.TrimSpace(entry), "=")
			if !ok {
				return nil, kernel.InvalidArgument("Argument format not recognized").
					With("ArgumentName", header.name).
					With("ArgumentValue", text)
			}
			g, err := w.grantee(strings.TrimSpace(kind), strings.Trim(strings.TrimSpace(value), `"`), "id")
			if err != nil {
				return nil, err
			}
			g.Permission = header.permission
			l.Grants = append(l.Grants, g)
		}
	}
	return l, l.check()
}

func (l *accessList) check() error {
	if len(l.Grants) > maxACLGrants {
		return kernel.InvalidArgument("The number of grants exceeds the maximum of %d", maxACLGrants)
	}
	return nil
}

// grantee resolves a grantee. argument is the name of a canonical id in errors.
func (w *Service) grantee(kind, value, argument string) (grant, error) {
	switch strings.ToLower(kind) {
	case "id":
		account := accountOfCanonicalID(value)
		if !w.k.HasAccount(account) {
			return grant{}, kernel.InvalidArgument("Invalid id").With("ArgumentName", argument).With("ArgumentValue", value)
		}
		return grant{Account: account}, nil
	case "uri":
		if value != groupAllUsers && value != groupAuthenticated && value != groupLogDelivery {
			return grant{}, kernel.InvalidArgument("Invalid group uri").With("ArgumentName", "Group/URI").With("ArgumentValue", value)
		}
		return grant{Group: value}, nil
	case "emailaddress":
		// AWS ended grantees by e-mail address in October 2025.
		return grant{}, methodNotAllowed()
	}
	return grant{}, kernel.InvalidArgument("Argument format not recognized")
}

// accountOfCanonicalID is the inverse of canonicalID; empty for a text that is no canonical id.
func accountOfCanonicalID(id string) string {
	if len(id) != 64 || canonicalID(id[52:]) != id {
		return ""
	}
	return id[52:]
}

// headersACL makes the list of the request's headers: nil for none and for private.
func (c *call) headersACL(owner, bucketOwner string) (*accessList, error) {
	h := c.HTTP.Header
	canned := h.Get("X-Amz-Acl")
	switch {
	case canned != "" && hasGrantHeader(h):
		return nil, kernel.Fail(http.StatusBadRequest, "InvalidRequest", "Specifying both Canned ACLs and Header Grants is not allowed")
	case canned != "":
		return cannedACL(canned, owner, bucketOwner)
	case hasGrantHeader(h):
		return c.s.headerGrants(h)
	}
	return nil, nil
}

// newObjectACL is the list of a new object. It decides the action that the list needs.
// The caller holds mu.
func (c *call) newObjectACL(b *bucket, owner string) (*accessList, error) {
	if !hasACLHeader(c.HTTP.Header) {
		return nil, nil
	}
	if err := c.allow(b, "s3:PutObjectAcl", c.resource()); err != nil {
		return nil, err
	}
	l, err := c.headersACL(owner, b.account)
	if err != nil {
		return nil, err
	}
	if b.ownership == ownerEnforced {
		if c.HTTP.Header.Get("X-Amz-Acl") == "private" || l != nil && !l.ownerOnly(b.account) {
			return nil, aclNotSupported()
		}
		return nil, nil
	}
	return l, c.checkPublicACL(b, l, "s3:PutObject")
}

func aclNotSupported() *kernel.Error {
	return kernel.Fail(http.StatusBadRequest, "AccessControlListNotSupported", "The bucket does not allow ACLs")
}

// checkPublicACL refuses a public list where BlockPublicAcls is on.
func (c *call) checkPublicACL(b *bucket, l *accessList, action string) error {
	if block := b.blocked(); !l.public() || block == nil || !block.BlockPublicAcls {
		return nil
	}
	e := accessDenied()
	if c.Caller.Account == b.account {
		e.Message = "User: " + kernel.PrincipalText(
			c.Caller.ARN,
		) + " is not authorized to perform: " + action + " on resource: \"" + c.resource() +
			"\" because public access control lists (ACLs) are blocked by the BlockPublicAcls block public access setting"
	}
	return e
}
