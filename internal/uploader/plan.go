package uploader

const (
	maxParts    = 10_000
	minPartSize = 5 << 20
	// growEvery is how many parts of one size are sent before the size doubles,
	// when the length is not known: 10,000 parts must hold whatever comes.
	growEvery = 1_000
)

// plan says how large each part of an object is.
type plan struct {
	base  int64
	limit int64 // largest part the budget can hold
}

// planFor chooses part sizes. size is negative when it is not known.
func planFor(partSize, size, largest int64) plan {
	p := plan{base: min(partSize, largest), limit: largest}
	if size > 0 {
		for p.base*maxParts < size && p.base < largest {
			p.base = min(p.base*2, largest)
		}
	}
	return p
}

// part is the size of part n, from 1.
func (p plan) part(n int32) int64 {
	size := p.base
	for grown := (n - 1) / growEvery; grown > 0 && size < p.limit; grown-- {
		size = min(size*2, p.limit)
	}
	return size
}
