package uploader

import (
	"io"
	"time"
)

// Body is where an object's bytes come from. Read is called by one goroutine.
// io.EOF means that the body has ended as its sender intended; every other error
// means that there is to be no object.
type Body interface {
	io.Reader
	// Interrupt makes a Read that is blocked, and every later one, return err. It may be
	// called from another goroutine, and more than once: the first error counts.
	Interrupt(err error)
}

// Object is what is to be delivered.
type Object struct {
	ID              string    // upload id, a ULID; part of the key
	Name            string    // valid by config.ValidateName
	UID, GID        uint32    // of the peer
	Unit, Pod       string    // where the peer runs; empty when it is not known
	Received        time.Time // fixes the date parts of the key
	ContentType     string
	ContentEncoding string
	Metadata        map[string]string
	Size            int64 // in bytes; negative when not known
	// Key is the object's key, as Uploader.Fix decided it; empty: not decided yet.
	Key string
	// Verify is asked once, when the body has ended, whether length and CRC32C are
	// what the sender stated. Its error ends the delivery with no object. Nil: not asked.
	Verify func(length int64, crc32c uint32) error
}

// Stored is an object as S3 confirmed it.
type Stored struct {
	Bucket, Key, VersionID, ETag string
	Size                         int64
	ChecksumCRC32C               string // base64; empty when the store returned none
	Encryption                   string // "aws:kms"; empty when the store reported none
	KMSKeyARN                    string
	Parts                        int
	Attempts                     int // HTTP requests that carried data or began or completed the object
	// Existed is true when S3 said that the object was there already: an earlier
	// try had succeeded, and its answer was lost. S3 then says no more about it.
	Existed bool
	Time    time.Time
}

// AtRest is an object whose bytes are on disk, with what is remembered of its
// delivery. spool.Entry is one. Section and PartSent may be called from several
// goroutines.
type AtRest interface {
	Size() int64
	CRC32C() uint32 // of all bytes
	// SegmentSize is how many bytes each of Segments covers; the last may be shorter.
	SegmentSize() int64
	Segments() []uint32
	// Section reads n bytes from off, which begins a segment, and fails when they
	// do not agree with their checksums.
	Section(off, n int64) io.Reader

	// UploadID is the multipart upload that was begun for it; empty when none was.
	UploadID() (id string, partSize int64)
	// EachPart calls fn for every part that S3 has.
	EachPart(fn func(number int32, etag string, crc32c uint32))
	// BeginUpload remembers an upload before its first part is sent.
	BeginUpload(id string, partSize int64) error
	// PartSent remembers a part that S3 has.
	PartSent(number int32, etag string, crc32c uint32) error
	// ForgetUpload forgets the upload and its parts.
	ForgetUpload() error
}
