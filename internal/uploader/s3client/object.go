package s3client

import (
	"fmt"
	"net/textproto"
	"strconv"
	"strings"
)

// Object is what PutObject and CreateMultipartUpload say of an object. What is
// empty is not said: no header is sent for it.
type Object struct {
	Key                                             string
	ContentType, ContentEncoding, StorageClass, ACL string
	Tagging                                         string            // an encoded query string, "a=b&c=d"
	Metadata                                        map[string]string // names without the prefix; case does not count
	Encryption, KMSKey                              string            // "aws:kms" and the key's full ARN
	EncryptionContext                               string            // base64 of a JSON object
	BucketKey                                       *bool
	IfNoneMatch                                     string // "*" or empty; PutObject only
}

// Written is an object or a part as the store confirmed it. What the store did
// not say is empty.
type Written struct {
	ETag           string // without quotes
	VersionID      string
	ChecksumCRC32C string // base64
	Encryption     string // "aws:kms"
	KMSKey         string // ARN
	RequestID      string
}

// field is one header that is signed.
type field struct{ lower, name, value string }

// The headers, once in the spelling that is signed and once in net/http's.
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

// say adds a header to the request unless it is empty.
func (r *request) say(h header, value string) {
	if value != "" {
		r.fields = append(r.fields, field{lower: h.lower, name: h.name, value: value})
	}
}

// describe adds what an object says of itself.
func (r *request) describe(o *Object) error {
	r.say(hContentType, o.ContentType)
	r.say(hContentEncoding, o.ContentEncoding)
	r.say(hStorageClass, o.StorageClass)
	r.say(hACL, o.ACL)
	r.say(hTagging, o.Tagging)
	r.say(hEncryption, o.Encryption)
	r.say(hKMSKey, o.KMSKey)
	r.say(hContext, o.EncryptionContext)
	if o.BucketKey != nil {
		r.say(hBucketKey, strconv.FormatBool(*o.BucketKey))
	}
	for name, value := range o.Metadata {
		lower := metaPrefix + strings.ToLower(name)
		for _, f := range r.fields {
			if f.lower == lower {
				return fmt.Errorf("the metadata name %q is there twice, in different cases", name)
			}
		}
		r.fields = append(r.fields, field{lower: lower, name: textproto.CanonicalMIMEHeaderKey(lower), value: value})
	}
	return nil
}

// check refuses what would end or forge a header line. Names that are not
// constants are those of metadata.
func (r *request) check() error {
	for i := range r.fields {
		f := &r.fields[i]
		for i := range len(f.value) {
			if b := f.value[i]; b < ' ' && b != '\t' || b == 0x7f {
				return fmt.Errorf("the value of %s holds a control character", f.name)
			}
		}
		name, meta := strings.CutPrefix(f.lower, metaPrefix)
		for i := 0; meta && i < len(name); i++ {
			if b := name[i]; b <= ' ' || b >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, b) >= 0 {
				return fmt.Errorf("%q is not the name of a header", f.name)
			}
		}
	}
	return nil
}
