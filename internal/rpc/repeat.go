package rpc

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/spool"
)

// repeatLimit is how much of an upload that comes again is read to see whether it
// is the same. A longer one goes by its name and its announced size.
const repeatLimit = 1 << 20

// taken is what is known of the upload that has an idempotency key.
type taken struct {
	name string
	size int64
	crc  *uint32 // of its bytes; nil when it is not known
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

// again says whether an upload that comes under a key that is taken is the one
// that took it. Another object would be acknowledged, and be nowhere: whoever
// sends it has to hear of that. size is what was announced, negative when nothing was.
func (t taken) again(name string, size int64, d *config.Destination, in incoming) error {
	if t.name != "" && t.name != name {
		return reason.New(reason.IdempotencyConflict,
			"the idempotency key belongs to another upload, %q: choose a new key for each object", t.name)
	}
	if d == nil || d.Compression != "" || t.name == "" {
		return nil // what is stored has another length than what was sent, or nothing is known
	}
	other := func(n int64) error {
		return reason.New(reason.IdempotencyConflict,
			"the idempotency key belongs to an upload of %d bytes; this one of %d has other bytes: choose a new key for each object", t.size, n)
	}
	if size >= 0 && size != t.size {
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
	return in.verify(n, crc)
}

// sum reads up to most bytes.
func sum(r io.Reader, most int64) (crc uint32, n int64, err error) {
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	n, err = io.Copy(h, io.LimitReader(r, most))
	return h.Sum32(), n, err
}
