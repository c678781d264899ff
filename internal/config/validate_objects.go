package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// leastMemory is the smallest budget for bodies in flight.
const leastMemory = 16 * MiB

// MaxMetadata limits the keys and values of an object's own metadata, in bytes. S3
// accepts 2 KiB; the rest is for the destination's metadata and for the daemon's.
const MaxMetadata = 1024

var (
	metadataKey  = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)
	encodingName = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+.^_|~-]{1,32}(, ?[A-Za-z0-9!#$%&'*+.^_|~-]{1,32}){0,3}$`)
	anyClass     = regexp.MustCompile(`^[A-Z][A-Z_]{1,39}$`)

	storageClasses = []string{
		"STANDARD",
		"STANDARD_IA",
		"ONEZONE_IA",
		"INTELLIGENT_TIERING",
		"GLACIER_IR",
		"GLACIER",
		"DEEP_ARCHIVE",
		"REDUCED_REDUNDANCY",
	}
	compressions = []string{"gzip", "zstd"}
)

// ValidateMetadataKey returns an error unless key may name an entry of an object's metadata.
func ValidateMetadataKey(key string) error {
	switch {
	case !metadataKey.MatchString(key):
		return fmt.Errorf("metadata key %q: want 1 to 64 characters of a-z, 0-9 and '-'", key)
	case strings.HasPrefix(key, "brokerd-"):
		return fmt.Errorf("metadata key %q: keys that start with \"brokerd-\" are the daemon's own", key)
	default:
		return nil
	}
}

// ValidateMetadataValue returns an error unless value may be sent in a header unchanged.
func ValidateMetadataValue(value string) error {
	if !asciiText(value) || strings.TrimSpace(value) != value {
		return errors.New("want printable ASCII without space at the ends")
	}
	return nil
}

// ValidateContentType returns an error unless s is a media type.
func ValidateContentType(s string) error {
	if len(s) > 255 || !asciiText(s) || strings.TrimSpace(s) != s {
		return errors.New("want at most 255 characters of printable ASCII")
	}
	return nil
}

// ValidateContentEncoding returns an error unless s is a content encoding. "aws-chunked"
// is refused: it describes a transfer, and readers would fail on it.
func ValidateContentEncoding(s string) error {
	if len(s) > 64 || (s != "" && !encodingName.MatchString(s)) {
		return errors.New("want at most 64 characters, such as gzip")
	}
	if strings.Contains(strings.ToLower(s), "aws-chunked") {
		return errors.New("aws-chunked is no encoding of an object")
	}
	return nil
}

func asciiText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e })
}

func (v *validator) spool(s Spool) {
	switch {
	case !filepath.IsAbs(s.Dir) || strings.ContainsRune(s.Dir, 0):
		v.fail("spool.dir", fmt.Sprintf("%q is not an absolute path", s.Dir), "for example /var/lib/brokerd/spool")
	case filepath.Clean(s.Dir) != s.Dir || s.Dir == "/":
		v.fail("spool.dir", fmt.Sprintf("%q is not a clean path of a directory of its own", s.Dir), "for example /var/lib/brokerd/spool")
	}
	v.sizeWithin("spool.max", s.Max, MiB, 1024*TiB)
	v.sizeWithin("spool.min_free", s.MinFree, 0, 1024*TiB)
	if s.MaxPerUID != 0 {
		v.sizeWithin("spool.max_per_uid", s.MaxPerUID, MiB, 1024*TiB)
	}
	if s.Concurrency < 1 || s.Concurrency > 256 {
		v.fail("spool.concurrency", fmt.Sprintf("%d is out of range", s.Concurrency), "from 1 to 256")
	}
}

// reach checks the proxy and the kind of endpoint of a destination.
func (v *validator) reach(path string, d *Destination) {
	v.file(path+".ca_bundle", d.CABundle)
	if d.Proxy != "" && d.Proxy != "none" {
		u, err := url.Parse(d.Proxy)
		switch {
		case err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https"):
			v.fail(path+".proxy", "this is not the URL of a proxy", "for example http://proxy.example.org:3128, or none")
		case u.User != nil:
			v.fail(path+".proxy", "a URL here must not contain a user or a password", "let the proxy know this host by its address")
		case (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "":
			v.fail(path+".proxy", "a URL here must not contain a path, query or fragment", "for example http://proxy.example.org:3128")
		}
	}
	if d.FIPS || d.DualStack {
		if d.Compatible {
			v.fail(path, "fips and dual_stack choose among AWS's endpoints; this store is not AWS", "leave them out")
		} else if d.Endpoints.S3 != "" {
			v.fail(path, "fips and dual_stack choose an endpoint, and endpoints.s3 names one", "leave one of them out")
		}
	}
}

// objects validates the options of a destination's objects.
func (v *validator) objects(path string, d *Destination) {
	if err := ValidateContentType(d.ContentType); err != nil {
		v.fail(path+".content_type", err.Error(), "for example application/x-ndjson")
	}
	if err := ValidateContentEncoding(d.ContentEncoding); err != nil {
		v.fail(path+".content_encoding", err.Error(), "leave it out unless clients send encoded bytes")
	}
	v.metadata(path+".metadata", d.Metadata)
	v.objectTags(path+".tags", d.Tags)
	if c := d.StorageClass; c != "" && !slices.Contains(storageClasses, c) && (!d.Compatible || !anyClass.MatchString(c)) {
		v.fail(path+".storage_class", fmt.Sprintf("unknown storage class %q", c), didYouMean(c, "storage classes", storageClasses))
	}
	if d.ACL != "" && d.ACL != "bucket-owner-full-control" {
		v.fail(
			path+".acl",
			fmt.Sprintf("%q is not available", d.ACL),
			"bucket-owner-full-control, or none at all; any other would share the objects or shut their owner out",
		)
	}
	if d.Compression != "" && !slices.Contains(compressions, d.Compression) {
		v.fail(path+".compression", fmt.Sprintf("unknown compression %q", d.Compression), didYouMean(d.Compression, "compressions", compressions))
	}
	if d.Compression != "" && d.ContentEncoding != "" {
		v.fail(path+".content_encoding", "compression sets the content encoding", "leave one of them out")
	}
	v.encryptionContext(path+".encryption_context", d)
	if d.Rate != 0 {
		v.sizeWithin(path+".rate", d.Rate, 64*KiB, TiB)
	}
	if d.Spool.Max != 0 {
		v.sizeWithin(path+".spool.max", d.Spool.Max, MiB, 1024*TiB)
	}
	if n := d.Spool.MaxObjects; n < 0 || n > 100_000_000 {
		v.fail(path+".spool.max_objects", fmt.Sprintf("%d is out of range", n), "from 1 to 100000000")
	}
	if d.Spool != (SpoolLimits{}) && !d.Spools() {
		v.fail(path+".spool", "the limits of a spool that this destination does not use", "set durability: spool, or leave them out")
	}
}

func (v *validator) metadata(path string, m map[string]string) {
	sum := 0
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if err := ValidateMetadataKey(k); err != nil {
			v.fail(path+"."+k, err.Error(), "for example team: audit")
		}
		if err := ValidateMetadataValue(m[k]); err != nil {
			v.fail(path+"."+k, err.Error(), "for example team: audit")
		}
		sum += len(k) + len(m[k])
	}
	if sum > MaxMetadata/2 {
		v.fail(
			path,
			fmt.Sprintf("%d bytes of metadata; the limit is %d", sum, MaxMetadata/2),
			"S3 accepts 2 KiB for each object, and clients add metadata of their own",
		)
	}
}

func (v *validator) objectTags(path string, tags map[string]string) {
	if len(tags) > 10 {
		v.fail(path, fmt.Sprintf("%d tags; S3 accepts 10", len(tags)), "keep the tags that lifecycle rules and cost reports use")
	}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		if k == "" || len([]rune(k)) > 128 || len([]rune(tags[k])) > 256 || !tagText.MatchString(k) || !tagText.MatchString(tags[k]) ||
			strings.HasPrefix(strings.ToLower(k), "aws:") {
			v.fail(
				path+"."+k,
				"this is not an object tag",
				"keys of up to 128 and values of up to 256 letters, digits, spaces and _ . : / = + - @; keys do not begin with aws:",
			)
		}
	}
}

func (v *validator) encryptionContext(path string, d *Destination) {
	if len(d.EncryptionContext) == 0 {
		return
	}
	if d.KMSKey == "" {
		v.fail(path, "an encryption context without a KMS key", "set kms_key, or leave it out")
	}
	for _, k := range slices.Sorted(maps.Keys(d.EncryptionContext)) {
		switch {
		case k == "" || !asciiText(k) || !asciiText(d.EncryptionContext[k]):
			v.fail(path+"."+k, "want printable ASCII", "for example tenant: seven")
		case strings.HasPrefix(k, "aws:"):
			v.fail(path+"."+k, "S3 sets aws:s3:arn itself, and aws: is reserved", "use another name")
		}
	}
	if text, err := json.Marshal(d.EncryptionContext); err != nil || len(text) > 4096 {
		v.fail(path, "the encryption context has more than 4,096 bytes as JSON", "shorten it; CloudTrail logs it")
	}
}
