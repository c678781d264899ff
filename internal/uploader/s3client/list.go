package s3client

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strconv"
)

// ListParts returns all parts of an upload, by ascending number. It reads each page in
// one attempt.
func (c *Client) ListParts(ctx context.Context, key, uploadID string) ([]Part, error) {
	var out []Part
	for marker := 0; ; {
		r := &request{
			operation:       "ListParts",
			method:          http.MethodGet,
			key:             key,
			query:           uploadQuery(uploadID),
			hash:            emptyPayload,
			responseTimeout: responseTimeout,
		}
		if marker > 0 {
			r.query = "part-number-marker=" + strconv.Itoa(marker) + "&" + r.query
		}
		more := false
		err := c.do(ctx, r, func(h http.Header, doc *document) error {
			if doc.XMLName.Local != "ListPartsResult" {
				return unexpected(r, c.opts.Bucket, h)
			}
			for _, p := range doc.Parts {
				out = append(out, Part{Number: p.Number, ETag: unquoted(p.ETag), CRC32C: crcOf(p.ChecksumCRC32C)})
			}
			if more = doc.IsTruncated == "true"; !more {
				return nil
			}
			// Without a larger marker the same page would be listed forever.
			next, err := strconv.Atoi(doc.NextPartNumberMarker)
			if err != nil || next <= marker {
				return unexpected(r, c.opts.Bucket, h)
			}
			marker = next
			return nil
		})
		if err != nil {
			return nil, err
		}
		if !more {
			return out, nil
		}
	}
}

// crcOf decodes a CRC32C; it returns 0 for any other text.
func crcOf(text string) uint32 {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(raw)
}
