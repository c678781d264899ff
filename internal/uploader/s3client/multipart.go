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

// Created is a multipart upload that was begun. What the store did not say is empty.
type Created struct {
	UploadID, Encryption, KMSKey, RequestID string
}

// Part is one part of an upload.
type Part struct {
	Number int32  // from 1
	ETag   string // without quotes
	CRC32C uint32 // of its bytes; in a list 0 also when the store named none
}

// Completion is all that makes an object of an upload.
type Completion struct {
	Key, UploadID string
	Parts         []Part // by ascending number
	Size          int64  // of the whole object, in bytes
	CRC32C        uint32 // of the whole object
	IfNoneMatch   string // "*" or empty
}

// CreateMultipartUpload begins an upload whose object has one CRC32C over all of
// its bytes. o.IfNoneMatch is for its completion and not sent here.
func (c *Client) CreateMultipartUpload(ctx context.Context, o Object) (out Created, err error) {
	r := &request{
		operation: "CreateMultipartUpload", method: http.MethodPost, key: o.Key, query: "uploads=", hash: emptyPayload, patience: patience,
		fields: make([]field, 0, 16+len(o.Metadata)),
	}
	if err := r.describe(&o); err != nil {
		return Created{}, err
	}
	r.say(hChecksumAlgorithm, "CRC32C")
	r.say(hChecksumType, "FULL_OBJECT")
	err = c.do(ctx, r, func(h http.Header, doc *document) error {
		if doc.UploadID == "" {
			return unexpected(r, c.opts.Bucket, h)
		}
		w := confirmed(h)
		out = Created{UploadID: doc.UploadID, Encryption: w.Encryption, KMSKey: w.KMSKey, RequestID: w.RequestID}
		return nil
	})
	return out, err
}

// CompleteMultipartUpload makes the object. The store compares parts, size and
// checksum first. An error that comes inside an answer that began well is an error.
func (c *Client) CompleteMultipartUpload(ctx context.Context, m Completion) (out Written, err error) {
	text := completion(m.Parts)
	sum := sha256.Sum256(text)
	r := &request{
		operation: "CompleteMultipartUpload", method: http.MethodPost, key: m.Key, query: uploadQuery(m.UploadID),
		hash: hex.EncodeToString(sum[:]), patience: completePatience,
		payload: &Payload{Open: func() (io.Reader, error) { return bytes.NewReader(text), nil }, Size: int64(len(text))},
	}
	r.say(hContentType, "application/xml")
	r.say(hChecksum, base64CRC(m.CRC32C))
	r.say(hChecksumType, "FULL_OBJECT")
	r.say(hObjectSize, strconv.FormatInt(m.Size, 10))
	r.say(hIfNoneMatch, m.IfNoneMatch)
	err = c.do(ctx, r, func(h http.Header, doc *document) error {
		if doc.XMLName.Local != "CompleteMultipartUploadResult" {
			return unexpected(r, c.opts.Bucket, h)
		}
		out = confirmed(h)
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
		_ = xml.EscapeText(&b, []byte(p.ETag)) // a bytes.Buffer takes everything
		b.WriteString("&#34;</ETag><PartNumber>" + strconv.Itoa(int(p.Number)) + "</PartNumber></Part>")
	}
	b.WriteString("</CompleteMultipartUpload>")
	return b.Bytes()
}

// AbortMultipartUpload ends an upload and drops its parts. That there is no such
// upload is returned as the error it is.
func (c *Client) AbortMultipartUpload(ctx context.Context, key, uploadID string) error {
	return c.do(ctx, &request{
		operation: "AbortMultipartUpload", method: http.MethodDelete, key: key, query: uploadQuery(uploadID), hash: emptyPayload, patience: patience,
	}, func(http.Header, *document) error { return nil })
}
