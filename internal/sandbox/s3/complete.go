package s3

import (
	"crypto/md5"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

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

func completeMultipartUpload(c *call) error {
	// The checksum headers of this call are of the object, not of the request body.
	objectSums := map[string]string{}
	for _, a := range checksumAlgorithms {
		if v := c.HTTP.Header.Get(checksumHeader(a)); v != "" {
			objectSums[a] = v
			c.HTTP.Header.Del(checksumHeader(a))
		}
	}
	check := func(*bucket) error {
		if len(objectSums) > 1 {
			return multipleChecksums()
		}
		return c.checkCompleteHeaders()
	}
	return c.configureMaybe(maxCompleteBody, check, func(b *bucket, data []byte) error {
		if len(data) == 0 {
			if _, err := c.upload(b); err != nil {
				return err
			}
			return kernel.Fail(http.StatusBadRequest, "InvalidRequest", "You must specify at least one part")
		}
		var req completeRequest
		if err := parseXML(data, &req); err != nil {
			return err
		}
		u, err := c.upload(b)
		if err != nil {
			if o := b.completed(c.key, c.query.Get("uploadId")); o != nil {
				return c.writeCompleted(b, o) // a repeated call: the first answer may have been lost
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
		if err := c.checkConflict(b, u); err != nil {
			return err
		}
		if err := c.useKey(b, "Decrypt", u.object.seal); err != nil {
			return err
		}
		o.body.retain()
		b.endUpload(u)
		o.modified, o.uploadID = c.Now, u.id
		b.add(o)
		b.writeExpiration(c.Out.Header(), o)
		return c.writeCompleted(b, o)
	})
}

// checkConflict refuses a conditional completion when the object that the condition is
// about was deleted or written since the upload was begun. The caller holds mu.
func (c *call) checkConflict(b *bucket, u *multipart) error {
	conflict := func(condition string) error {
		return kernel.Fail(http.StatusConflict, "ConditionalRequestConflict",
			"The conditional request cannot succeed due to a conflicting operation against this resource.").
			With("Condition", condition).
			With("Key", c.key)
	}
	if c.HTTP.Header.Get("If-None-Match") != "" && u.deleted {
		return conflict("If-None-Match")
	}
	if o := b.current(c.key); c.HTTP.Header.Get("If-Match") != "" && o != nil && o.order > u.order {
		return conflict("If-Match")
	}
	return nil
}

// checkCompleteHeaders refuses headers with invalid values.
func (c *call) checkCompleteHeaders() error {
	if v := c.HTTP.Header.Get("X-Amz-Mp-Object-Size"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return kernel.Fail(http.StatusBadRequest, "InvalidRequest", "Value for x-amz-mp-object-size header is invalid: '%s'", v)
		}
		if n < 0 {
			return kernel.Fail(http.StatusBadRequest, "InvalidRequest", "Value for x-amz-mp-object-size header is less than zero: '%d'", n)
		}
	}
	if v := strings.ToUpper(c.HTTP.Header.Get("X-Amz-Checksum-Type")); v != "" && v != composite && v != fullObject {
		return kernel.Fail(http.StatusBadRequest, "InvalidRequest", "Value for x-amz-checksum-type header is invalid.")
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

func (c *call) writeCompleted(b *bucket, o *object) error {
	h := c.Out.Header()
	b.writeVersion(h, o)
	o.seal.writeHeaders(h)
	out := completeResult{Xmlns: namespace, Bucket: b.name, Key: c.key, ETag: `"` + o.etag + `"`, ChecksumType: o.checksumType}
	out.Location = fmt.Sprintf("https://%s.s3.%s.amazonaws.com/%s", b.name, b.region, kernel.URIEncode(c.key, false))
	out.set(o.algorithm, o.checksum)
	return c.writeXML(out)
}

// checkPartList checks the form and the order of a list of parts.
func checkPartList(u *multipart, list []completedPart) error {
	if len(list) == 0 || len(list) > maxPartNumber {
		return malformedXML()
	}
	for i, p := range list {
		switch {
		case p.PartNumber == nil || p.ETag == "":
			return malformedXML()
		case *p.PartNumber < 1:
			return kernel.InvalidArgument("PartNumber must be >= 1").
				With("ArgumentName", "partNumber").
				With("ArgumentValue", strconv.Itoa(*p.PartNumber))
		case i > 0 && *p.PartNumber <= *list[i-1].PartNumber:
			return kernel.Fail(http.StatusBadRequest, "InvalidPartOrder",
				"The list of parts was not in ascending order. Parts must be ordered by part number.").
				With("UploadId", u.id)
		}
	}
	return nil
}

// assemble checks the list of parts against the uploaded parts and makes the object.
func (c *call) assemble(u *multipart, list []completedPart, objectSums map[string]string) (*object, error) {
	if err := checkPartList(u, list); err != nil {
		return nil, err
	}
	o := u.object
	o.parts = nil
	var sums []summedPart
	digest := md5.New()
	for i, want := range list {
		number := *want.PartNumber
		p := u.parts[number]
		given := want.get(o.algorithm)
		// An upload that was begun without an algorithm has no part checksums to compare with.
		if p == nil || strings.Trim(want.ETag, `"`) != p.etag || given != "" && given != p.checksum || !u.explicit && want.any() {
			return nil,
				kernel.Fail(http.StatusBadRequest, "InvalidPart",
					"One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not "+
						"match the part's entity tag.").
					With("UploadId", u.id).
					With("PartNumber", strconv.Itoa(number)).
					With("ETag", strings.Trim(want.ETag, `"`))
		}
		if given == "" && u.explicit && o.checksumType == composite {
			return nil, kernel.Fail(
				http.StatusBadRequest,
				"InvalidRequest",
				"The upload was created using a %s checksum. The complete request must include the checksum for each part. "+
					"It was missing for part %d in the request.",
				strings.ToLower(o.algorithm),
				number,
			)
		}
		if i < len(list)-1 && p.blob.size < minPartSize {
			return nil, kernel.Fail(http.StatusBadRequest, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size").
				With("ProposedSize", strconv.FormatInt(p.blob.size, 10)).
				With("MinSizeAllowed", strconv.Itoa(minPartSize)).
				With("PartNumber", strconv.Itoa(number)).
				With("ETag", p.etag)
		}
		told := "" // S3 returns a part's checksum only when the client chose the algorithm
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
	if o.seal.isKMS() || c.s.skipChecksums {
		o.etag = fmt.Sprintf("%s-%d", kernel.NewHex(16), len(list))
	}
	if v := c.HTTP.Header.Get("X-Amz-Mp-Object-Size"); v != "" && v != strconv.FormatInt(o.size, 10) {
		return nil, kernel.Fail(
			http.StatusBadRequest,
			"InvalidRequest",
			"The provided 'x-amz-mp-object-size' header value %s does not match what was computed: %d",
			v,
			o.size,
		)
	}
	if v := strings.ToUpper(c.HTTP.Header.Get("X-Amz-Checksum-Type")); v != "" && v != o.checksumType {
		return nil, kernel.Fail(
			http.StatusBadRequest,
			"InvalidRequest",
			"The upload was created using the %s checksum mode. The complete request must use the same checksum mode.",
			o.checksumType,
		)
	}
	if err := o.joinChecksums(sums); err != nil {
		return nil, err
	}
	for a, want := range objectSums {
		if a != o.algorithm {
			if !u.explicit {
				continue // there is no checksum to compare it with
			}
			return nil, kernel.Fail(
				http.StatusBadRequest,
				"InvalidRequest",
				"Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s",
				strings.ToLower(o.algorithm),
				strings.ToLower(a),
			)
		}
		if !validChecksumText(a, strings.TrimSuffix(want, fmt.Sprintf("-%d", len(list)))) {
			return nil, kernel.Fail(http.StatusBadRequest, "InvalidRequest", "Value for %s header is invalid.", checksumHeader(a))
		}
		// Without its type, S3 takes the checksum for one of the parts' checksums.
		if u.explicit && o.checksumType == fullObject && c.HTTP.Header.Get("X-Amz-Checksum-Type") == "" {
			return nil, badChecksum(strings.ToLower(a))
		}
		if o.checksum != "" && want != o.checksum && want != strings.TrimSuffix(o.checksum, fmt.Sprintf("-%d", len(list))) {
			return nil, badChecksum(o.algorithm)
		}
	}
	return &o, nil
}
