package s3

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// CopyObject and UploadPartCopy. The caller needs the right to read the source,
// in whichever account it is, as well as the right to write.

const maxCopySource = 5 << 30

// copySource is the object that x-amz-copy-source names.
type copySource struct {
	bucket, key, version string
}

func (c *call) parseCopySource() (copySource, error) {
	var src copySource
	text := c.HTTP.Header.Get("X-Amz-Copy-Source")
	path, query, _ := strings.Cut(text, "?")
	if v, ok := strings.CutPrefix(query, "versionId="); ok {
		src.version = v
	} else if query != "" {
		path = text // a question mark that belongs to the key
	}
	if before, rest, ok := strings.Cut(path, "://"); ok && (before == "https" || before == "http") {
		_, path, _ = strings.Cut(rest, "/") // the whole URL of the source
	}
	path, err := url.QueryUnescape(path) // a plus stands for a space
	if err != nil {
		return src, kernel.InvalidArgument("Invalid copy source encoding.").
			With("ArgumentName", "x-amz-copy-source").
			With("ArgumentValue", text)
	}
	if before, version, ok := strings.Cut(path, "?versionId="); ok && src.version == "" {
		path, src.version = before, version // some clients encode the whole
	}
	if src.version != "" && !validVersionID(src.version) {
		return src, invalidVersionID(src.version)
	}
	if strings.HasPrefix(path, "arn:") {
		return src, kernel.NotImplemented("a copy source that is an access point")
	}
	var ok bool
	src.bucket, src.key, ok = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok || src.bucket == "" || src.key == "" {
		return src, kernel.InvalidArgument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey").
			With("ArgumentName", "x-amz-copy-source").With("ArgumentValue", text)
	}
	return src, nil
}

// sourceCall is the read of a copy, decided like a call of its own.
func (c *call) sourceCall(src copySource) *call {
	from := *c
	from.bucketName, from.key, from.action = src.bucket, src.key, "s3:GetObject"
	from.query = url.Values{}
	if src.version != "" {
		from.action = "s3:GetObjectVersion"
		from.query.Set("versionId", src.version)
	}
	return &from
}

// openSource finds the source of a copy and decides its read and its decryption. The caller
// holds mu.
func (c *call) openSource() (*call, *bucket, *object, error) {
	src, err := c.parseCopySource()
	if err != nil {
		return nil, nil, nil, err
	}
	from := c.sourceCall(src)
	b := c.s.buckets[src.bucket]
	if b == nil {
		return nil, nil, nil, noSuchBucket(src.bucket)
	}
	if want := c.HTTP.Header.Get("X-Amz-Source-Expected-Bucket-Owner"); want != "" && want != b.account {
		return nil, nil, nil, accessDenied()
	}
	if err := c.checkPayer(b); err != nil {
		return nil, nil, nil, err
	}
	if err := from.allow(b, from.action, from.resource()); err != nil {
		return nil, nil, nil, err
	}
	o, err := from.find(b)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := c.checkCopyConditions(o); err != nil {
		return nil, nil, nil, err
	}
	if err := from.useKey(b, "Decrypt", o.seal); err != nil {
		return nil, nil, nil, err
	}
	c.Forward = from.Forward
	return from, b, o, nil
}

func (c *call) checkCopyConditions(o *object) error {
	h := c.HTTP.Header
	since := func(name string) (time.Time, bool) {
		t, err := http.ParseTime(h.Get("X-Amz-Copy-Source-If-" + name))
		return t, err == nil
	}
	modified := o.modified.Truncate(time.Second)
	if v := h.Get("X-Amz-Copy-Source-If-Match"); v != "" {
		if !etagMatches(v, o.etag) {
			return preconditionFailed("x-amz-copy-source-If-Match")
		}
	} else if t, ok := since("Unmodified-Since"); ok && modified.After(t) {
		return preconditionFailed("x-amz-copy-source-If-Unmodified-Since")
	}
	if v := h.Get("X-Amz-Copy-Source-If-None-Match"); v != "" {
		if etagMatches(v, o.etag) {
			return preconditionFailed("x-amz-copy-source-If-None-Match")
		}
	} else if t, ok := since("Modified-Since"); ok && !modified.After(t) && !t.After(c.Now) {
		return preconditionFailed("x-amz-copy-source-If-Modified-Since")
	}
	return nil
}

type copyResultXML struct {
	XMLName      xml.Name
	Xmlns        string `xml:"xmlns,attr"`
	LastModified string
	ETag         string
	checksumXML
	ChecksumType string `xml:",omitempty"`
}

func copyObject(c *call) error {
	var o, src *object
	err := c.withBucket(func(b *bucket) (err error) {
		if o, src, err = c.prepareCopy(b); err == nil {
			o.body = src.body.retain()
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := c.sumCopy(o, src); err != nil {
		o.body.release()
		return err
	}
	o.modified = c.Kernel.Now()
	if err := c.commit(o); err != nil {
		o.body.release()
		return err
	}
	o.seal.writeHeaders(c.Out.Header())
	if src.version != "null" {
		c.Out.Header().Set("x-amz-copy-source-version-id", src.version)
	}
	out := copyResultXML{
		XMLName:      xml.Name{Local: "CopyObjectResult"},
		Xmlns:        namespace,
		LastModified: kernel.ListTime(o.modified),
		ETag:         `"` + o.etag + `"`,
		ChecksumType: o.checksumType,
	}
	out.set(o.algorithm, o.checksum)
	return c.writeXML(out)
}

// prepareCopy decides a copy and describes the new object. The caller holds mu.
func (c *call) prepareCopy(b *bucket) (o, src *object, err error) {
	directives := map[string]string{}
	for _, name := range []string{"X-Amz-Metadata-Directive", "X-Amz-Tagging-Directive"} {
		v := c.HTTP.Header.Get(name)
		if v != "" && v != "COPY" && v != "REPLACE" {
			return nil, nil, kernel.InvalidArgument("Unknown %s directive.", strings.ToLower(strings.Split(name, "-")[2])).
				With("ArgumentName", strings.ToLower(name)).
				With("ArgumentValue", v)
		}
		directives[name] = v
	}
	if a := strings.ToUpper(c.HTTP.Header.Get("X-Amz-Checksum-Algorithm")); a != "" && newChecksum(a) == nil {
		return nil, nil, unsupportedChecksum()
	}
	from, srcBucket, src, err := c.openSource()
	if err != nil {
		return nil, nil, err
	}
	if src.size > maxCopySource {
		return nil, nil, kernel.Fail(
			http.StatusBadRequest,
			"InvalidRequest",
			"The specified copy source is larger than the maximum allowable size for a copy source: %d",
			int64(maxCopySource),
		)
	}
	if o, err = c.describeObject(b); err != nil {
		return nil, nil, err
	}
	replace := directives["X-Amz-Metadata-Directive"] == "REPLACE"
	if srcBucket == b && src.key == c.key && from.query.Get("versionId") == "" && !replace && !c.copyChanges(b, src, o) {
		return nil, nil, kernel.Fail(
			http.StatusBadRequest,
			"InvalidRequest",
			"This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, "+
				"website redirect location or encryption attributes.",
		)
	}
	if !replace {
		class, redirect := o.headers.storageClass, o.headers.redirect
		o.headers = src.headers
		o.headers.storageClass, o.headers.redirect = class, redirect
	}
	if directives["X-Amz-Tagging-Directive"] != "REPLACE" {
		o.tags = nil
		if len(src.tags) > 0 {
			action := "s3:GetObjectTagging"
			if from.query.Get("versionId") != "" {
				action = "s3:GetObjectVersionTagging"
			}
			if err := from.allow(srcBucket, action, from.resource()); err != nil {
				return nil, nil, err
			}
			if err := c.allow(b, "s3:PutObjectTagging", c.resource()); err != nil {
				return nil, nil, err
			}
			o.tags = src.tags
		}
	}
	if err := c.checkConditions(b); err != nil {
		return nil, nil, err
	}
	return o, src, c.useKey(b, "GenerateDataKey", o.seal)
}

// copyChanges reports whether a copy onto itself changes anything that S3 accepts as a reason.
// A source under SSE-KMS and a bucket with an encryption of its own are reasons: the copy is encrypted again.
func (c *call) copyChanges(b *bucket, src, o *object) bool {
	return o.headers.storageClass != "" || o.headers.redirect != "" || c.HTTP.Header.Get("X-Amz-Server-Side-Encryption") != "" ||
		src.seal.isKMS() ||
		b.encryption.set
}

// sumCopy sets size, ETag and checksum of the copy: the source's where they are valid for
// a single object, computed from the bytes otherwise. mu must not be held.
func (c *call) sumCopy(o, src *object) error {
	o.size = src.size
	algorithm := strings.ToUpper(c.HTTP.Header.Get("X-Amz-Checksum-Algorithm"))
	if algorithm == "" {
		algorithm = src.algorithm
	}
	o.algorithm, o.checksumType = algorithm, fullObject
	sums := map[string]hash.Hash{}
	if algorithm == src.algorithm && src.checksumType == fullObject {
		o.checksum = src.checksum
	} else {
		sums["sum"] = newChecksum(algorithm)
	}
	switch {
	case o.seal.isKMS():
		o.etag = kernel.NewHex(16)
	case !src.seal.isKMS() && src.parts == nil:
		o.etag = src.etag
	default:
		sums["md5"] = md5.New()
	}
	if len(sums) == 0 {
		return nil
	}
	r := o.body.open(0, o.size)
	var writers []io.Writer
	for _, h := range sums {
		writers = append(writers, h)
	}
	_, err := io.Copy(io.MultiWriter(writers...), r)
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	if h := sums["sum"]; h != nil {
		o.checksum = base64.StdEncoding.EncodeToString(h.Sum(nil))
	}
	if h := sums["md5"]; h != nil {
		o.etag = hex.EncodeToString(h.Sum(nil))
	}
	return err
}

func uploadPartCopy(c *call) error {
	var number int
	var seal sealed
	var algorithm string
	var src *object
	var length int64
	var r *bodyReader
	err := c.withBucket(func(b *bucket) (err error) {
		var start int64
		if number, seal, algorithm, src, start, length, err = c.preparePartCopy(b); err == nil {
			r = src.body.open(start, length)
		}
		return err
	})
	if err != nil {
		return err
	}
	sum, digest := newChecksum(algorithm), md5.New()
	data, err := c.s.blobs.write(r, length, sum, digest)
	if cerr := r.Close(); err == nil && cerr != nil {
		data.release()
		err = cerr
	}
	if err != nil {
		return err
	}
	p := &uploadedPart{
		blob:     data,
		etag:     kernel.NewHex(16),
		modified: c.Kernel.Now(),
		checksum: base64.StdEncoding.EncodeToString(sum.Sum(nil)),
	}
	if !seal.isKMS() {
		p.md5 = digest.Sum(nil)
		p.etag = hex.EncodeToString(p.md5)
	}
	w := c.s
	w.mu.Lock()
	defer w.mu.Unlock()
	_, u, err := c.reloadUpload()
	if err != nil {
		data.release()
		return err
	}
	u.put(w, number, p)
	seal.writeHeaders(c.Out.Header())
	if src.version != "null" {
		c.Out.Header().Set("x-amz-copy-source-version-id", src.version)
	}
	out := copyResultXML{
		XMLName:      xml.Name{Local: "CopyPartResult"},
		Xmlns:        namespace,
		LastModified: kernel.ListTime(p.modified),
		ETag:         `"` + p.etag + `"`,
	}
	if u.explicit {
		out.set(u.object.algorithm, p.checksum)
	}
	return c.writeXML(out)
}

// preparePartCopy decides a part's copy. The caller holds mu.
func (c *call) preparePartCopy(b *bucket) (number int, seal sealed, algorithm string, src *object, start, length int64, err error) {
	if number, err = c.partNumber(); err != nil {
		return
	}
	if _, err = c.parseCopySource(); err != nil {
		return
	}
	u, err := c.upload(b)
	if err != nil {
		return
	}
	if _, _, src, err = c.openSource(); err != nil {
		return
	}
	if err = c.useKey(b, "Decrypt", u.object.seal); err != nil {
		return
	}
	start, length = 0, src.size
	if spec := c.HTTP.Header.Get("X-Amz-Copy-Source-Range"); spec != "" {
		if start, length, err = parseCopyRange(spec, src.size); err != nil {
			return
		}
	}
	if length > maxCopySource {
		err = kernel.Fail(
			http.StatusBadRequest,
			"InvalidRequest",
			"The specified copy source is larger than the maximum allowable size for a copy source: %d",
			int64(maxCopySource),
		)
	}
	return number, u.object.seal, u.object.algorithm, src, start, length, err
}

// parseCopyRange reads "bytes=first-last"; other forms of ranges are not for copies.
func parseCopyRange(spec string, size int64) (start, length int64, err error) {
	bad := kernel.InvalidArgument("The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "+
		"zero-based offsets of the first and last bytes to copy").
		With("ArgumentName", "x-amz-copy-source-range").
		With("ArgumentValue", spec)
	text, ok := strings.CutPrefix(spec, "bytes=")
	from, to, dash := strings.Cut(text, "-")
	if !ok || !dash {
		return 0, 0, bad
	}
	first, err1 := strconv.ParseUint(from, 10, 62)
	last, err2 := strconv.ParseUint(to, 10, 62)
	if err1 != nil || err2 != nil || last < first {
		return 0, 0, bad
	}
	if int64(first) >= size {
		return 0, 0, kernel.Fail(http.StatusBadRequest, "InvalidRequest", "The specified copy range is invalid for the source object size")
	}
	if int64(last) >= size {
		return 0, 0, kernel.InvalidArgument("Range specified is not valid for source object of size: %d", size).
			With("ArgumentName", "x-amz-copy-source-range").With("ArgumentValue", spec)
	}
	return int64(first), int64(last-first) + 1, nil
}
