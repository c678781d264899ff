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
	ID          string    // upload id, a ULID; part of the key
	Name        string    // valid by config.ValidateName
	UID         uint32    // of the peer
	Received    time.Time // fixes the date parts of the key
	ContentType string    // empty: application/octet-stream
	Metadata    map[string]string
	Size        int64 // in bytes; negative when not known
	// Verify is asked once, when the body has ended, whether length and CRC32C are
	// what the sender stated. Its error ends the delivery with no object. Nil: not asked.
	Verify func(length int64, crc32c uint32) error
}

// Stored is an object as S3 confirmed it.
type Stored struct {
	Bucket, Key, VersionID, ETag string
	Size                         int64
	ChecksumCRC32C               string // base64; empty when a compatible store returned none
	Encryption                   string // "aws:kms"; empty when a compatible store reported none
	KMSKeyARN                    string
	Parts                        int
	Attempts                     int // HTTP requests that carried data or began or completed the object
	Time                         time.Time
}
