package sandbox

import (
	"errors"
	"io"
	"time"
)

// ErrNotFound is returned when there is no such bucket or object.
var ErrNotFound = errors.New("no such bucket or object in the sandbox")

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

// Object opens the current version of an object, past all policies. The
// reader must be closed. It returns ErrNotFound when there is none.
func (s *Sandbox) Object(bucket, key string) (ObjectInfo, io.ReadCloser, error) {
	return s.world.openObject(bucket, key)
}

// Objects lists the current objects of a bucket in key order, past all policies.
func (s *Sandbox) Objects(bucket string) []ObjectInfo {
	return s.world.listObjects(bucket)
}

// MultipartUploads lists the open uploads of a bucket, past all policies.
func (s *Sandbox) MultipartUploads(bucket string) []MultipartUpload {
	return s.world.listUploads(bucket)
}
