package s3client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"io"
	"net/http"
	"strconv"
)

// Created is a new multipart upload. A field that the response did not have is empty.
type Created struct {
	UploadID, Encryption, KMSKey, RequestID string
}

// Part is one part of an upload.
type Part struct {
	Number int32  // from 1
	ETag   string // without quotes
	CRC32C uint32 // of its bytes; in a list also 0 when the store returned none
}

// Completion holds the arguments of CompleteMultipartUpload.
type Completion struct {
	Key, UploadID string
	Parts         []Part // by ascending number
	Size          int64  // of the whole object, in bytes
	CRC32C        uint32 // of the whole object
	IfNoneMatch   string // "*" or empty
}

// CreateMultipartUpload creates an upload whose object has one CRC32C over all its
// bytes. It does not send o.IfNoneMatch, which belongs to the completion.
func (c *Client) CreateMultipartUpload(ctx context.Context, o Object) (out Created, err error) {
	r := &request{
		operation: "CreateMultipartUpload", method: http.MethodPost, key: o.Key, query: "uploads=", hash: emptyPayload,
		responseTimeout: responseTimeout,
		fields:          make([]field, 0, 16+len(o.Metadata)),
	}
	if err := r.setObjectHeaders(&o); err != nil {
		return Created{}, err
	}
	r.setHeader(hChecksumAlgorithm, "CRC32C")
	r.setHeader(hChecksumType, "FULL_OBJECT")
	err = c.do(ctx, r, func(h http.Header, doc *document) error {
		if doc.UploadID == "" {
			return unexpected(r, c.opts.Bucket, h)
		}
		w := writtenOf(h)
		out = Created{UploadID: doc.UploadID, Encryption: w.Encryption, KMSKey: w.KMSKey, RequestID: w.RequestID}
		return nil
	})
	return out, err
}

// CompleteMultipartUpload makes the object. The store compares parts, size and
// checksum first. An error document inside an HTTP 200 is returned as an error.
func (c *Client) CompleteMultipartUpload(ctx context.Context, m Completion) (out Written, err error) {
	text := completion(m.Parts)
	sum := sha256.Sum256(text)
	r := &request{
		operation: "CompleteMultipartUpload", method: http.MethodPost, key: m.Key, query: uploadQuery(m.UploadID),
		hash: hex.EncodeToString(sum[:]), responseTimeout: completeTimeout,
		payload: &Payload{Open: func() (io.Reader, error) { return bytes.NewReader(text), nil }, Size: int64(len(text))},
	}
	r.setHeader(hContentType, "application/xml")
	r.setHeader(hChecksum, base64CRC(m.CRC32C))
	r.setHeader(hChecksumType, "FULL_OBJECT")
	r.setHeader(hObjectSize, strconv.FormatInt(m.Size, 10))
	r.setHeader(hIfNoneMatch, m.IfNoneMatch)
	err = c.do(ctx, r, func(h http.Header, doc *document) error {
		if doc.XMLName.Local != "CompleteMultipartUploadResult" {
			return unexpected(r, c.opts.Bucket, h)
		}
		out = writtenOf(h)
		out.ETag = unquoted(doc.ETag)
		if doc.ChecksumCRC32C != "" {
			out.ChecksumCRC32C = doc.ChecksumCRC32C
		}
		return nil
	})
	return out, err
}

func completion(parts []Part) []byte {
	var b bytes.Buffer
	b.Grow(128 + 160*len(parts))
	b.WriteString(`<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)
	for _, p := range parts {
		b.WriteString("<Part><ChecksumCRC32C>" + base64CRC(p.CRC32C) + "</ChecksumCRC32C><ETag>&#34;")
		_ = xml.EscapeText(&b, []byte(p.ETag)) // writing to a bytes.Buffer never fails
		b.WriteString("&#34;</ETag><PartNumber>" + strconv.Itoa(int(p.Number)) + "</PartNumber></Part>")
	}
	b.WriteString("</CompleteMultipartUpload>")
	return b.Bytes()
}

// AbortMultipartUpload aborts an upload and deletes its parts. It returns S3's error
// NoSuchUpload unchanged.
func (c *Client) AbortMultipartUpload(ctx context.Context, key, uploadID string) error {
	return c.do(ctx, &request{
		operation: "AbortMultipartUpload", method: http.MethodDelete, key: key, query: uploadQuery(uploadID), hash: emptyPayload,
		responseTimeout: responseTimeout,
	}, func(http.Header, *document) error { return nil })
}
