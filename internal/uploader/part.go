package uploader

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"sync"

	"github.com/brokerd/brokerd/internal/quota"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum encodes a CRC32C as in S3's headers.
func checksum(crc uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc))
}

// part is one piece of a body in pages of the budget.
type part struct {
	budget *Budget
	loan   *quota.Loan // of the memory; nil: the page of the slot
	pages  [][]byte
	size   int64
	crc    uint32

	// mu keeps a reader that outlives its call away from freed pages.
	mu    sync.Mutex
	freed bool
}

var errFreed = errors.New("the memory of the part was freed")

// fill reads up to limit bytes from r. It returns io.EOF at the end of r, with the bytes
// before it in the part.
func (p *part) fill(r io.Reader, limit int64) error {
	for p.size < limit {
		at := int(p.size % pageSize)
		if at == 0 {
			page, err := p.budget.pages.get()
			if err != nil {
				return err
			}
			p.pages = append(p.pages, page)
		}
		room := min(int64(pageSize-at), limit-p.size)
		dst := p.pages[len(p.pages)-1][at : at+int(room)]
		n, err := r.Read(dst)
		if n > 0 {
			p.crc = crc32.Update(p.crc, castagnoli, dst[:n])
			p.size += int64(n)
			p.loan.Filled(p.size)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// free gives the memory back. Later reads of the part return an error.
func (p *part) free() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.freed {
		return
	}
	p.freed = true
	p.budget.pages.put(p.pages)
	p.pages = nil
	p.loan.Close()
}

// reader returns a reader at the first byte of the part.
func (p *part) reader() *partReader { return &partReader{p: p} }

type partReader struct {
	p  *part
	at int64
}

// Read implements io.Reader.
func (r *partReader) Read(dst []byte) (int, error) {
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	if r.p.freed {
		return 0, errFreed
	}
	if r.at >= r.p.size {
		return 0, io.EOF
	}
	total := 0
	for len(dst) > 0 && r.at < r.p.size {
		page := r.p.pages[r.at/pageSize]
		from := int(r.at % pageSize)
		to := int(min(pageSize, r.p.size-(r.at-int64(from))))
		n := copy(dst, page[from:to])
		dst, total, r.at = dst[n:], total+n, r.at+int64(n)
	}
	return total, nil
}

// Next implements s3client.Slicer: pages are sent without a copy.
func (r *partReader) Next(n int) ([]byte, error) {
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	if r.p.freed {
		return nil, errFreed
	}
	if r.at >= r.p.size {
		return nil, io.EOF
	}
	from := r.at % pageSize
	to := min(pageSize, r.p.size-(r.at-from), from+int64(n))
	out := r.p.pages[r.at/pageSize][from:to]
	r.at += int64(len(out))
	return out, nil
}
