package uploader

import (
	"strings"

	"github.com/brokerd/brokerd/internal/config"
)

// checkResponse compares the response of S3 with the request. crc is empty for a
// response that carries no checksum. stored says that the object exists already.
func checkResponse(d *config.Destination, s Stored, crc string, stored bool) error {
	mismatch := func(field, want, got string) error {
		return &MismatchError{Destination: d.Name, Bucket: s.Bucket, Key: s.Key, Field: field, Want: want, Got: got, Stored: stored}
	}
	if d.KMSKey != "" {
		if s.Encryption != "aws:kms" {
			return mismatch("encryption", "aws:kms", s.Encryption)
		}
		if !sameKey(d, s.KMSKeyARN) {
			return mismatch("encryption under key", d.KMSKey, s.KMSKeyARN)
		}
	}
	if crc == "" || s.ChecksumCRC32C == crc {
		return nil
	}
	if d.Compatible && (s.ChecksumCRC32C == "" || strings.Contains(s.ChecksumCRC32C, "-")) {
		// The store returns no checksum of the whole object; it has checked the parts.
		return nil
	}
	return mismatch("the CRC32C", crc, s.ChecksumCRC32C)
}

// sameKey compares key ARNs. A compatible store may return the ARN of a bare key id.
func sameKey(d *config.Destination, got string) bool {
	if got == d.KMSKey {
		return true
	}
	return d.Compatible && got != "" && strings.TrimPrefix(got, "arn:aws:kms:") == strings.TrimPrefix(d.KMSKey, "arn:aws:kms:")
}
