package uploader

import (
	"io"
	"time"

	"github.com/brokerd/brokerd/internal/quota"
)

// Body provides an object's bytes. One goroutine calls Read. io.EOF means that the
// body has ended as its sender intended; after any other error no object is stored.
type Body interface {
	io.Reader
	// Interrupt makes a blocked Read, and every later one, return err. It may be called
	// from another goroutine, and more than once: the first error counts.
	Interrupt(err error)
	// Verify compares length and CRC32C with the sender's statement about the bytes. It is
	// called once, when the body has ended; after its error no object is stored.
	Verify(length int64, crc32c uint32) error
}

// Object describes an object on its way. The same type goes from the socket to the
// S3 client.
type Object struct {
	ID              string      // upload id, a ULID; part of the key
	Name            string      // valid by config.ValidateName
	UID, GID        uint32      // of the peer
	Unit, Pod       string      // where the peer runs; empty: not known
	Party           quota.Party // whose share of the memory it takes
	Received        time.Time   // sets the date parts of the key
	ContentType     string
	ContentEncoding string
	Metadata        map[string]string
	Size            int64 // in bytes; negative: not known
	// Key is the object's key in the bucket. Uploader.Open sets it; empty before.
	Key string
}

// Stored is an object as S3 confirmed it.
type Stored struct {
	Bucket, Key, VersionID, ETag string
	Size                         int64
	ChecksumCRC32C               string // base64; empty when the store returned none
	Encryption                   string // "aws:kms"; empty when the store reported none
	KMSKeyARN                    string
	Parts                        int
	Attempts                     int // HTTP requests that carried data or created or completed the upload
	// Existed is true when S3 answered that the key exists: an earlier try had
	// succeeded, and its response was lost. S3 then returns no other property.
	Existed bool
	Time    time.Time
}

// AtRest is an object on disk, with the state of its delivery. spool.Entry
// implements it. Section and PartSent may be called from several goroutines.
type AtRest interface {
	Size() int64
	CRC32C() uint32 // of all bytes
	// SegmentSize is how many bytes each of Segments covers; the last may be shorter.
	SegmentSize() int64
	Segments() []uint32
	// Section reads n bytes from off, the start of a segment, and fails when they do
	// not agree with their checksums.
	Section(off, n int64) io.Reader

	// UploadID returns the multipart upload that was created for the object; empty: none.
	UploadID() (id string, partSize int64)
	// EachPart calls fn for every part that S3 has.
	EachPart(fn func(number int32, etag string, crc32c uint32))
	// BeginUpload records an upload before its first part is sent.
	BeginUpload(id string, partSize int64) error
	// PartSent records a part that S3 has.
	PartSent(number int32, etag string, crc32c uint32) error
	// ForgetUpload removes the record of the upload and its parts.
	ForgetUpload() error
}
