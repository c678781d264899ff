package chaos

import (
	"errors"
	"hash/crc32"
	"io"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errCut ends the body of an item whose caller cancels it.
var errCut = errors.New("the caller gave up")

// body reads an item. It can only seek to its start.
type body struct {
	i   *item
	r   io.Reader
	at  int64
	crc uint32
}

func newBody(i *item) *body { return &body{i: i, r: i.open()} }

// Read implements io.Reader. At the end it stores the checksum in the item.
func (b *body) Read(p []byte) (int, error) {
	if b.i.cut >= 0 {
		if b.at == b.i.cut {
			return 0, errCut
		}
		p = p[:min(int64(len(p)), b.i.cut-b.at)]
	}
	n, err := b.r.Read(p)
	b.crc = crc32.Update(b.crc, castagnoli, p[:n])
	b.at += int64(n)
	if errors.Is(err, io.EOF) {
		b.i.mu.Lock()
		b.i.crc = b.crc
		b.i.mu.Unlock()
	}
	return n, err
}

// Seek implements io.Seeker.
func (b *body) Seek(offset int64, whence int) (int64, error) {
	switch {
	case whence == io.SeekCurrent && offset == 0:
	case whence == io.SeekStart && offset == 0:
		*b = *newBody(b.i)
	default:
		return 0, errors.ErrUnsupported
	}
	return b.at, nil
}
