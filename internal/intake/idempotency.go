package intake

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/brokerd/brokerd/internal/quota"
)

// The limits of the time in a client's key, relative to the daemon's clock. Receipts
// are kept for as long as keyMaxAge: an older key could not be honoured anyway.
const (
	keyMaxAge  = 24 * time.Hour
	keyMaxLead = 5 * time.Minute
)

// identify gives an upload its id and the digest of its key, and returns the time for its
// object key. The same idempotency key of the same user and destination gives the same
// id: from memory, or, when the key is a ULID, from the key alone, so that it survives a
// restart.
func (u *UploadRegistry) identify(r *record, key string, now time.Time) (received time.Time) {
	if key == "" {
		r.id = ulid.Make().String()
		return now
	}
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint32(nil, r.uid))
	h.Write([]byte(r.destination))
	h.Write([]byte{0})
	h.Write([]byte(key))
	sum := h.Sum(nil)
	r.key = string(sum)
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, known := range []*quota.Memory[string, string]{u.keys, u.tried} {
		if id, ok := known.Get(r.key); ok {
			r.id = id
			return ulid.MustParse(id).Timestamp()
		}
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
	r.id = made.String()
	u.tried.Add(r.party, r.key, r.id)
	return made.Timestamp()
}
