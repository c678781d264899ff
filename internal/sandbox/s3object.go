package sandbox

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxKeyLength = 1024
	defaultSum   = "CRC64NVME" // what S3 computes when the client sends none
)

// object is one version of an object. It is immutable.
type object struct {
	key, version string
	deleteMarker bool
	body         body
	size         int64
	etag         string // without quotes
	seal         sealed
	algorithm    string
	checksum     string
	checksumType string
	parts        int
	headers      objectHeaders
	owner        string // account
	writer       string // principal
	modified     time.Time
}

// objectHeaders are what the client says about the object.
type objectHeaders struct {
	contentType, contentEncoding, cacheControl, disposition, language, expires, storageClass string

	tags     string
	metadata map[string]string
}

var storageClasses = []string{"STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "GLACIER_IR", "DEEP_ARCHIVE", "REDUCED_REDUNDANCY"}

// readObjectHeaders reads and checks the headers that PutObject and
// CreateMultipartUpload share, and decides the actions that they imply.
func (c *s3Call) readObjectHeaders(b *bucket) (objectHeaders, error) {
	h := c.r.Header
	out := objectHeaders{
		contentType: h.Get("Content-Type"), cacheControl: h.Get("Cache-Control"), disposition: h.Get("Content-Disposition"),
		language: h.Get("Content-Language"), expires: h.Get("Expires"), storageClass: h.Get("X-Amz-Storage-Class"),
		tags: h.Get("X-Amz-Tagging"), metadata: map[string]string{},
	}
	if out.contentType == "" {
		out.contentType = "binary/octet-stream"
	}
	// aws-chunked is a transport matter and is not kept.
	var encodings []string
	for e := range strings.SplitSeq(h.Get("Content-Encoding"), ",") {
		if e = strings.TrimSpace(e); e != "" && e != "aws-chunked" {
			encodings = append(encodings, e)
		}
	}
	out.contentEncoding = strings.Join(encodings, ",")
	if len(c.key) > maxKeyLength {
		return out, fail(http.StatusBadRequest, "KeyTooLongError", "Your key is too long").with("Size", strconv.Itoa(len(c.key))).with("MaxSizeAllowed", strconv.Itoa(maxKeyLength))
	}
	if out.storageClass != "" && !slices.Contains(storageClasses, out.storageClass) {
		return out, fail(http.StatusBadRequest, "InvalidStorageClass", "The storage class you specified is not valid")
	}
	size := 0
	for name, values := range h {
		if rest, ok := strings.CutPrefix(strings.ToLower(name), "x-amz-meta-"); ok {
			out.metadata[rest] = strings.Join(values, ",")
			size += len(rest) + len(out.metadata[rest])
		}
		if strings.HasPrefix(strings.ToLower(name), "x-amz-object-lock-") {
			return out, notImplemented("object lock")
		}
	}
	if size > 2048 {
		return out, fail(http.StatusBadRequest, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size")
	}
	return out, c.checkImplied(b, out.tags)
}

// checkImplied decides the further actions that headers ask for.
func (c *s3Call) checkImplied(b *bucket, tags string) error {
	h := c.r.Header
	acl := h.Get("X-Amz-Acl")
	grants := false
	for name := range h {
		grants = grants || strings.HasPrefix(strings.ToLower(name), "x-amz-grant-")
	}
	if acl != "" || grants {
		if err := c.allow(b, "s3:PutObjectAcl", c.resource()); err != nil {
			return err
		}
		switch {
		case grants:
			if b.ownership != "BucketOwnerEnforced" {
				return notImplemented("ACL grants")
			}
			return aclNotSupported()
		case acl == "bucket-owner-full-control" || acl == "private" && b.ownership != "BucketOwnerEnforced":
		case b.ownership == "BucketOwnerEnforced":
			return aclNotSupported()
		case strings.HasPrefix(acl, "public-") && b.block != nil && b.block.BlockPublicAcls:
			e := accessDenied()
			if c.caller.account == b.account {
				e.Message = "User: " + c.caller.arn + " is not authorized to perform: s3:PutObject on resource: \"" + c.resource() + "\" because public access control lists (ACLs) are blocked by the BlockPublicAcls block public access setting."
			}
			return e
		default:
			return notImplemented("the canned ACL " + acl)
		}
	}
	if tags == "" {
		return nil
	}
	if values, err := url.ParseQuery(tags); err != nil || len(values) > 10 {
		return fail(http.StatusBadRequest, "InvalidTag", "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
	}
	return c.allow(b, "s3:PutObjectTagging", c.resource())
}

func aclNotSupported() *apiError {
	return fail(http.StatusBadRequest, "AccessControlListNotSupported", "The bucket does not allow ACLs")
}

// objectOwner is the account that a new object belongs to.
func (c *s3Call) objectOwner(b *bucket) string {
	if b.ownership == "BucketOwnerEnforced" || (b.ownership == "BucketOwnerPreferred" && c.r.Header.Get("X-Amz-Acl") == "bucket-owner-full-control") {
		return b.account
	}
	return c.caller.account
}

// current is the version that a plain read sees; nil for none or a delete marker.
func (b *bucket) current(key string) *object {
	v := b.versions[key]
	if len(v) == 0 || v[len(v)-1].deleteMarker {
		return nil
	}
	return v[len(v)-1]
}

// checkConditions applies If-None-Match. The caller holds mu.
func (c *s3Call) checkConditions(b *bucket) error {
	h := c.r.Header
	if h.Get("If-Match") != "" {
		return notImplemented("If-Match on writes")
	}
	switch v := h.Get("If-None-Match"); v {
	case "":
		return nil
	case "*":
	default:
		return notImplemented("If-None-Match with anything but *")
	}
	if b.current(c.key) != nil {
		return preconditionFailed("If-None-Match")
	}
	return nil
}

func preconditionFailed(condition string) *apiError {
	return fail(http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold").with("Condition", condition)
}

func putObject(c *s3Call, b *bucket) error {
	o, in, err := c.preparePut(b)
	c.unlock()
	if err != nil {
		return err
	}
	data, err := c.store(in)
	if err != nil {
		return err
	}
	o.body, o.size, o.modified = body{data}, data.size, time.Now()
	o.etag = newHex(16)
	if !o.seal.isKMS() {
		o.etag = hex.EncodeToString(in.md5H.Sum(nil))
	}
	o.algorithm, o.checksumType = in.algorithm, fullObject
	if o.algorithm == "" {
		o.algorithm = defaultSum
	}
	o.checksum = in.sum(o.algorithm)
	if err := c.commit(o); err != nil {
		data.release()
		return err
	}
	h := c.w.Header()
	h.Set("ETag", `"`+o.etag+`"`)
	h.Set(checksumHeader(o.algorithm), o.checksum)
	h.Set("x-amz-checksum-type", o.checksumType)
	o.seal.writeHeaders(h)
	return c.done(http.StatusOK)
}

// preparePut does all that can be refused before a byte is read. The caller holds mu.
func (c *s3Call) preparePut(b *bucket) (*object, *incoming, error) {
	headers, err := c.readObjectHeaders(b)
	if err != nil {
		return nil, nil, err
	}
	seal, err := c.chooseEncryption(b)
	if err != nil {
		return nil, nil, err
	}
	if err := c.checkConditions(b); err != nil {
		return nil, nil, err
	}
	if err := c.useKey(b, "GenerateDataKey", seal); err != nil {
		return nil, nil, err
	}
	in, err := c.openBody(!seal.isKMS())
	if err != nil {
		return nil, nil, err
	}
	if in.algorithm == "" {
		in.sums[defaultSum] = newChecksum(defaultSum)
	}
	return &object{key: c.key, headers: headers, seal: seal, owner: c.objectOwner(b), writer: c.caller.arn}, in, nil
}

// commit makes an object visible, if the bucket and the conditions still are
// as they were. It takes mu, and sets the version header.
func (c *s3Call) commit(o *object) error {
	w := c.s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.buckets[c.bucketName]
	if b == nil {
		return noSuchBucket(c.bucketName)
	}
	if err := c.checkConditions(b); err != nil {
		return err
	}
	b.add(o)
	if b.versioning != "" {
		c.w.Header().Set("x-amz-version-id", o.version)
	}
	return nil
}

// add appends a version, or replaces the unversioned one.
func (b *bucket) add(o *object) {
	o.version = "null"
	if b.versioning == "Enabled" {
		o.version = newHex(16)
	} else {
		b.drop(o.key, "null")
	}
	b.versions[o.key] = append(b.versions[o.key], o)
}

// drop removes one version for good and reports whether it was there.
func (b *bucket) drop(key, version string) *object {
	for i, o := range b.versions[key] {
		if o.version != version {
			continue
		}
		o.body.release()
		b.versions[key] = slices.Delete(slices.Clone(b.versions[key]), i, i+1)
		if len(b.versions[key]) == 0 {
			delete(b.versions, key)
		}
		return o
	}
	return nil
}

func deleteObject(c *s3Call, b *bucket) error {
	defer c.unlock()
	h := c.w.Header()
	if version := c.query.Get("versionId"); version != "" {
		if err := c.allow(b, "s3:DeleteObjectVersion", c.resource()); err != nil {
			return err
		}
		if o := b.drop(c.key, version); o != nil && o.deleteMarker {
			h.Set("x-amz-delete-marker", "true")
		}
		h.Set("x-amz-version-id", version)
		return c.done(http.StatusNoContent)
	}
	if b.versioning == "" {
		b.drop(c.key, "null")
		return c.done(http.StatusNoContent)
	}
	marker := &object{key: c.key, deleteMarker: true, owner: b.account, writer: c.caller.arn, modified: c.now}
	b.add(marker)
	h.Set("x-amz-delete-marker", "true")
	h.Set("x-amz-version-id", marker.version)
	return c.done(http.StatusNoContent)
}
