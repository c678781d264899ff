package s3

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"maps"
	"net/http"
	"strings"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

const (
	sseS3  = "AES256"
	sseKMS = "aws:kms"
)

// bucketEncryption is a bucket's default. The key is stored as it was written: an alias or
// bare id is resolved at each use, in the caller's account.
type bucketEncryption struct {
	algorithm string
	keyRef    string
	bucketKey bool
	blocked   string // SSE-C or NONE; empty: not told
	set       bool   // by PutBucketEncryption
}

// sealed is how an object is encrypted.
type sealed struct {
	algorithm string
	keyARN    string
	bucketKey bool
	context   map[string]string // the whole KMS encryption context
}

func (e sealed) isKMS() bool { return e.algorithm == sseKMS }

func (e sealed) writeHeaders(h http.Header) {
	h.Set("x-amz-server-side-encryption", e.algorithm)
	if e.isKMS() {
		h.Set("x-amz-server-side-encryption-aws-kms-key-id", e.keyARN)
		if e.bucketKey {
			h.Set("x-amz-server-side-encryption-bucket-key-enabled", "true")
		}
	}
}

// takesNoEncryption are the operations that refuse x-amz-server-side-encryption: they
// read, or work on an upload whose encryption CreateMultipartUpload has chosen.
var takesNoEncryption = map[string]bool{
	"GetObject": true, "HeadObject": true, "ListObjects": true, "ListObjectsV2": true, "ListObjectVersions": true,
	"ListMultipartUploads": true, "ListParts": true, "UploadPart": true, "UploadPartCopy": true, "CompleteMultipartUpload": true,
}

// checkEncryptionHeader refuses the encryption header where S3 does not take it.
func (c *call) checkEncryptionHeader(operation string) error {
	const header = "x-amz-server-side-encryption"
	if v := c.HTTP.Header.Get(header); v != "" && takesNoEncryption[operation] {
		return kernel.InvalidArgument("%s header is not supported for this operation.", header).
			With("ArgumentName", header).
			With("ArgumentValue", v)
	}
	return nil
}

// chooseEncryption resolves the request's headers and the bucket's default into
// how the object will be encrypted. The caller holds mu.
func (c *call) chooseEncryption(b *bucket) (sealed, error) {
	h := c.HTTP.Header
	algorithm, keyRef := h.Get("X-Amz-Server-Side-Encryption"), h.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id")
	if h.Get("X-Amz-Server-Side-Encryption-Customer-Algorithm") != "" {
		if b.encryption.blocked == "SSE-C" {
			return sealed{}, accessDenied()
		}
		return sealed{}, kernel.NotImplemented("customer-provided keys (SSE-C)")
	}
	switch algorithm {
	case "", sseS3, sseKMS:
	case "aws:kms:dsse":
		return sealed{}, kernel.NotImplemented("dual-layer encryption (aws:kms:dsse)")
	default:
		return sealed{}, kernel.InvalidArgument("The encryption method specified is not supported").
			With("ArgumentName", "x-amz-server-side-encryption").
			With("ArgumentValue", algorithm)
	}
	if keyRef != "" && algorithm != sseKMS {
		return sealed{},
			kernel.InvalidArgument("Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms").
				With("ArgumentName", "x-amz-server-side-encryption").
				With("ArgumentValue", algorithm)
	}
	if algorithm == "" {
		algorithm, keyRef = b.encryption.algorithm, b.encryption.keyRef
	}
	out := sealed{algorithm: algorithm}
	if algorithm != sseKMS {
		return out, nil
	}
	if c.HTTP.TLS == nil {
		return out, kernel.InvalidArgument(
			"Requests specifying Server Side Encryption with AWS KMS managed keys must be made over a secure connection.",
		)
	}
	out.bucketKey = b.encryption.bucketKey
	if v := h.Get("X-Amz-Server-Side-Encryption-Bucket-Key-Enabled"); v != "" {
		out.bucketKey = strings.EqualFold(v, "true")
	}
	var err error
	if out.keyARN, err = c.s.kms.ForwardedKey(keyRef, b.region, b.account, c.Caller.Account, c.Now); err != nil {
		return out, relayKMS(err)
	}
	out.context, err = c.sseContext(b, out.bucketKey)
	return out, err
}

// sseContext is the encryption context of S3: the object's ARN, or the bucket's with bucket
// keys, and the pairs that the client adds.
func (c *call) sseContext(b *bucket, bucketKey bool) (map[string]string, error) {
	out := map[string]string{}
	if text := c.HTTP.Header.Get("X-Amz-Server-Side-Encryption-Context"); text != "" {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil || json.Unmarshal(raw, &out) != nil {
			return nil,
				kernel.InvalidArgument("The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which "+
					"represents a string-string map").
					With("ArgumentName", "x-amz-server-side-encryption-context")
		}
	}
	arn := b.arn()
	if !bucketKey {
		arn += "/" + c.key
	}
	if given, ok := out["aws:s3:arn"]; ok && given != arn {
		return nil, kernel.InvalidArgument("The aws:s3:arn of the encryption context does not name this object.")
	}
	out["aws:s3:arn"] = arn
	return out, nil
}

// useKey is S3's own call to KMS under the caller's identity. The caller holds mu.
func (c *call) useKey(b *bucket, operation string, e sealed) error {
	if !e.isKMS() {
		return nil
	}
	if c.Caller.Kind == kernel.Anonymous {
		return accessDenied()
	}
	if e := c.s.kms.Forward(c.Request, operation, e.keyARN, b.region, maps.Clone(e.context)); e != nil {
		return relayKMS(e)
	}
	return nil
}

// relayKMS turns KMS's answer into S3's: denials keep their text and become
// AccessDenied, the rest becomes a KMS. code with status 400.
func relayKMS(err error) error {
	var e *kernel.Error
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	if e.Code == "AccessDeniedException" {
		out.Code, out.Status, out.Denied = "AccessDenied", http.StatusForbidden, true
		return &out
	}
	out.Code, out.Status = "KMS."+e.Code, http.StatusBadRequest
	return &out
}

type encryptionXML struct {
	XMLName xml.Name            `xml:"ServerSideEncryptionConfiguration"`
	Xmlns   string              `xml:"xmlns,attr,omitempty"`
	Rules   []encryptionRuleXML `xml:"Rule"`
}

type encryptionRuleXML struct {
	Default          *encryptionDefaultXML `xml:"ApplyServerSideEncryptionByDefault"`
	BucketKeyEnabled bool
	Blocked          *struct {
		Types []string `xml:"EncryptionType"`
	} `xml:"BlockedEncryptionTypes"`
}

type encryptionDefaultXML struct {
	SSEAlgorithm   string
	KMSMasterKeyID string `xml:",omitempty"`
}

func getBucketEncryption(c *call, b *bucket) error {
	e := b.encryption
	rule := encryptionRuleXML{Default: &encryptionDefaultXML{e.algorithm, e.keyRef}, BucketKeyEnabled: e.bucketKey}
	if e.blocked != "" {
		rule.Blocked = &struct {
			Types []string `xml:"EncryptionType"`
		}{[]string{e.blocked}}
	}
	return c.writeXML(encryptionXML{Xmlns: namespace, Rules: []encryptionRuleXML{rule}})
}

func putBucketEncryption(c *call) error {
	return c.configure(maxConfigBody, func(b *bucket, data []byte) error {
		var in encryptionXML
		if err := parseXML(data, &in); err != nil {
			return err
		}
		if len(in.Rules) != 1 || in.Rules[0].Default == nil {
			return malformedXML()
		}
		rule := in.Rules[0]
		switch rule.Default.SSEAlgorithm {
		case sseKMS:
		case sseS3:
			if rule.Default.KMSMasterKeyID != "" {
				return kernel.InvalidArgument("a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse").
					With("ArgumentName", "ApplyServerSideEncryptionByDefault")
			}
		case "aws:kms:dsse":
			return kernel.NotImplemented("dual-layer encryption (aws:kms:dsse)")
		default:
			return malformedXML()
		}
		e := bucketEncryption{
			set:       true,
			algorithm: rule.Default.SSEAlgorithm,
			keyRef:    rule.Default.KMSMasterKeyID,
			bucketKey: rule.BucketKeyEnabled,
		}
		if rule.Blocked != nil {
			if len(rule.Blocked.Types) != 1 || rule.Blocked.Types[0] != "SSE-C" && rule.Blocked.Types[0] != "NONE" {
				return malformedXML()
			}
			e.blocked = rule.Blocked.Types[0]
		}
		b.encryption = e
		return c.done(http.StatusOK)
	})
}

// deleteBucketEncryption resets the default to SSE-S3: a bucket always has one.
func deleteBucketEncryption(c *call, b *bucket) error {
	b.encryption = bucketEncryption{algorithm: sseS3}
	return c.done(http.StatusNoContent)
}
