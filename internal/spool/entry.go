package spool

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/oklog/ulid/v2"
)

// Entry is one object in delivery. It is valid until Deliver returns.
// Its methods may be called from several goroutines.
type Entry struct {
	s       *Spool
	id      ulid.ULID
	file    File
	foot    *footer
	journal *journal
}

// openEntry opens the data file of an object and reads its footer.
func (s *Spool) openEntry(id ulid.ULID, name string, journaled bool) (*Entry, error) {
	f, err := s.dir.openObject(name)
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err != nil {
		_ = f.Close()
		return nil, ioError("stat", name, err)
	}
	foot, err := readFooter(f, size, id.String())
	if err != nil {
		_ = f.Close()
		var corrupt *CorruptError
		if errors.As(err, &corrupt) {
			return nil, err
		}
		return nil, ioError("read", name, err)
	}
	e := &Entry{s: s, id: id, file: f, foot: foot, journal: &journal{dir: s.dir, name: nameOf(id, dirQueue, extJournal)}}
	if journaled {
		e.journal = s.dir.loadJournal(e.journal.name)
	}
	return e, nil
}

func (e *Entry) close() {
	e.journal.close()
	_ = e.file.Close()
}

// Header returns the accepted header. Its Size is the size of the data.
func (e *Entry) Header() Header { return e.foot.header }

// Size returns the number of bytes of data.
func (e *Entry) Size() int64 { return e.foot.size }

// CRC32C returns the checksum of all data, computed when it was received.
func (e *Entry) CRC32C() uint32 { return e.foot.crc }

// SegmentSize returns the bytes that each of Segments covers. The last segment may
// be shorter.
func (e *Entry) SegmentSize() int64 { return e.foot.header.PartSize }

// Segments returns the CRC32C of each segment, computed when it was received. The
// caller must not change the slice.
func (e *Entry) Segments() []uint32 { return e.foot.segments }

// ReadAt reads data without comparing checksums. It never reads the footer.
func (e *Entry) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("spool: reading %s at %d", e.id, off)
	}
	if off >= e.foot.size {
		return 0, io.EOF
	}
	short := false
	if left := e.foot.size - off; int64(len(p)) > left {
		p, short = p[:left], true
	}
	n, err := e.file.ReadAt(p, off)
	switch {
	case err == io.EOF && n < len(p):
		return n, &CorruptError{ID: e.id.String(), Off: off - off%e.SegmentSize(), Why: "the file is shorter than when it was accepted"}
	case n == len(p) && short:
		return n, io.EOF
	case n == len(p):
		return n, nil
	}
	return n, ioError("read", nameOf(e.id, dirQueue, extObject), err)
}

// Section returns a reader of n bytes from off, clipped to the data. It compares
// the checksum of every segment that lies wholly within. For a segment that
// differs, the reader returns a *CorruptError instead of the last bytes, so no
// caller reads a damaged section to its end. Partly read segments are not checked.
func (e *Entry) Section(off, n int64) io.Reader {
	end := e.foot.size
	if n < end-off {
		end = off + n
	}
	return &section{e: e, off: off, end: end, whole: off >= 0 && off%e.SegmentSize() == 0}
}

type section struct {
	e        *Entry
	off, end int64
	crc      uint32
	whole    bool // the current segment was read from its first byte
	err      error
}

func (s *section) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if s.off >= s.end {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	size := s.e.SegmentSize()
	begin := s.off - s.off%size
	stop := min(begin+size, s.e.foot.size) // of the segment
	n, err := s.e.ReadAt(p[:min(int64(len(p)), stop-s.off, s.end-s.off)], s.off)
	if err != nil && err != io.EOF {
		s.err = err
		return 0, err
	}
	s.crc = crc32.Update(s.crc, castagnoli, p[:n])
	s.off += int64(n)
	if s.off == stop {
		if want := s.e.foot.segments[begin/size]; s.whole && s.crc != want {
			s.err = &CorruptError{
				ID:  s.e.id.String(),
				Off: begin,
				Why: fmt.Sprintf("its CRC32C is %08x; it was %08x when it was accepted", s.crc, want),
			}
			return 0, s.err
		}
		s.crc, s.whole = 0, true
	}
	return n, nil
}
