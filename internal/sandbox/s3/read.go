package s3

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// GetObject and HeadObject.

func noSuchKey(key string) *kernel.Error {
	return kernel.Fail(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.").With("Key", key)
}

func noSuchVersion(key, version string) *kernel.Error {
	return kernel.Fail(http.StatusNotFound, "NoSuchVersion", "The specified version does not exist.").
		With("Key", key).
		With("VersionId", version)
}

// deleteMarkerNotAllowed is the error for operations that a delete marker does not have.
func (c *call) deleteMarkerNotAllowed() *kernel.Error {
	return methodNotAllowed().With("Method", c.HTTP.Method).With("ResourceType", "DeleteMarker").
		WithHeader("x-amz-delete-marker", "true").WithHeader("Allow", "DELETE")
}

// find gets the version that a read asks for. The caller holds mu.
func (c *call) find(b *bucket) (*object, error) {
	version := c.query.Get("versionId")
	if version != "" {
		if !validVersionID(version) {
			return nil, invalidVersionID(version)
		}
		for _, o := range b.versions[c.key] {
			if o.version != version {
				continue
			}
			if o.deleteMarker {
				return nil, c.deleteMarkerNotAllowed()
			}
			return o, nil
		}
		if b.versioning == "" && version != "null" {
			return nil, invalidVersionID(version)
		}
		return nil, noSuchVersion(c.key, version)
	}
	if o := b.current(c.key); o != nil {
		return o, nil
	}
	// A caller who may not list the bucket must not learn that a key has no object.
	if !c.may(b, "s3:ListBucket", b.arn()) {
		return nil, accessDenied()
	}
	e := noSuchKey(c.key)
	if v := b.versions[c.key]; len(v) > 0 {
		e = e.WithHeader("x-amz-delete-marker", "true").WithHeader("x-amz-version-id", v[len(v)-1].version)
	}
	return nil, e
}

func getObject(c *call) error  { return c.read(true) }
func headObject(c *call) error { return c.read(false) }

func (c *call) read(withBody bool) error {
	var reader *bodyReader
	var length int64
	var status int
	err := c.withBucket(func(b *bucket) error {
		o, start, n, code, err := c.prepareRead(b, withBody)
		if err != nil {
			return err
		}
		reader, length, status = o.body.open(start, n), n, code
		return nil
	})
	if err != nil {
		return err
	}
	c.Out.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	c.Stream()
	c.Reply(status)
	var copyErr error
	if withBody {
		buf := c.s.blobs.buffer()
		defer c.s.blobs.buffers.Put(buf)
		// Plain interfaces, so that io.CopyBuffer uses the buffer.
		_, copyErr = io.CopyBuffer(struct{ io.Writer }{c.Out}, struct{ io.Reader }{reader}, *buf)
	}
	return errors.Join(copyErr, reader.Close())
}

// prepareRead decides a read and sets the headers of its answer. The caller holds mu.
func (c *call) prepareRead(b *bucket, withBody bool) (o *object, start, length int64, status int, err error) {
	if c.query.Has("partNumber") {
		if _, err := c.partNumber(); err != nil {
			return nil, 0, 0, 0, err
		}
	}
	if o, err = c.find(b); err != nil {
		return nil, 0, 0, 0, err
	}
	if err := c.checkReadConditions(o); err != nil {
		return nil, 0, 0, 0, err
	}
	sums := strings.EqualFold(c.HTTP.Header.Get("X-Amz-Checksum-Mode"), "ENABLED")
	if withBody || sums {
		if err := c.useKey(b, "Decrypt", o.seal); err != nil {
			return nil, 0, 0, 0, err
		}
	}
	start, length, status, err = c.extent(o)
	if err != nil {
		return nil, 0, 0, 0, err
	}
	h := c.Out.Header()
	if status == http.StatusPartialContent && o.size > 0 {
		h.Set(
			"Content-Range",
			"bytes "+strconv.FormatInt(start, 10)+"-"+strconv.FormatInt(start+length-1, 10)+"/"+strconv.FormatInt(o.size, 10),
		)
	}
	c.writeObjectHeaders(o, b)
	if sums {
		c.writeChecksum(o, length)
	}
	return o, start, length, status, nil
}

// writeChecksum writes the checksum of the bytes that are sent, when S3 has it: of the
// object, or of the requested part.
func (c *call) writeChecksum(o *object, length int64) {
	h := c.Out.Header()
	switch number, err := strconv.Atoi(c.query.Get("partNumber")); {
	case err == nil && o.parts == nil, err != nil && length == o.size:
		h.Set(checksumHeader(o.algorithm), o.checksum)
	case err == nil && o.checksumType == composite && o.parts[number-1].Checksum != "":
		h.Set(checksumHeader(o.algorithm), o.parts[number-1].Checksum)
	default:
		return
	}
	h.Set("x-amz-checksum-type", o.checksumType)
}

func (c *call) writeObjectHeaders(o *object, b *bucket) {
	h := c.Out.Header()
	h.Set("ETag", `"`+o.etag+`"`)
	h.Set("Last-Modified", kernel.HTTPTime(o.modified))
	h.Set("Accept-Ranges", "bytes")
	for name, value := range map[string]string{
		"Content-Type": o.headers.contentType, "Content-Encoding": o.headers.contentEncoding, "Cache-Control": o.headers.cacheControl,
		"Content-Disposition": o.headers.disposition, "Content-Language": o.headers.language, "Expires": o.headers.expires,
	} {
		if v := c.query.Get("response-" + strings.ToLower(name)); v != "" && c.Caller.Kind != kernel.Anonymous {
			value = v
		}
		if value != "" {
			h.Set(name, value)
		}
	}
	if sc := o.headers.storageClass; sc != "" && sc != "STANDARD" {
		h.Set("x-amz-storage-class", sc)
	}
	for name, value := range o.headers.metadata {
		h.Set("x-amz-meta-"+name, value)
	}
	if len(o.tags) > 0 {
		h.Set("x-amz-tagging-count", strconv.Itoa(len(o.tags)))
	}
	if o.headers.redirect != "" {
		h.Set("x-amz-website-redirect-location", o.headers.redirect)
	}
	o.lock.writeHeaders(h)
	if b.versioning != "" {
		h.Set("x-amz-version-id", o.version)
	}
	if !c.query.Has("versionId") {
		b.writeExpiration(h, o)
	}
	if o.parts != nil && c.query.Has("partNumber") {
		h.Set("x-amz-mp-parts-count", strconv.Itoa(len(o.parts)))
	}
	o.seal.writeHeaders(h)
}

// checkReadConditions applies the four conditions in the order of RFC 9110.
func (c *call) checkReadConditions(o *object) error {
	h := c.HTTP.Header
	modified := o.modified.Truncate(time.Second)
	if v := h.Get("If-Match"); v != "" {
		if !etagMatches(v, o.etag) {
			return preconditionFailed("If-Match")
		}
	} else if t, err := http.ParseTime(h.Get("If-Unmodified-Since")); err == nil && modified.After(t) {
		return preconditionFailed("If-Unmodified-Since")
	}
	notModified := false
	if v := h.Get("If-None-Match"); v != "" {
		notModified = etagMatches(v, o.etag)
	} else if t, err := http.ParseTime(h.Get("If-Modified-Since")); err == nil && !t.After(c.Now) {
		notModified = !modified.After(t)
	}
	if notModified {
		return (&kernel.Error{Code: "NotModified", Message: "Not Modified", Status: http.StatusNotModified}).
			WithHeader("ETag", `"`+o.etag+`"`).WithHeader("Last-Modified", kernel.HTTPTime(o.modified))
	}
	return nil
}

// extent is the run of bytes that the request asks for: all, a range or a part.
func (c *call) extent(o *object) (start, length int64, status int, err error) {
	spec := c.HTTP.Header.Get("Range")
	if c.query.Has("partNumber") {
		return c.partExtent(o, spec)
	}
	if spec == "" {
		return 0, o.size, http.StatusOK, nil
	}
	from, n, ok, satisfiable := parseRange(spec, o.size)
	if !ok {
		return 0, o.size, http.StatusOK, nil
	}
	if !satisfiable {
		return 0, 0, 0, kernel.Fail(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable").
			With("RangeRequested", spec).
			With("ActualObjectSize", strconv.FormatInt(o.size, 10)).WithHeader("Content-Range", "bytes */"+strconv.FormatInt(o.size, 10))
	}
	return from, n, http.StatusPartialContent, nil
}

func (c *call) partExtent(o *object, rangeSpec string) (start, length int64, status int, err error) {
	number, err := c.partNumber()
	if err != nil {
		return 0, 0, 0, err
	}
	if rangeSpec != "" {
		return 0, 0, 0, kernel.Fail(
			http.StatusBadRequest,
			"InvalidRequest",
			"Cannot specify both Range header and partNumber query parameter",
		)
	}
	count := max(1, len(o.parts))
	if number > count {
		return 0, 0, 0, kernel.Fail(http.StatusRequestedRangeNotSatisfiable, "InvalidPartNumber", "The requested partnumber is not satisfiable").
			With("ActualPartCount", strconv.Itoa(count)).
			With("PartNumberRequested", strconv.Itoa(number))
	}
	if o.parts == nil || o.size == 0 {
		return 0, o.size, http.StatusPartialContent, nil
	}
	for _, p := range o.parts[:number-1] {
		start += p.Size
	}
	return start, o.parts[number-1].Size, http.StatusPartialContent, nil
}

// parseRange reads one byte range; ok is false for forms that S3 ignores.
func parseRange(spec string, size int64) (start, length int64, ok, satisfiable bool) {
	text, found := strings.CutPrefix(spec, "bytes=")
	from, to, dash := strings.Cut(text, "-")
	if !found || !dash || strings.Contains(text, ",") {
		return 0, 0, false, false
	}
	if from == "" {
		n, err := strconv.ParseInt(to, 10, 64)
		if err != nil || n < 0 {
			return 0, 0, false, false
		}
		n = min(n, size)
		return size - n, n, true, n > 0
	}
	start, err := strconv.ParseInt(from, 10, 64)
	if err != nil || start < 0 {
		return 0, 0, false, false
	}
	end := size - 1
	if to != "" {
		if end, err = strconv.ParseInt(to, 10, 64); err != nil || end < start {
			return 0, 0, false, false
		}
		end = min(end, size-1)
	}
	if start >= size {
		return 0, 0, true, false
	}
	return start, end - start + 1, true, true
}
