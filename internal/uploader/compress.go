package uploader

import (
	"bytes"
	"compress/flate"
	"context"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// encoderMemory is what a compressor is counted with, in bytes: its tables, its
// window and what it has not given out yet.
const encoderMemory = 2 << 20

// encode compresses the body where the destination wants that. What the sender
// stated is then compared with what came, before it is compressed; obj's own
// length is not known any more.
func (u *Uploader) encode(ctx context.Context, l *lane, obj *Object, body Body) (Body, func(), error) {
	if l.dest.Compression == "" {
		return body, func() {}, nil
	}
	// Its own share: an upload that waits for part memory while it holds this one
	// moves on, since parts wait for nothing here.
	if err := u.budget.encoders.Acquire(ctx, 1); err != nil {
		return nil, nil, fmt.Errorf("waiting for memory to compress: %w", err)
	}
	c := &compressed{Body: body, verify: obj.Verify, in: make([]byte, pageSize)}
	var err error
	if l.dest.Compression == "zstd" {
		c.enc, err = zstd.NewWriter(&c.out, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(512<<10), zstd.WithLowerEncoderMem(true))
	} else {
		c.enc, err = gzip.NewWriterLevel(&c.out, flate.BestSpeed)
	}
	if err != nil {
		u.budget.encoders.Release(1)
		return nil, nil, fmt.Errorf("making a compressor: %w", err)
	}
	obj.Verify, obj.Size = nil, -1
	return c, func() { u.budget.encoders.Release(1) }, nil
}

// compressed is a body in compressed form.
type compressed struct {
	Body
	verify func(int64, uint32) error
	enc    io.WriteCloser
	in     []byte
	out    bytes.Buffer
	length int64
	crc    uint32
	err    error // final, once out is empty
}

// Read implements io.Reader. The end comes only after the sender's own body ended
// well and was verified.
func (c *compressed) Read(dst []byte) (int, error) {
	for c.out.Len() == 0 {
		if c.err != nil {
			return 0, c.err
		}
		c.err = c.advance()
	}
	return c.out.Read(dst)
}

func (c *compressed) advance() error {
	n, err := c.Body.Read(c.in)
	if n > 0 {
		c.length += int64(n)
		c.crc = crc32.Update(c.crc, castagnoli, c.in[:n])
		if _, werr := c.enc.Write(c.in[:n]); werr != nil {
			return fmt.Errorf("compressing: %w", werr)
		}
	}
	if err == nil {
		return nil
	}
	end, err := ended(err)
	if !end {
		return err
	}
	if c.verify != nil {
		if err := c.verify(c.length, c.crc); err != nil {
			return err
		}
	}
	if err := c.enc.Close(); err != nil {
		return fmt.Errorf("compressing: %w", err)
	}
	return io.EOF
}
