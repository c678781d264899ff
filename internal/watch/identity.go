package watch

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/brokerd/brokerd/internal/watch/safefile"
)

// edge is how many bytes of each end of a file are part of its identity.
const edge = 4 << 10

// identity is the upload id of a file, and the time in it.
type identity struct {
	id   string
	time time.Time
}

// identify returns the identity of an open file of the watch. A change of its content
// changes it, and a rename does not.
func identify(watch string, root *safefile.Root, f *os.File, info safefile.Info) (identity, error) {
	h := sha256.New()
	_, _ = io.WriteString(h, "brokerd file 1\x00"+watch+"\x00") // a hash takes all bytes
	for _, n := range []uint64{root.FileSystemID(), info.Inode, uint64(safefile.Birth(f)), uint64(info.Mtime), uint64(info.Size)} {
		h.Write(binary.BigEndian.AppendUint64(nil, n))
	}
	for _, off := range []int64{0, max(0, info.Size-edge)} {
		buf := make([]byte, min(edge, info.Size))
		if n, err := f.ReadAt(buf, off); err != nil && !errors.Is(err, io.EOF) {
			return identity{}, fmt.Errorf("reading %d bytes at %d: %w", len(buf), off, err)
		} else if n < len(buf) {
			return identity{}, errShrunk
		}
		h.Write(buf)
	}
	var id ulid.ULID
	at := max(0, info.Mtime/int64(time.Millisecond))
	_ = id.SetTime(uint64(at)) // fails after the year 10889, later than any int64 of nanoseconds
	copy(id[6:], h.Sum(nil))   // 80 bits of the digest
	return identity{id: id.String(), time: id.Timestamp()}, nil
}

var errShrunk = errors.New("the file became shorter while it was read")
