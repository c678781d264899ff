package s3

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// ObjectInfo describes the current version of a stored object.
type ObjectInfo struct {
	Bucket, Key       string
	Account           string // owner of the bucket
	Size              int64
	ETag              string
	VersionID         string
	Encryption        string // AES256 or aws:kms
	KMSKeyARN         string
	BucketKeyEnabled  bool
	ChecksumAlgorithm string // CRC32C, …
	Checksum          string // base64, "-N" suffixed for composite ones
	ChecksumType      string // FULL_OBJECT or COMPOSITE
	Parts             int    // 0 when it was not a multipart upload
	ContentType       string
	ContentEncoding   string
	StorageClass      string // empty: STANDARD
	Tags              map[string]string
	Metadata          map[string]string
	Writer            string // ARN of the principal that wrote it
	LastModified      time.Time
}

// MultipartUpload describes an upload that was neither completed nor aborted.
type MultipartUpload struct {
	Bucket, Key, UploadID string
	Parts                 int
	Bytes                 int64
	Initiated             time.Time
}

// OpenObject opens the current version of an object, past all policies. The reader must be closed.
func (w *Service) OpenObject(bucketName, key string) (ObjectInfo, io.ReadCloser, error) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	b := w.buckets[bucketName]
	if b == nil || b.current(key) == nil {
		return ObjectInfo{}, nil, fmt.Errorf("object %s of bucket %s: %w", key, bucketName, kernel.ErrNotFound)
	}
	o := b.current(key)
	return o.info(b), o.body.open(0, o.size), nil
}

// ListObjects returns the current objects of a bucket in key order, past all policies.
func (w *Service) ListObjects(bucketName string) []ObjectInfo {
	w.mu.RLock()
	defer w.mu.RUnlock()
	b := w.buckets[bucketName]
	if b == nil {
		return nil
	}
	var out []ObjectInfo
	for _, key := range slices.Sorted(maps.Keys(b.versions)) {
		if o := b.current(key); o != nil {
			out = append(out, o.info(b))
		}
	}
	return out
}

// ListUploads returns the open multipart uploads of a bucket, past all policies.
func (w *Service) ListUploads(bucketName string) []MultipartUpload {
	w.mu.RLock()
	defer w.mu.RUnlock()
	b := w.buckets[bucketName]
	if b == nil {
		return nil
	}
	var out []MultipartUpload
	for _, u := range b.sortedUploads() {
		m := MultipartUpload{Bucket: b.name, Key: u.key, UploadID: u.id, Parts: len(u.parts), Initiated: u.initiated}
		for _, p := range u.parts {
			m.Bytes += p.blob.size
		}
		out = append(out, m)
	}
	return out
}

func (o *object) info(b *bucket) ObjectInfo {
	i := ObjectInfo{
		Bucket: b.name, Key: o.key, Account: b.account, Size: o.size, ETag: o.etag, VersionID: o.version,
		Encryption: o.seal.algorithm, KMSKeyARN: o.seal.keyARN, BucketKeyEnabled: o.seal.bucketKey,
		ChecksumAlgorithm: o.algorithm, Checksum: o.checksum, ChecksumType: o.checksumType, Parts: len(o.parts),
		ContentType: o.headers.contentType, ContentEncoding: o.headers.contentEncoding, StorageClass: o.headers.storageClass,
		Tags: tagMap(o.tags), Metadata: maps.Clone(o.headers.metadata), Writer: o.writer, LastModified: o.modified,
	}
	return i
}

func tagMap(tags []kernel.Tag) map[string]string {
	if len(tags) == 0 {
		return nil
	}
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		m[t.Key] = t.Value
	}
	return m
}
