package s3

import (
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

const (
	maxKeyLength = 1024
	maxMetadata  = 2 << 10
	defaultSum   = "CRC64NVME" // computed when the client sends no checksum
)

// objectPart is a part of a completed upload.
type objectPart struct {
	Number   int
	Size     int64
	Checksum string // of the object's algorithm
}

// object is one version of an object. Tags, lock and ACL may change under mu; the other
// fields never change.
type object struct {
	id           string // of its file
	order        uint64 // later versions have higher numbers
	key, version string
	deleteMarker bool
	body         body
	size         int64
	etag         string // without quotes
	seal         sealed
	algorithm    string
	checksum     string
	checksumType string
	uploadID     string       // of the multipart upload that made it
	parts        []objectPart // of a multipart upload; nil otherwise
	headers      objectHeaders
	tags         []kernel.Tag
	lock         objectLock
	acl          *accessList // nil: private
	owner        string      // account
	writer       string      // principal
	modified     time.Time
}

// objectHeaders are the client's headers that are stored with the object.
type objectHeaders struct {
	contentType, contentEncoding, cacheControl, disposition, language, expires, storageClass, redirect string

	metadata map[string]string
}

var storageClasses = []string{
	"STANDARD",
	"STANDARD_IA",
	"ONEZONE_IA",
	"INTELLIGENT_TIERING",
	"GLACIER",
	"GLACIER_IR",
	"DEEP_ARCHIVE",
	"REDUCED_REDUNDANCY",
}

// readObjectHeaders reads and checks the headers that PutObject and
// CreateMultipartUpload share.
func (c *call) readObjectHeaders() (objectHeaders, error) {
	h := c.HTTP.Header
	out := objectHeaders{
		contentType: h.Get("Content-Type"), cacheControl: h.Get("Cache-Control"), disposition: h.Get("Content-Disposition"),
		language: h.Get("Content-Language"), expires: h.Get("Expires"), storageClass: h.Get("X-Amz-Storage-Class"),
		redirect: h.Get("X-Amz-Website-Redirect-Location"), metadata: map[string]string{},
	}
	if out.contentType == "" {
		out.contentType = "binary/octet-stream"
	}
	// aws-chunked is part of the transfer and is not stored.
	var encodings []string
	for e := range strings.SplitSeq(h.Get("Content-Encoding"), ",") {
		if e = strings.TrimSpace(e); e != "" && e != "aws-chunked" {
			encodings = append(encodings, e)
		}
	}
	out.contentEncoding = strings.Join(encodings, ",")
	if out.redirect != "" && !strings.HasPrefix(out.redirect, "/") && !strings.HasPrefix(out.redirect, "http://") &&
		!strings.HasPrefix(out.redirect, "https://") {
		return out, kernel.Fail(
			http.StatusBadRequest,
			"InvalidRedirectLocation",
			"The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
		)
	}
	if out.storageClass != "" && !slices.Contains(storageClasses, out.storageClass) {
		return out, kernel.Fail(http.StatusBadRequest, "InvalidStorageClass", "The storage class you specified is not valid").
			With("StorageClassRequested", out.storageClass)
	}
	size := 0
	for name, values := range h {
		if rest, ok := strings.CutPrefix(strings.ToLower(name), "x-amz-meta-"); ok {
			out.metadata[rest] = strings.Join(values, ",")
			size += len(rest) + len(out.metadata[rest])
		}
	}
	if size > maxMetadata {
		return out, kernel.Fail(http.StatusBadRequest, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size").
			With("Size", strconv.Itoa(size)).
			With("MaxSizeAllowed", strconv.Itoa(maxMetadata))
	}
	return out, nil
}

// objectOwner is the account that a new object belongs to.
func (c *call) objectOwner(b *bucket) string {
	if b.ownership == ownerEnforced ||
		(b.ownership == "BucketOwnerPreferred" && c.HTTP.Header.Get("X-Amz-Acl") == "bucket-owner-full-control") {
		return b.account
	}
	if c.Caller.Kind == kernel.Anonymous {
		return anonymousOwner
	}
	return c.Caller.Account
}

// anonymousOwner owns the objects that anonymous callers write.
const anonymousOwner = "000000000000"

// current is the version that a read without a version id returns; nil for none or a delete marker.
func (b *bucket) current(key string) *object {
	v := b.versions[key]
	if len(v) == 0 || v[len(v)-1].deleteMarker {
		return nil
	}
	return v[len(v)-1]
}

// checkConditions applies If-Match and If-None-Match to a write. The caller holds mu.
func (c *call) checkConditions(b *bucket) error {
	match, none := c.HTTP.Header.Get("If-Match"), c.HTTP.Header.Get("If-None-Match")
	current := b.current(c.key)
	switch {
	case match != "" && none != "" || none != "" && none != "*":
		return unacceptableHeader("If-None-Match")
	case match == "*":
		return unacceptableHeader("If-Match")
	}
	if none != "" && current != nil {
		return preconditionFailed("If-None-Match")
	}
	if match == "" {
		return nil
	}
	if current == nil {
		return noSuchKey(c.key)
	}
	if !etagMatches(match, current.etag) {
		return preconditionFailed("If-Match")
	}
	return nil
}

// unacceptableHeader is S3's own error for values of conditions that it does not take.
func unacceptableHeader(name string) *kernel.Error {
	return kernel.Fail(http.StatusNotImplemented, "NotImplemented", "A header you provided implies functionality that is not implemented").
		With("Header", name).With("additionalMessage", "We don't accept the provided value of "+name+" header for this API")
}

// etagMatches compares a condition's list of entity tags with one.
func etagMatches(list, etag string) bool {
	for t := range strings.SplitSeq(list, ",") {
		if t = strings.TrimSpace(t); t == "*" || strings.Trim(strings.TrimPrefix(t, "W/"), `"`) == etag {
			return true
		}
	}
	return false
}

func preconditionFailed(condition string) *kernel.Error {
	return kernel.Fail(http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold").
		With("Condition", condition)
}

func putObject(c *call) error {
	var o *object
	var in *incoming
	err := c.withBucket(func(b *bucket) (err error) {
		o, in, err = c.preparePut(b)
		return err
	})
	if err != nil {
		return err
	}
	data, err := c.store(in)
	if err != nil {
		return err
	}
	if err := c.commitBody(o, data, in); err != nil {
		return err
	}
	return c.done(http.StatusOK)
}

// commitBody sets an object's bytes, makes it visible, and writes its response headers.
func (c *call) commitBody(o *object, data *blob, in *incoming) error {
	o.body, o.size, o.modified = body{data}, data.size, c.Kernel.Now()
	o.etag = kernel.NewHex(16)
	if !o.seal.isKMS() {
		if sum := in.md5(); sum != nil {
			o.etag = hex.EncodeToString(sum)
		}
	}
	o.describeChecksum(in)
	if err := c.commit(o); err != nil {
		data.release()
		return err
	}
	h := c.Out.Header()
	h.Set("ETag", `"`+o.etag+`"`)
	if o.algorithm != "" {
		h.Set(checksumHeader(o.algorithm), o.checksum)
		h.Set("x-amz-checksum-type", o.checksumType)
	}
	o.seal.writeHeaders(h)
	return nil
}

// preparePut makes all checks that need no body. The caller holds mu.
func (c *call) preparePut(b *bucket) (*object, *incoming, error) {
	o, err := c.describeObject(b)
	if err != nil {
		return nil, nil, err
	}
	seal := o.seal
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
		in.compute(defaultSum)
	}
	if o.lock.set() && in.algorithm == "" && in.md5Want == nil {
		return nil, nil, kernel.Fail(
			http.StatusBadRequest,
			"InvalidRequest",
			"Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters",
		)
	}
	return o, in, nil
}

// describeObject reads the headers of a new object and decides the actions that they need.
// The caller holds mu.
func (c *call) describeObject(b *bucket) (*object, error) {
	o := &object{key: c.key, owner: c.objectOwner(b), writer: c.Caller.ARN}
	var err error
	if o.headers, err = c.readObjectHeaders(); err != nil {
		return nil, err
	}
	if o.acl, err = c.newObjectACL(b, o.owner); err != nil {
		return nil, err
	}
	if o.tags, err = c.headerTags(b); err != nil {
		return nil, err
	}
	if o.lock, err = c.headerLock(b); err != nil {
		return nil, err
	}
	if o.seal, err = c.chooseEncryption(b); err != nil {
		return nil, err
	}
	return o, nil
}

// commit makes an object visible, if the bucket still exists and the conditions still hold.
// It takes mu, and sets the version header.
func (c *call) commit(o *object) error {
	w := c.s
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
	b.writeExpiration(c.Out.Header(), o)
	b.writeVersion(c.Out.Header(), o)
	return nil
}

// writeVersion sets the version header of a new object. S3 sets none while versioning is suspended.
func (b *bucket) writeVersion(h http.Header, o *object) {
	if b.versioning == "Enabled" {
		h.Set("x-amz-version-id", o.version)
	}
}

// add appends a version, or replaces the unversioned one.
func (b *bucket) add(o *object) {
	b.s.order++
	o.id, o.order, o.version = kernel.NewHex(16), b.s.order, "null"
	if b.versioning == "Enabled" {
		o.version = newVersionID(o.order)
	}
	b.touch(o) // before the old one is removed, so that one of the two is always stored
	if o.version == "null" {
		b.drop(o.key, "null")
	}
	b.versions[o.key] = append(b.versions[o.key], o)
}

// drop removes one version and returns it; nil when there is none.
func (b *bucket) drop(key, version string) *object {
	for i, o := range b.versions[key] {
		if o.version != version {
			continue
		}
		b.s.k.Store.Drop(kernel.ObjectKind, o.id)
		o.body.release()
		b.versions[key] = slices.Delete(slices.Clone(b.versions[key]), i, i+1)
		if len(b.versions[key]) == 0 {
			delete(b.versions, key)
		}
		return o
	}
	return nil
}
