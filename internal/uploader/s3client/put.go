package s3client

import (
	"context"
	"net/http"
	"strconv"
)

// PutObject writes an object in one request. The store compares the bytes with p's
// checksum before it makes the object.
func (c *Client) PutObject(ctx context.Context, o Object, p Payload) (Written, error) {
	r := &request{
		operation: "PutObject", method: http.MethodPut, key: o.Key, hash: unsignedPayload, payload: &p, responseTimeout: responseTimeout,
		fields: make([]field, 0, 16+len(o.Metadata)),
	}
	if err := r.setObjectHeaders(&o); err != nil {
		return Written{}, err
	}
	r.setHeader(hIfNoneMatch, o.IfNoneMatch)
	return c.write(ctx, r)
}

// UploadPart writes one part of a multipart upload; numbers begin at 1.
func (c *Client) UploadPart(ctx context.Context, key, uploadID string, number int32, p Payload) (Written, error) {
	return c.write(ctx, &request{
		operation: "UploadPart", method: http.MethodPut, key: key, hash: unsignedPayload, payload: &p, responseTimeout: responseTimeout,
		query:  "partNumber=" + strconv.Itoa(int(number)) + "&" + uploadQuery(uploadID),
		fields: make([]field, 0, 12),
	})
}

func (c *Client) write(ctx context.Context, r *request) (out Written, err error) {
	r.setHeader(hChecksum, base64CRC(r.payload.CRC32C))
	err = c.do(ctx, r, func(h http.Header, _ *document) error {
		if out = writtenOf(h); out.ETag == "" {
			return unexpected(r, c.opts.Bucket, h)
		}
		return nil
	})
	return out, err
}

func uploadQuery(id string) string { return "uploadId=" + escaped(id, false) }
