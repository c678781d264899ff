package intake

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/spool"
)

// repeatLimit is the largest upload whose bytes are compared when it comes again. A
// larger one is compared by its name and its announced size.
const repeatLimit = 1 << 20

// taken describes the upload that already has an idempotency key.
type taken struct {
	name string
	size int64
	crc  *uint32 // of its bytes; nil when unknown
}

func takenBySpool(st spool.Status) taken {
	return taken{name: st.Name, size: st.Size, crc: &st.CRC32C}
}

func takenBefore(r *record) taken {
	t := taken{name: r.name, size: r.stored.Size}
	if raw, err := base64.StdEncoding.DecodeString(r.stored.ChecksumCRC32C); err == nil && len(raw) == 4 {
		crc := binary.BigEndian.Uint32(raw)
		t.crc = &crc
	}
	return t
}

// sameAs returns an error when an upload with the same idempotency key is another
// object. Without the error its sender would believe it stored.
func (t taken) sameAs(h *Header, d *config.Destination, in Incoming) error {
	if t.name != "" && t.name != h.Name {
		return reason.New(reason.IdempotencyConflict,
			"the idempotency key belongs to another upload, %q: choose a new key for each object", t.name)
	}
	if d == nil || d.Compression != "" || t.name == "" {
		return nil // the stored length differs from the sent one, or nothing is known
	}
	other := func(n int64) error {
		return reason.New(reason.IdempotencyConflict,
			"the idempotency key belongs to an upload of %d bytes; this one of %d has other bytes: choose a new key for each object", t.size, n)
	}
	if size := h.announced(); size >= 0 && size != t.size {
		return other(size)
	}
	if t.crc == nil || t.size > repeatLimit {
		return nil
	}
	crc, n, err := sum(in, t.size+1)
	switch {
	case err != nil:
		return err
	case n != t.size || crc != *t.crc:
		return other(n)
	}
	return in.Verify(n, crc)
}

// sum reads up to limit bytes.
func sum(r io.Reader, limit int64) (crc uint32, n int64, err error) {
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	n, err = io.Copy(h, io.LimitReader(r, limit))
	return h.Sum32(), n, err
}
