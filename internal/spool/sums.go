package spool

import "hash/crc32"

// sums computes the checksums of an object and of its segments in one pass. Within
// the first segment both are equal, so a small object is summed once.
type sums struct {
	segment  int64
	size     int64
	whole    uint32
	current  uint32
	segments []uint32
}

func (s *sums) write(p []byte) {
	for len(p) > 0 {
		n := min(int64(len(p)), s.segment-s.size%s.segment)
		s.current = crc32.Update(s.current, castagnoli, p[:n])
		if len(s.segments) == 0 {
			s.whole = s.current
		} else {
			s.whole = crc32.Update(s.whole, castagnoli, p[:n])
		}
		s.size += n
		if s.size%s.segment == 0 {
			s.segments = append(s.segments, s.current)
			s.current = 0
		}
		p = p[n:]
	}
}

// end closes the last segment.
func (s *sums) end() []uint32 {
	if s.size%s.segment != 0 {
		s.segments = append(s.segments, s.current)
	}
	return s.segments
}
