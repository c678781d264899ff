package s3client

import (
	"context"
	"net/http"
	"strconv"
	"strings"
)

// Head describes an object that exists.
type Head struct {
	Size               int64
	ETag               string // without quotes
	VersionID          string
	ChecksumCRC32C     string // base64; empty when the object has none
	Encryption, KMSKey string
	Metadata           map[string]string // names in lower case, without the prefix
}

// HeadObject returns an object's description with its checksum. A refusal has no text:
// S3 answers a HEAD without a body, so the code is derived from the status.
func (c *Client) HeadObject(ctx context.Context, key string) (out Head, err error) {
	r := &request{operation: "HeadObject", method: http.MethodHead, key: key, hash: emptyPayload, responseTimeout: responseTimeout}
	r.setHeader(hChecksumMode, "ENABLED")
	err = c.do(ctx, r, func(h http.Header, _ *document) error {
		w := writtenOf(h)
		size, err := strconv.ParseInt(get(h, "Content-Length"), 10, 64)
		if err != nil || size < 0 {
			return unexpected(r, c.opts.Bucket, h)
		}
		out = Head{Size: size, ETag: w.ETag, VersionID: w.VersionID, ChecksumCRC32C: w.ChecksumCRC32C, Encryption: w.Encryption, KMSKey: w.KMSKey}
		for name, values := range h {
			lower := strings.ToLower(name)
			if meta, ok := strings.CutPrefix(lower, metaPrefix); ok && len(values) > 0 {
				if out.Metadata == nil {
					out.Metadata = make(map[string]string)
				}
				out.Metadata[meta] = strings.Join(values, ",")
			}
		}
		return nil
	})
	return out, err
}
