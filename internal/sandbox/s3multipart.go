package sandbox

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	minPartSize     = 5 << 20
	maxPartNumber   = 10000
	maxCompleteBody = 8 << 20
)

// multipart is an open upload. Its parts are guarded by the world's mu.
type multipart struct {
	id, key   string
	object    object // what is known of the object already
	explicit  bool   // the client chose the checksum algorithm
	parts     map[int]*uploadedPart
	initiated time.Time
}

type uploadedPart struct {
	blob     *blob
	etag     string
	md5      []byte // nil under KMS
	checksum string // of the upload's algorithm
	modified time.Time
}

func (u *multipart) release() {
	for _, p := range u.parts {
		p.blob.release()
	}
	u.parts = nil
}

// put adds a part, or replaces the one of its number.
func (u *multipart) put(w *world, number int, p *uploadedPart) {
	if w.store != nil {
		w.store.put(uploadKind, partID(u.id, number), p.save())
	}
	if old := u.parts[number]; old != nil {
		old.blob.release()
	}
	u.parts[number] = p
}

// endUpload forgets an upload and lets go of its parts.
func (b *bucket) endUpload(u *multipart) {
	for number := range u.parts {
		b.world.store.drop(uploadKind, partID(u.id, number))
	}
	b.world.store.drop(uploadKind, u.id)
	u.release()
	delete(b.uploads, u.id)
}

// partNumber reads the part number of the query.
func (c *s3Call) partNumber() (int, error) {
	number, err := strconv.Atoi(c.query.Get("partNumber"))
	if err != nil || number < 1 || number > maxPartNumber {
		return 0, invalidArgument("Part number must be an integer between 1 and 10000, inclusive").with("ArgumentName", "partNumber").with("ArgumentValue", c.query.Get("partNumber"))
	}
	return number, nil
}

func unsupportedChecksum() *apiError {
	return fail(http.StatusBadRequest, "InvalidRequest", "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]")
}

func noSuchUpload(id string) *apiError {
	return fail(http.StatusNotFound, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.").with("UploadId", id)
}

// upload finds the upload that the query names. The caller holds mu.
func (c *s3Call) upload(b *bucket) (*multipart, error) {
	id := c.query.Get("uploadId")
	u := b.uploads[id]
	if u == nil || u.key != c.key {
		return nil, noSuchUpload(id)
	}
	return u, nil
}

// reloadUpload finds bucket and upload anew after mu was given up. The caller holds mu again.
func (c *s3Call) reloadUpload() (*bucket, *multipart, error) {
	b := c.s.world.buckets[c.bucketName]
	if b == nil {
		return nil, nil, noSuchBucket(c.bucketName)
	}
	u, err := c.upload(b)
	return b, u, err
}

func createMultipartUpload(c *s3Call, b *bucket) error {
	defer c.unlock()
	o, err := c.describeObject(b)
	if err != nil {
		return err
	}
	algorithm, kind, explicit, err := c.checksumChoice()
	if err != nil {
		return err
	}
	if err := c.useKey(b, "GenerateDataKey", o.seal); err != nil {
		return err
	}
	o.algorithm, o.checksumType = algorithm, kind
	u := &multipart{id: newHex(48), key: c.key, explicit: explicit, parts: map[int]*uploadedPart{}, initiated: c.now, object: *o}
	b.uploads[u.id] = u
	if w := b.world; w.store != nil {
		w.store.put(uploadKind, u.id, u.save(b.name))
	}
	h := c.w.Header()
	b.writeAbortHeaders(h, u)
	o.seal.writeHeaders(h)
	if explicit {
		h.Set("x-amz-checksum-algorithm", algorithm)
		h.Set("x-amz-checksum-type", kind)
	}
	return c.writeXML(struct {
		XMLName     xml.Name `xml:"InitiateMultipartUploadResult"`
		Xmlns       string   `xml:"xmlns,attr"`
		Bucket, Key string
		UploadID    string `xml:"UploadId"`
	}{Xmlns: s3Namespace, Bucket: b.name, Key: c.key, UploadID: u.id})
}

// checksumChoice reads the algorithm and type of a new upload.
func (c *s3Call) checksumChoice() (algorithm, kind string, explicit bool, err error) {
	algorithm = strings.ToUpper(c.r.Header.Get("X-Amz-Checksum-Algorithm"))
	kind = strings.ToUpper(c.r.Header.Get("X-Amz-Checksum-Type"))
	if kind != "" && kind != composite && kind != fullObject {
		return "", "", false, fail(http.StatusBadRequest, "InvalidRequest", "Value for x-amz-checksum-type header is invalid.")
	}
	if algorithm == "" {
		if kind != "" {
			return "", "", false, fail(http.StatusBadRequest, "InvalidRequest", "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
		}
		return defaultSum, fullObject, false, nil
	}
	if newChecksum(algorithm) == nil {
		return "", "", false, unsupportedChecksum()
	}
	if kind == "" {
		kind = composite
		if algorithm == defaultSum {
			kind = fullObject
		}
	}
	if (kind != composite && kind != fullObject) || (kind == fullObject && !combines(algorithm)) || (kind == composite && algorithm == defaultSum) {
		return "", "", false, fail(http.StatusBadRequest, "InvalidRequest", "The %s checksum type cannot be used with the %s checksum algorithm.", kind, strings.ToLower(algorithm))
	}
	return algorithm, kind, true, nil
}

func uploadPart(c *s3Call, b *bucket) error {
	number, in, kms, err := c.preparePart(b)
	c.unlock()
	if err != nil {
		return err
	}
	data, err := c.store(in)
	if err != nil {
		return err
	}
	p := &uploadedPart{blob: data, etag: newHex(16), modified: c.s.now()}
	if sum := in.md5(); sum != nil && !kms {
		p.md5 = sum
		p.etag = hex.EncodeToString(p.md5)
	}
	w := c.s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	_, u, err := c.reloadUpload()
	if err != nil {
		data.release()
		return err
	}
	p.checksum = in.sum(u.object.algorithm)
	u.put(w, number, p)
	h := c.w.Header()
	h.Set("ETag", `"`+p.etag+`"`)
	switch {
	case in.algorithm != "":
		h.Set(checksumHeader(in.algorithm), in.sum(in.algorithm))
	case u.explicit && p.checksum != "":
		h.Set(checksumHeader(u.object.algorithm), p.checksum)
	}
	u.object.seal.writeHeaders(h)
	return c.done(http.StatusOK)
}

// preparePart does all that can be refused before the part's bytes are read. The caller holds mu.
func (c *s3Call) preparePart(b *bucket) (number int, in *incoming, kms bool, err error) {
	if number, err = c.partNumber(); err != nil {
		return 0, nil, false, err
	}
	u, err := c.upload(b)
	if err != nil {
		return 0, nil, false, err
	}
	// A part is sealed under the data key that Create got: KMS has to open it again.
	if err := c.useKey(b, "Decrypt", u.object.seal); err != nil {
		return 0, nil, false, err
	}
	if in, err = c.openBody(!u.object.seal.isKMS(), u.object.algorithm); err != nil {
		return 0, nil, false, err
	}
	if u.explicit && in.algorithm == "" && u.object.checksumType == composite {
		return 0, nil, false, fail(http.StatusBadRequest, "InvalidRequest", "Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: null", strings.ToLower(u.object.algorithm))
	}
	if u.explicit && in.algorithm != "" && in.algorithm != u.object.algorithm {
		return 0, nil, false, fail(http.StatusBadRequest, "InvalidRequest", "Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s",
			strings.ToLower(u.object.algorithm), strings.ToLower(in.algorithm))
	}
	return number, in, u.object.seal.isKMS(), nil
}

func abortMultipartUpload(c *s3Call, b *bucket) error {
	defer c.unlock()
	u, err := c.upload(b)
	if err != nil {
		return err
	}
	b.endUpload(u)
	return c.done(http.StatusNoContent)
}

type completedPart struct {
	PartNumber *int
	ETag       string
	checksumXML
}

type completeRequest struct {
	XMLName xml.Name        `xml:"CompleteMultipartUpload"`
	Parts   []completedPart `xml:"Part"`
}

type completeResult struct {
	XMLName  xml.Name `xml:"CompleteMultipartUploadResult"`
	Xmlns    string   `xml:"xmlns,attr"`
	Location string
	Bucket   string
	Key      string
	ETag     string
	checksumXML
	ChecksumType string `xml:",omitempty"`
}

func completeMultipartUpload(c *s3Call, _ *bucket) error {
	// The checksum headers of this call speak of the object, not of the request body.
	objectSums := map[string]string{}
	for _, a := range checksumAlgorithms {
		if v := c.r.Header.Get(checksumHeader(a)); v != "" {
			objectSums[a] = v
			c.r.Header.Del(checksumHeader(a))
		}
	}
	if len(objectSums) > 1 {
		c.unlock()
		return multipleChecksums()
	}
	if err := c.checkCompleteHeaders(); err != nil {
		c.unlock()
		return err
	}
	return c.configure(maxCompleteBody, func(b *bucket, data []byte) error {
		var req completeRequest
		if err := parseXML(data, &req); err != nil {
			return err
		}
		u, err := c.upload(b)
		if err != nil {
			if o := b.completed(c.key, c.query.Get("uploadId")); o != nil {
				return c.writeCompleted(b, o) // asked again: the answer may have been lost
			}
			return err
		}
		o, err := c.assemble(u, req.Parts, objectSums)
		if err != nil {
			return err
		}
		if err := c.checkConditions(b); err != nil {
			return err
		}
		if err := c.useKey(b, "Decrypt", u.object.seal); err != nil {
			return err
		}
		o.body.retain()
		b.endUpload(u)
		o.modified, o.uploadID = c.now, u.id
		b.add(o)
		b.writeExpiration(c.w.Header(), o)
		return c.writeCompleted(b, o)
	})
}

// checkCompleteHeaders refuses headers that no object could fit.
func (c *s3Call) checkCompleteHeaders() error {
	if v := c.r.Header.Get("X-Amz-Mp-Object-Size"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return fail(http.StatusBadRequest, "InvalidRequest", "Value for x-amz-mp-object-size header is invalid: '%s'", v)
		}
		if n < 0 {
			return fail(http.StatusBadRequest, "InvalidRequest", "Value for x-amz-mp-object-size header is less than zero: '%d'", n)
		}
	}
	if v := strings.ToUpper(c.r.Header.Get("X-Amz-Checksum-Type")); v != "" && v != composite && v != fullObject {
		return fail(http.StatusBadRequest, "InvalidRequest", "Value for x-amz-checksum-type header is invalid.")
	}
	return nil
}

// completed is the current object of a key if the upload of that id made it.
func (b *bucket) completed(key, uploadID string) *object {
	if o := b.current(key); o != nil && uploadID != "" && o.uploadID == uploadID {
		return o
	}
	return nil
}

func (c *s3Call) writeCompleted(b *bucket, o *object) error {
	h := c.w.Header()
	if b.versioning != "" {
		h.Set("x-amz-version-id", o.version)
	}
	o.seal.writeHeaders(h)
	out := completeResult{Xmlns: s3Namespace, Bucket: b.name, Key: c.key, ETag: `"` + o.etag + `"`, ChecksumType: o.checksumType}
	out.Location = fmt.Sprintf("https://%s.s3.%s.amazonaws.com/%s", b.name, b.region, uriEncode(c.key, false))
	out.set(o.algorithm, o.checksum)
	return c.writeXML(out)
}

// assemble checks the list of parts against what was uploaded and makes the object.
func (c *s3Call) assemble(u *multipart, list []completedPart, objectSums map[string]string) (*object, error) {
	if len(list) == 0 || len(list) > maxPartNumber {
		return nil, malformedXML()
	}
	for i, p := range list {
		switch {
		case p.PartNumber == nil || p.ETag == "":
			return nil, malformedXML()
		case *p.PartNumber < 1:
			return nil, invalidArgument("PartNumber must be >= 1").with("ArgumentName", "partNumber").with("ArgumentValue", strconv.Itoa(*p.PartNumber))
		case i > 0 && *p.PartNumber <= *list[i-1].PartNumber:
			return nil, fail(http.StatusBadRequest, "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.").with("UploadId", u.id)
		}
	}
	o := u.object
	o.parts = nil
	var sums []summedPart
	digest := md5.New()
	for i, want := range list {
		number := *want.PartNumber
		p := u.parts[number]
		given := want.get(o.algorithm)
		if p == nil || strings.Trim(want.ETag, `"`) != p.etag || (given != "" && given != p.checksum) {
			return nil, fail(http.StatusBadRequest, "InvalidPart", "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.").
				with("UploadId", u.id).with("PartNumber", strconv.Itoa(number)).with("ETag", strings.Trim(want.ETag, `"`))
		}
		if given == "" && u.explicit && o.checksumType == composite {
			return nil, fail(http.StatusBadRequest, "InvalidRequest", "The upload was created using a %s checksum. The complete request must include the checksum for each part. It was missing for part %d in the request.",
				strings.ToLower(o.algorithm), number)
		}
		if i < len(list)-1 && p.blob.size < minPartSize {
			return nil, fail(http.StatusBadRequest, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size").
				with("ProposedSize", strconv.FormatInt(p.blob.size, 10)).with("MinSizeAllowed", strconv.Itoa(minPartSize)).
				with("PartNumber", strconv.Itoa(number)).with("ETag", p.etag)
		}
		told := "" // S3 tells a part's checksum only when the client chose the algorithm
		if u.explicit {
			told = p.checksum
		}
		o.body = append(o.body, p.blob)
		o.parts = append(o.parts, objectPart{number, p.blob.size, told})
		sums = append(sums, summedPart{p.checksum, p.blob.size})
		digest.Write(p.md5)
	}
	o.size = o.body.size()
	o.etag = fmt.Sprintf("%x-%d", digest.Sum(nil), len(list))
	if o.seal.isKMS() || c.s.opts.SkipChecksums {
		o.etag = fmt.Sprintf("%s-%d", newHex(16), len(list))
	}
	if v := c.r.Header.Get("X-Amz-Mp-Object-Size"); v != "" && v != strconv.FormatInt(o.size, 10) {
		return nil, fail(http.StatusBadRequest, "InvalidRequest", "The provided 'x-amz-mp-object-size' header value %s does not match what was computed: %d", v, o.size)
	}
	if v := strings.ToUpper(c.r.Header.Get("X-Amz-Checksum-Type")); v != "" && v != o.checksumType {
		return nil, fail(http.StatusBadRequest, "InvalidRequest", "The upload was created using the %s checksum mode. The complete request must use the same checksum mode.", o.checksumType)
	}
	if err := o.joinChecksums(sums); err != nil {
		return nil, err
	}
	for a, want := range objectSums {
		if a != o.algorithm {
			if !u.explicit {
				continue // there is nothing to compare it with
			}
			return nil, fail(http.StatusBadRequest, "InvalidRequest", "Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s", strings.ToLower(o.algorithm), strings.ToLower(a))
		}
		if !validChecksumText(a, strings.TrimSuffix(want, fmt.Sprintf("-%d", len(list)))) {
			return nil, fail(http.StatusBadRequest, "InvalidRequest", "Value for %s header is invalid.", checksumHeader(a))
		}
		if o.checksum != "" && want != o.checksum && want != strings.TrimSuffix(o.checksum, fmt.Sprintf("-%d", len(list))) {
			return nil, badChecksum(o.algorithm)
		}
	}
	return &o, nil
}
