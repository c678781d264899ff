package uploader

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// slabPages is how many pages are mapped at a time.
const slabPages = 16

// pagePool holds pages outside the garbage-collected heap. The collector neither scans
// body memory nor lets the heap grow to twice its size, so the process stays within its
// budget plus a small heap.
type pagePool struct {
	mu    sync.Mutex
	free  [][]byte
	slabs [][]byte
}

func (p *pagePool) get() ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) == 0 {
		slab, err := unix.Mmap(-1, 0, slabPages*pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil {
			return nil, fmt.Errorf("mapping body memory: %w", err)
		}
		p.slabs = append(p.slabs, slab)
		for i := range slabPages {
			p.free = append(p.free, slab[i*pageSize:(i+1)*pageSize:(i+1)*pageSize])
		}
	}
	page := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	return page, nil
}

func (p *pagePool) put(pages [][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, pages...)
}

func (p *pagePool) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, slab := range p.slabs {
		errs = append(errs, unix.Munmap(slab))
	}
	p.slabs, p.free = nil, nil
	return errors.Join(errs...)
}
