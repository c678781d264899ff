package s3

import (
	"encoding/xml"
	"net/http"
	"slices"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// GetBucketAcl, PutBucketAcl, GetObjectAcl and PutObjectAcl.

const schemaInstance = "http://www.w3.org/2001/XMLSchema-instance"

type granteeXML struct {
	Schema string `xml:"xmlns:xsi,attr"`
	Type   string `xml:"xsi:type,attr"`
	ID     string `xml:",omitempty"`
	URI    string `xml:",omitempty"`
}

type grantXML struct {
	Grantee    granteeXML
	Permission string
}

type aclXML struct {
	XMLName xml.Name   `xml:"AccessControlPolicy"`
	Xmlns   string     `xml:"xmlns,attr"`
	Owner   ownerXML   `xml:"Owner"`
	Grants  []grantXML `xml:"AccessControlList>Grant"`
}

// writeACL answers with a list; under BucketOwnerEnforced it has the owner only.
func (c *call) writeACL(b *bucket, l *accessList, owner string) error {
	if b.ownership == ownerEnforced {
		l = nil
	}
	out := aclXML{Xmlns: namespace, Owner: ownerXML{ID: canonicalID(owner)}}
	out.Grants = grantsXML(l.entries(owner))
	return c.writeXML(out)
}

func grantsXML(grants []grant) []grantXML {
	out := make([]grantXML, 0, len(grants))
	for _, g := range grants {
		x := grantXML{Grantee: granteeXML{Schema: schemaInstance}, Permission: g.Permission}
		if g.Account != "" {
			x.Grantee.Type, x.Grantee.ID = "CanonicalUser", canonicalID(g.Account)
		} else {
			x.Grantee.Type, x.Grantee.URI = "Group", g.Group
		}
		out = append(out, x)
	}
	return out
}

func getBucketACL(c *call, b *bucket) error {
	return c.writeACL(b, b.conf.ACL, b.account)
}

func putBucketACL(c *call) error {
	return c.configureMaybe(maxConfigBody, nil, func(b *bucket, data []byte) error {
		l, err := c.requestedACL(b, data, b.account, "")
		if err != nil {
			return err
		}
		if err := c.checkPublicACL(b, l, c.action); err != nil {
			return err
		}
		b.conf.ACL = l
		return c.done(http.StatusOK)
	})
}

func getObjectACL(c *call, b *bucket) error {
	o, err := c.findVersion(b)
	if err != nil {
		return err
	}
	return c.writeACL(b, o.acl, b.ownerOf(o))
}

func putObjectACL(c *call) error {
	return c.configureMaybe(maxConfigBody, nil, func(b *bucket, data []byte) error {
		o, err := c.findVersion(b)
		if err != nil {
			return err
		}
		l, err := c.requestedACL(b, data, b.ownerOf(o), b.account)
		if err != nil {
			return err
		}
		if err := c.checkPublicACL(b, l, c.action); err != nil {
			return err
		}
		if b.ownership != ownerEnforced {
			o.acl = l
			b.touch(o)
		}
		return c.done(http.StatusOK)
	})
}

// requestedACL reads the list that a Put call sets, from its headers or its
// body. bucketOwner is empty for a bucket's own list. The caller holds mu.
func (c *call) requestedACL(b *bucket, data []byte, owner, bucketOwner string) (*accessList, error) {
	var l *accessList
	var err error
	switch {
	case hasACLHeader(c.HTTP.Header) && len(data) > 0:
		return nil, kernel.Fail(http.StatusBadRequest, "UnexpectedContent", "This request does not support content")
	case hasACLHeader(c.HTTP.Header):
		l, err = c.headersACL(owner, bucketOwner)
	case len(data) > 0:
		l, err = c.parseACL(data, owner)
	default:
		return nil, kernel.Fail(http.StatusBadRequest, "MissingSecurityHeader", "Your request was missing a required header").
			With("MissingHeaderName", "x-amz-acl")
	}
	if b.ownership != ownerEnforced || err != nil {
		return l, err
	}
	full := (c.HTTP.Header.Get("X-Amz-Acl") == "bucket-owner-full-control" ||
		l != nil && slices.Equal(l.Grants, []grant{{Account: b.account, Permission: permFullControl}}))
	if !full {
		return nil, aclNotSupported()
	}
	return nil, nil
}

func malformedACL() *kernel.Error {
	return kernel.Fail(
		http.StatusBadRequest,
		"MalformedACLError",
		"The XML you provided was not well-formed or did not validate against our published schema",
	)
}

// parseACL reads a list from a body. The caller holds mu.
func (c *call) parseACL(data []byte, owner string) (*accessList, error) {
	var in struct {
		XMLName xml.Name `xml:"AccessControlPolicy"`
		Owner   *struct{ ID string }
		List    *struct {
			Grants []granteeReadXML `xml:"Grant"`
		} `xml:"AccessControlList"`
	}
	if xml.Unmarshal(data, &in) != nil || in.Owner == nil || in.Owner.ID == "" || in.List == nil ||
		slices.ContainsFunc(in.List.Grants, func(x granteeReadXML) bool { _, _, ok := x.form(); return !ok }) {
		return nil, malformedACL()
	}
	if in.Owner.ID != canonicalID(owner) {
		if !c.s.k.HasAccount(accountOfCanonicalID(in.Owner.ID)) {
			return nil, kernel.InvalidArgument("Invalid id").With("ArgumentName", "CanonicalUser/ID").With("ArgumentValue", in.Owner.ID)
		}
		return nil, accessDenied() // an owner cannot be changed
	}
	l := &accessList{Grants: []grant{}}
	for _, x := range in.List.Grants {
		g, err := c.readGrant(x)
		if err != nil {
			return nil, err
		}
		l.Grants = append(l.Grants, g)
	}
	return l, l.check()
}

// granteeReadXML is a grant as requests write it.
type granteeReadXML struct {
	Grantee *struct {
		Type         string `xml:"http://www.w3.org/2001/XMLSchema-instance type,attr"`
		ID           string
		URI          string
		EmailAddress string
	}
	Permission string
}

// form reads the kind and name of the grantee; ok is false when the schema refuses them.
func (x granteeReadXML) form() (kind, value string, ok bool) {
	if x.Grantee == nil {
		return "", "", false
	}
	switch x.Grantee.Type {
	case "CanonicalUser":
		kind, value = "id", x.Grantee.ID
	case "Group":
		kind, value = "uri", x.Grantee.URI
	case "AmazonCustomerByEmail":
		kind, value = "emailAddress", x.Grantee.EmailAddress
	}
	switch x.Permission {
	case permRead, permWrite, permReadACP, permWriteACP, permFullControl:
		return kind, value, value != ""
	}
	return kind, value, false
}

// readGrant resolves one grant of a body. The caller holds mu.
func (c *call) readGrant(x granteeReadXML) (grant, error) {
	kind, value, ok := x.form()
	if !ok {
		return grant{}, malformedACL()
	}
	g, err := c.s.grantee(kind, value, "CanonicalUser/ID")
	g.Permission = x.Permission
	return g, err
}
