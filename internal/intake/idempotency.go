package intake

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/oklog/ulid/v2"
)

// The limits of the time in a client's key, relative to the daemon's clock. Receipts
// are kept for as long as keyMaxAge: an older key could not be honoured anyway.
const (
	keyMaxAge  = 24 * time.Hour
	keyMaxLead = 5 * time.Minute
)

// identify returns the id of an upload, and the time for its object key. The same
// idempotency key of the same user and destination gives the same id: from memory, or,
// when the key is a ULID, from the key alone, so that it survives a restart.
func (u *UploadRegistry) identify(uid uint32, destination, key string, now time.Time) (id string, received time.Time) {
	if key == "" {
		return ulid.Make().String(), now
	}
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint32(nil, uid))
	h.Write([]byte(destination))
	h.Write([]byte{0})
	h.Write([]byte(key))
	sum := h.Sum(nil)
	name := string(sum)
	u.mu.Lock()
	defer u.mu.Unlock()
	if known, ok := u.keys.Get(name); ok {
		return known, ulid.MustParse(known).Timestamp()
	}
	at := now
	if parsed, err := ulid.ParseStrict(key); err == nil {
		if t := parsed.Timestamp(); t.After(now.Add(-keyMaxAge)) && t.Before(now.Add(keyMaxLead)) {
			at = t
		}
	}
	var made ulid.ULID
	_ = made.SetTime(ulid.Timestamp(at)) // fails after the year 10889
	copy(made[6:], sum)                  // 80 bits of the digest
	u.keys.Add(name, made.String())
	return made.String(), made.Timestamp()
}
