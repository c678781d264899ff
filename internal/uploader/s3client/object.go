package s3client

import (
	"fmt"
	"net/textproto"
	"strconv"
	"strings"
)

// Object describes an object for PutObject and CreateMultipartUpload. An empty field
// sends no header.
type Object struct {
	Key                                             string
	ContentType, ContentEncoding, StorageClass, ACL string
	Tagging                                         string            // an encoded query string, "a=b&c=d"
	Metadata                                        map[string]string // names without the prefix x-amz-meta-; in any case
	Encryption, KMSKey                              string            // "aws:kms" and the key's full ARN
	EncryptionContext                               string            // base64 of a JSON object
	BucketKey                                       *bool
	IfNoneMatch                                     string // "*" or empty; PutObject only
}

// Written is an object or a part as the store confirmed it. A field that the response
// did not have is empty.
type Written struct {
	ETag           string // without quotes
	VersionID      string
	ChecksumCRC32C string // base64
	Encryption     string // "aws:kms"
	KMSKey         string // ARN
	RequestID      string
}

// field is one signed header.
type field struct{ lower, name, value string }

// header is the name of a header: lower as it is signed, name as net/http spells it.
type header struct{ lower, name string }

var (
	hACL               = header{"x-amz-acl", "X-Amz-Acl"}
	hBucketKey         = header{"x-amz-server-side-encryption-bucket-key-enabled", "X-Amz-Server-Side-Encryption-Bucket-Key-Enabled"}
	hChecksum          = header{"x-amz-checksum-crc32c", "X-Amz-Checksum-Crc32c"}
	hChecksumAlgorithm = header{"x-amz-checksum-algorithm", "X-Amz-Checksum-Algorithm"}
	hChecksumMode      = header{"x-amz-checksum-mode", "X-Amz-Checksum-Mode"}
	hChecksumType      = header{"x-amz-checksum-type", "X-Amz-Checksum-Type"}
	hContentEncoding   = header{"content-encoding", "Content-Encoding"}
	hContentLength     = header{"content-length", "Content-Length"}
	hContentType       = header{"content-type", "Content-Type"}
	hContext           = header{"x-amz-server-side-encryption-context", "X-Amz-Server-Side-Encryption-Context"}
	hDate              = header{"x-amz-date", "X-Amz-Date"}
	hEncryption        = header{"x-amz-server-side-encryption", "X-Amz-Server-Side-Encryption"}
	hHash              = header{"x-amz-content-sha256", "X-Amz-Content-Sha256"}
	hHost              = header{"host", "Host"}
	hIfNoneMatch       = header{"if-none-match", "If-None-Match"}
	hKMSKey            = header{"x-amz-server-side-encryption-aws-kms-key-id", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"}
	hObjectSize        = header{"x-amz-mp-object-size", "X-Amz-Mp-Object-Size"}
	hOwner             = header{"x-amz-expected-bucket-owner", "X-Amz-Expected-Bucket-Owner"}
	hStorageClass      = header{"x-amz-storage-class", "X-Amz-Storage-Class"}
	hTagging           = header{"x-amz-tagging", "X-Amz-Tagging"}
	hToken             = header{"x-amz-security-token", "X-Amz-Security-Token"}
)

const metaPrefix = "x-amz-meta-"

// setHeader adds a header to the request unless value is empty.
func (r *request) setHeader(h header, value string) {
	if value != "" {
		r.fields = append(r.fields, field{lower: h.lower, name: h.name, value: value})
	}
}

// setObjectHeaders adds the headers that describe an object.
func (r *request) setObjectHeaders(o *Object) error {
	r.setHeader(hContentType, o.ContentType)
	r.setHeader(hContentEncoding, o.ContentEncoding)
	r.setHeader(hStorageClass, o.StorageClass)
	r.setHeader(hACL, o.ACL)
	r.setHeader(hTagging, o.Tagging)
	r.setHeader(hEncryption, o.Encryption)
	r.setHeader(hKMSKey, o.KMSKey)
	r.setHeader(hContext, o.EncryptionContext)
	if o.BucketKey != nil {
		r.setHeader(hBucketKey, strconv.FormatBool(*o.BucketKey))
	}
	for name, value := range o.Metadata {
		lower := metaPrefix + strings.ToLower(name)
		for _, f := range r.fields {
			if f.lower == lower {
				return fmt.Errorf("the metadata name %q occurs twice, in different cases", name)
			}
		}
		r.fields = append(r.fields, field{lower: lower, name: textproto.CanonicalMIMEHeaderKey(lower), value: value})
	}
	return nil
}

// check refuses bytes that would end or forge a header line. Only the names of metadata
// are not constants.
func (r *request) check() error {
	for i := range r.fields {
		f := &r.fields[i]
		for i := range len(f.value) {
			if b := f.value[i]; b < ' ' && b != '\t' || b == 0x7f {
				return fmt.Errorf("the value of %s contains a control character", f.name)
			}
		}
		name, meta := strings.CutPrefix(f.lower, metaPrefix)
		for i := 0; meta && i < len(name); i++ {
			if b := name[i]; b <= ' ' || b >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, b) >= 0 {
				return fmt.Errorf("%q is not a valid name of a header", f.name)
			}
		}
	}
	return nil
}
