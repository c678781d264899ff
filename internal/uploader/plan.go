package uploader

const (
	maxParts    = 10_000
	minPartSize = 5 << 20
	// growEvery is how many parts of one size are sent before the size doubles. A body
	// of unknown length must fit into 10,000 parts.
	growEvery = 1_000
)

// plan holds the sizes of an object's parts.
type plan struct {
	base  int64
	limit int64 // size of the largest part that the budget can hold
	grow  bool  // the length is unknown, and parts may differ in size
}

// planFor chooses part sizes. size is negative for an unknown length. The parts of a
// known length are equal, but for the last one: some stores accept no others. equal
// requires that of an unknown length too.
func planFor(partSize, size, largest int64, equal bool) plan {
	p := plan{base: min(partSize, largest), limit: largest, grow: size < 0 && !equal}
	if size > 0 {
		for p.base*maxParts < size && p.base < largest {
			p.base = min(p.base*2, largest)
		}
	}
	return p
}

// part returns the size of part n, counted from 1.
func (p plan) part(n int32) int64 {
	size := p.base
	if !p.grow {
		return size
	}
	for grown := (n - 1) / growEvery; grown > 0 && size < p.limit; grown-- {
		size = min(size*2, p.limit)
	}
	return size
}
