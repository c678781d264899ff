package s3

import (
	"encoding/hex"
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

const (
	minPartSize     = 5 << 20
	maxPartNumber   = 10000
	maxCompleteBody = 8 << 20
)

// multipart is an open upload. mu guards its parts.
type multipart struct {
	id, key   string
	object    object // the object as CreateMultipartUpload described it
	explicit  bool   // the client chose the checksum algorithm
	parts     map[int]*uploadedPart
	initiated time.Time
	// order is that of the newest object version when the upload was begun, and deleted
	// reports whether the key was deleted since: conditions on what changed meanwhile conflict.
	order   uint64
	deleted bool
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
func (u *multipart) put(w *Service, number int, p *uploadedPart) {
	if w.k.Store != nil {
		w.k.Store.Put(kernel.UploadKind, partID(u.id, number), p.save())
	}
	if old := u.parts[number]; old != nil {
		old.blob.release()
	}
	u.parts[number] = p
}

// saveUpload keeps an upload, without its parts.
func (b *bucket) saveUpload(u *multipart) {
	if b.s.k.Store != nil {
		b.s.k.Store.Put(kernel.UploadKind, u.id, u.save(b.name))
	}
}

// endUpload removes an upload and releases its parts.
func (b *bucket) endUpload(u *multipart) {
	for number := range u.parts {
		b.s.k.Store.Drop(kernel.UploadKind, partID(u.id, number))
	}
	b.s.k.Store.Drop(kernel.UploadKind, u.id)
	u.release()
	delete(b.uploads, u.id)
}

// partNumber reads the part number of the query.
func (c *call) partNumber() (int, error) {
	number, err := strconv.Atoi(c.query.Get("partNumber"))
	if err != nil || number < 1 || number > maxPartNumber {
		return 0, kernel.InvalidArgument("Part number must be an integer between 1 and 10000, inclusive").
			With("ArgumentName", "partNumber").
			With("ArgumentValue", c.query.Get("partNumber"))
	}
	return number, nil
}

func unsupportedChecksum() *kernel.Error {
	return kernel.Fail(
		http.StatusBadRequest,
		"InvalidRequest",
		"Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, MD5, SHA1, "+
			"SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]",
	)
}

func noSuchUpload(id string) *kernel.Error {
	return kernel.Fail(http.StatusNotFound, "NoSuchUpload",
		"The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.").
		With("UploadId", id)
}

// upload finds the upload that the query names. The caller holds mu.
func (c *call) upload(b *bucket) (*multipart, error) {
	id := c.query.Get("uploadId")
	u := b.uploads[id]
	if u == nil || u.key != c.key {
		return nil, noSuchUpload(id)
	}
	return u, nil
}

// reloadUpload finds the bucket and the upload again after mu was released. The caller holds mu.
func (c *call) reloadUpload() (*bucket, *multipart, error) {
	b := c.s.buckets[c.bucketName]
	if b == nil {
		return nil, nil, noSuchBucket(c.bucketName)
	}
	u, err := c.upload(b)
	return b, u, err
}

func createMultipartUpload(c *call, b *bucket) error {
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
	u := &multipart{
		id:        kernel.NewHex(48),
		key:       c.key,
		explicit:  explicit,
		parts:     map[int]*uploadedPart{},
		initiated: c.Now,
		object:    *o,
		order:     c.s.order,
	}
	b.uploads[u.id] = u
	b.saveUpload(u)
	h := c.Out.Header()
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
	}{Xmlns: namespace, Bucket: b.name, Key: c.key, UploadID: u.id})
}

// checksumChoice reads the algorithm and type of a new upload.
func (c *call) checksumChoice() (algorithm, kind string, explicit bool, err error) {
	algorithm = strings.ToUpper(c.HTTP.Header.Get("X-Amz-Checksum-Algorithm"))
	kind = strings.ToUpper(c.HTTP.Header.Get("X-Amz-Checksum-Type"))
	if kind != "" && kind != composite && kind != fullObject {
		return "", "", false, kernel.Fail(http.StatusBadRequest, "InvalidRequest", "Value for x-amz-checksum-type header is invalid.")
	}
	if algorithm == "" {
		if kind != "" {
			return "", "", false, kernel.Fail(
				http.StatusBadRequest,
				"InvalidRequest",
				"The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
			)
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
	if (kind != composite && kind != fullObject) || (kind == fullObject && !combines(algorithm)) ||
		(kind == composite && algorithm == defaultSum) {
		return "", "", false, kernel.Fail(
			http.StatusBadRequest,
			"InvalidRequest",
			"The %s checksum type cannot be used with the %s checksum algorithm.",
			kind,
			strings.ToLower(algorithm),
		)
	}
	return algorithm, kind, true, nil
}

func uploadPart(c *call) error {
	var number int
	var in *incoming
	var kms bool
	err := c.withBucket(func(b *bucket) (err error) {
		number, in, kms, err = c.preparePart(b)
		return err
	})
	if err != nil {
		return err
	}
	data, err := c.store(in)
	if err != nil {
		return err
	}
	p := &uploadedPart{blob: data, etag: kernel.NewHex(16), modified: c.Kernel.Now()}
	if sum := in.md5(); sum != nil && !kms {
		p.md5 = sum
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
	p.checksum = in.sum(u.object.algorithm)
	u.put(w, number, p)
	h := c.Out.Header()
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
func (c *call) preparePart(b *bucket) (number int, in *incoming, kms bool, err error) {
	if number, err = c.partNumber(); err != nil {
		return 0, nil, false, err
	}
	u, err := c.upload(b)
	if err != nil {
		return 0, nil, false, err
	}
	// A part is encrypted under the data key of CreateMultipartUpload, which KMS has to decrypt.
	if err := c.useKey(b, "Decrypt", u.object.seal); err != nil {
		return 0, nil, false, err
	}
	if in, err = c.openBody(!u.object.seal.isKMS(), u.object.algorithm); err != nil {
		return 0, nil, false, err
	}
	if u.explicit && in.algorithm == "" && u.object.checksumType == composite {
		return 0, nil, false, kernel.Fail(
			http.StatusBadRequest,
			"InvalidRequest",
			"Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: null",
			strings.ToLower(u.object.algorithm),
		)
	}
	if u.explicit && in.algorithm != "" && in.algorithm != u.object.algorithm {
		return 0, nil, false, kernel.Fail(
			http.StatusBadRequest,
			"InvalidRequest",
			"Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s",
			strings.ToLower(u.object.algorithm),
			strings.ToLower(in.algorithm),
		)
	}
	return number, in, u.object.seal.isKMS(), nil
}

func abortMultipartUpload(c *call, b *bucket) error {
	u, err := c.upload(b)
	if err != nil {
		return err
	}
	b.endUpload(u)
	return c.done(http.StatusNoContent)
}
