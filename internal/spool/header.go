package spool

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"
)

const (
	defaultSegment = 8 << 20
	minSegment     = 64 << 10
	maxHeader      = 256 << 10 // the encoded header
)

// Header describes an accepted object. It never changes: a delivery a week later
// has the same name, key and time.
type Header struct {
	ID              string            `json:"id"` // a ULID, chosen by the caller; names the object's file
	Destination     string            `json:"destination"`
	Name            string            `json:"name,omitempty"`
	Key             string            `json:"key,omitempty"`
	UID             uint32            `json:"uid"`
	GID             uint32            `json:"gid"`
	Received        time.Time         `json:"received"`
	Size            int64             `json:"size"`         // bytes as announced; -1 unknown. On disk: as received
	PartSize        int64             `json:"segment_size"` // bytes covered by one checksum, at least 64 KiB; 0: 8 MiB
	ContentType     string            `json:"content_type,omitempty"`
	ContentEncoding string            `json:"content_encoding,omitempty"`
	Metadata        map[string]string `json:"metadata,omitempty"`
	IdempotencyKey  string            `json:"idempotency_key,omitempty"`
	Extra           json.RawMessage   `json:"extra,omitempty"` // opaque to the spool
}

// check completes a header and refuses one that could not be delivered.
func (h *Header) check() (ulid.ULID, error) {
	id, err := ulid.ParseStrict(h.ID)
	if err != nil {
		return id, fmt.Errorf("spool: id %q: %w", h.ID, err)
	}
	if id.String() != h.ID {
		return id, fmt.Errorf("spool: id %q: write the ULID in capitals", h.ID)
	}
	if h.Destination == "" {
		return id, errors.New("spool: an object needs a destination")
	}
	if h.PartSize == 0 {
		h.PartSize = defaultSegment
	}
	if h.PartSize < minSegment {
		return id, fmt.Errorf("spool: segments of %d bytes are too short; use at least %d", h.PartSize, minSegment)
	}
	if h.Size < -1 {
		return id, fmt.Errorf("spool: the size %d is not possible", h.Size)
	}
	if h.Received.IsZero() {
		h.Received = time.Now()
	}
	h.Received = h.Received.UTC().Round(0)
	text, err := json.Marshal(h)
	if err != nil {
		return id, fmt.Errorf("spool: encoding the header of %s: %w", h.ID, err)
	}
	if len(text) > maxHeader {
		return id, fmt.Errorf("spool: the header of %s has %d bytes; at most %d fit. Shorten the metadata", h.ID, len(text), maxHeader)
	}
	return id, nil
}

// idem identifies a request: user, destination and idempotency key. Zero means no
// key. Half a SHA-256 suffices: the user is part of the hash, so a user who finds a
// collision only collides with own requests.
type idem [16]byte

func (h *Header) idem() idem {
	var out idem
	if h.IdempotencyKey == "" {
		return out
	}
	sum := sha256.New()
	var fixed [12]byte
	binary.LittleEndian.PutUint32(fixed[:], h.UID)
	binary.LittleEndian.PutUint64(fixed[4:], uint64(len(h.Destination)))
	sum.Write(fixed[:])
	sum.Write([]byte(h.Destination))
	sum.Write([]byte(h.IdempotencyKey))
	copy(out[:], sum.Sum(nil))
	return out
}
