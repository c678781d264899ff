package spool

// heap is a binary heap of records, ordered by less.
type heap struct {
	less func(a, b *record) bool
	s    []*record
}

func (h *heap) push(r *record) {
	h.s = append(h.s, r)
	i := len(h.s) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !h.less(h.s[i], h.s[up]) {
			break
		}
		h.s[i], h.s[up] = h.s[up], h.s[i]
		i = up
	}
}

// peek returns the first record that was not dropped; nil when there is none.
func (h *heap) peek() *record {
	for len(h.s) > 0 {
		if !h.s[0].dropped {
			return h.s[0]
		}
		h.remove()
	}
	return nil
}

func (h *heap) pop() *record {
	r := h.peek()
	if r != nil {
		h.remove()
	}
	return r
}

func (h *heap) remove() {
	last := len(h.s) - 1
	h.s[0] = h.s[last]
	h.s[last] = nil
	h.s = h.s[:last]
	for i := 0; ; {
		c := 2*i + 1
		if c >= last {
			break
		}
		if c+1 < last && h.less(h.s[c+1], h.s[c]) {
			c++
		}
		if !h.less(h.s[c], h.s[i]) {
			break
		}
		h.s[c], h.s[i] = h.s[i], h.s[c]
		i = c
	}
	if last == 0 {
		h.s = nil // release the memory of an empty queue
	}
}

// drain returns all records and leaves the heap empty.
func (h *heap) drain() []*record {
	all := h.s
	h.s = nil
	return all
}
