package s3

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

const (
	// spillAt is the size above which a body goes to a file.
	spillAt = 1 << 20
	// memoryBudget bounds all bodies in memory together; beyond it every body goes to a file.
	memoryBudget = 64 << 20
	copyBuffer   = 256 << 10
)

// blob is an immutable run of bytes, in memory or in a file, with a reference count: the
// file is removed with the last reference.
type blob struct {
	size  int64
	mem   []byte
	path  string
	refs  atomic.Int64
	store *blobStore
}

func (b *blob) retain() *blob {
	b.refs.Add(1)
	return b
}

func (b *blob) release() {
	if b == nil || b.refs.Add(-1) > 0 {
		return
	}
	switch {
	case b.path == "":
		b.store.used.Add(-int64(cap(b.mem)))
	case b.store.kept != nil:
		b.store.kept.Discard(b.path)
	default:
		// Close removes the whole directory; a file that stays until then does no harm.
		_ = os.Remove(b.path)
	}
	b.mem = nil
}

// blobStore makes blobs.
type blobStore struct {
	dir  string
	kept *kernel.Store // nil: bodies end with the process, and small ones are in memory
	used atomic.Int64
	// restored are the blobs of the data directory by file name, while it is being read.
	restored map[string]*blob
	buffers  sync.Pool
}

func (s *blobStore) buffer() *[]byte {
	if b, ok := s.buffers.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, copyBuffer)
	return &b
}

// write reads r to its end and writes every byte to tee as well. It returns errTooLarge
// for more than limit bytes.
func (s *blobStore) write(r io.Reader, limit int64, tee ...io.Writer) (b *blob, err error) {
	bufp := s.buffer()
	defer s.buffers.Put(bufp)
	buf := *bufp
	var mem bytes.Buffer
	var file *os.File
	var size int64
	defer func() {
		if file == nil {
			return
		}
		if closeErr := file.Close(); err == nil && closeErr != nil {
			err = closeErr
		}
		if err != nil {
			b = nil
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	for {
		n, readErr := fill(r, buf)
		if n > 0 {
			if size += int64(n); size > limit {
				return nil, errTooLarge
			}
			for _, w := range tee {
				if _, err := w.Write(buf[:n]); err != nil {
					return nil, err
				}
			}
			if file == nil && (s.kept != nil || size > spillAt || s.used.Load()+size > memoryBudget) {
				if file, err = os.CreateTemp(s.dir, "body-"); err != nil {
					return nil, fmt.Errorf("making a file for a body: %w", err)
				}
				if _, err = file.Write(mem.Bytes()); err != nil {
					return nil, fmt.Errorf("writing a body: %w", err)
				}
				mem = bytes.Buffer{}
			}
			if file != nil {
				_, err = file.Write(buf[:n])
			} else {
				_, err = mem.Write(buf[:n])
			}
			if err != nil {
				return nil, fmt.Errorf("writing a body: %w", err)
			}
		}
		if errors.Is(readErr, io.EOF) {
			break
		}
		if readErr != nil {
			return nil, readErr
		}
	}
	b = &blob{size: size, store: s}
	if file == nil && s.kept != nil { // an empty body
		if file, err = os.CreateTemp(s.dir, "body-"); err != nil {
			return nil, fmt.Errorf("making a file for a body: %w", err)
		}
	}
	if file != nil {
		b.path = file.Name()
	} else {
		b.mem = bytes.Clone(mem.Bytes())
		s.used.Add(int64(cap(b.mem)))
	}
	return b.retain(), nil
}

var errTooLarge = errors.New("body is larger than allowed")

// fill reads until buf is full or r ends; unlike io.ReadFull a short last read is no error.
func fill(r io.Reader, buf []byte) (int, error) {
	n := 0
	for n < len(buf) {
		m, err := r.Read(buf[n:])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// body is an object's bytes: one blob, or the parts of a multipart upload in order.
type body []*blob

func (b body) size() int64 {
	var n int64
	for _, x := range b {
		n += x.size
	}
	return n
}

func (b body) retain() body {
	for _, x := range b {
		x.retain()
	}
	return b
}

func (b body) release() {
	for _, x := range b {
		x.release()
	}
}

// open reads length bytes from offset. The reader holds the body until closed.
func (b body) open(offset, length int64) *bodyReader {
	return &bodyReader{body: b.retain(), skip: offset, left: length}
}

type bodyReader struct {
	body body
	next int
	skip int64
	left int64
	file *os.File
	cur  io.Reader
}

func (r *bodyReader) Read(p []byte) (int, error) {
	for {
		if r.left == 0 {
			return 0, io.EOF
		}
		if r.cur == nil {
			if err := r.openNext(); err != nil {
				return 0, err
			}
		}
		if int64(len(p)) > r.left {
			p = p[:r.left]
		}
		n, err := r.cur.Read(p)
		r.left -= int64(n)
		if errors.Is(err, io.EOF) {
			r.cur = nil
			if r.file != nil {
				if err := r.file.Close(); err != nil {
					return n, err
				}
				r.file = nil
			}
			err = nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (r *bodyReader) openNext() error {
	for r.next < len(r.body) && r.skip >= r.body[r.next].size {
		r.skip -= r.body[r.next].size
		r.next++
	}
	if r.next == len(r.body) {
		return io.ErrUnexpectedEOF
	}
	x := r.body[r.next]
	r.next++
	if x.path == "" {
		r.cur = bytes.NewReader(x.mem[r.skip:])
	} else {
		f, err := os.Open(x.path)
		if err != nil {
			return fmt.Errorf("opening a stored body: %w", err)
		}
		if _, err := f.Seek(r.skip, io.SeekStart); err != nil {
			return errors.Join(err, f.Close())
		}
		r.file, r.cur = f, f
	}
	r.skip = 0
	return nil
}

func (r *bodyReader) Close() error {
	var err error
	if r.file != nil {
		err = r.file.Close()
		r.file = nil
	}
	r.body.release()
	r.body, r.left = nil, 0
	return err
}
