package client

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"time"
)

// crockford is the alphabet of ULIDs.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// newKey makes an idempotency key in the form of a ULID: 48 bits of milliseconds,
// 80 bits of chance.
func newKey() string {
	var b [20]byte // 4 zero bytes make 160 bits, which base32 divides: 32 characters, the first 6 of zeros
	binary.BigEndian.PutUint64(b[2:], uint64(time.Now().UnixMilli()))
	_, _ = rand.Read(b[10:]) // crypto/rand.Read does not fail
	// The ULID's 128 bits stand at the end; 26 characters hold 130.
	return base32.NewEncoding(crockford).EncodeToString(b[:])[6:]
}
