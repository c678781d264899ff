package spool

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
)

// The trailer is the last trailerSize bytes of a file, little endian:
//
//	magic      [8]byte
//	size       uint64  bytes of data before the footer
//	segment    uint64  bytes that each sum covers; the last one covers the rest
//	header     uint32  bytes of JSON
//	crc        uint32  CRC32C of the data
//	footer     uint32  CRC32C of header, sums and the fields above
const (
	trailerSize = 36
	maxFooter   = 64 << 20 // the most that recovery reads of a damaged file
	firstRead   = 4 << 10  // holds the whole footer of most objects
)

var magic = [8]byte{'b', 'r', 'k', 'd', 's', 'p', 'l', '1'}

// footer describes the data of a file. It is stored after the data.
type footer struct {
	header   Header
	size     int64
	crc      uint32
	segments []uint32
}

// segmentCount returns how many segments cover size bytes.
func segmentCount(size, segment int64) int64 {
	n := size / segment
	if size%segment != 0 {
		n++
	}
	return n
}

func (f *footer) encode() ([]byte, error) {
	f.header.Size = f.size
	out, err := json.Marshal(&f.header)
	if err != nil {
		return nil, fmt.Errorf("spool: encoding the header of %s: %w", f.header.ID, err)
	}
	header := len(out)
	for _, s := range f.segments {
		out = binary.LittleEndian.AppendUint32(out, s)
	}
	out = append(out, magic[:]...)
	out = binary.LittleEndian.AppendUint64(out, uint64(f.size))
	out = binary.LittleEndian.AppendUint64(out, uint64(f.header.PartSize))
	out = binary.LittleEndian.AppendUint32(out, uint32(header))
	out = binary.LittleEndian.AppendUint32(out, f.crc)
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli)), nil
}

// readFooter reads the footer of a file of length bytes. It returns a *CorruptError
// for a damaged file, and the disk's own error when a read fails.
func readFooter(r io.ReaderAt, length int64, id string) (*footer, error) {
	damaged := func(format string, args ...any) error {
		return &CorruptError{ID: id, Off: -1, Why: fmt.Sprintf(format, args...)}
	}
	if length < trailerSize {
		return nil, damaged("it has %d bytes, less than a footer", length)
	}
	tail := make([]byte, min(length, firstRead))
	if err := readAt(r, tail, length-int64(len(tail))); err != nil {
		return nil, err
	}
	t := tail[len(tail)-trailerSize:]
	if [8]byte(t[:8]) != magic {
		return nil, damaged("it has no footer")
	}
	size, segment := binary.LittleEndian.Uint64(t[8:]), binary.LittleEndian.Uint64(t[16:])
	header := int64(binary.LittleEndian.Uint32(t[24:]))
	if size > uint64(length) || segment < minSegment || segment > 1<<62 {
		return nil, damaged("the sizes in its footer are not possible")
	}
	sums := segmentCount(int64(size), int64(segment))
	total := header + 4*sums + trailerSize
	if total > maxFooter || int64(size)+total != length {
		return nil, damaged("it has %d bytes; by its footer it should have %d", length, int64(size)+total)
	}
	if total > int64(len(tail)) {
		tail = make([]byte, total)
		if err := readAt(r, tail, length-total); err != nil {
			return nil, err
		}
	}
	tail = tail[int64(len(tail))-total:]
	if crc32.Checksum(tail[:total-4], castagnoli) != binary.LittleEndian.Uint32(tail[total-4:]) {
		return nil, damaged("the checksum of its footer differs")
	}
	f := &footer{size: int64(size), crc: binary.LittleEndian.Uint32(tail[total-8:])}
	if err := json.Unmarshal(tail[:header], &f.header); err != nil {
		return nil, damaged("its header: %v", err)
	}
	if f.header.ID != id {
		return nil, damaged("it holds another object, %q", f.header.ID)
	}
	if f.header.Size != f.size || f.header.PartSize != int64(segment) {
		return nil, damaged("header and footer disagree")
	}
	f.segments = make([]uint32, sums)
	for i := range f.segments {
		f.segments[i] = binary.LittleEndian.Uint32(tail[header+4*int64(i):])
	}
	return f, nil
}

// readAt fills p. It returns io.ErrUnexpectedEOF when the file was cut meanwhile.
func readAt(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
