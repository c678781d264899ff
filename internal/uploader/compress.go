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

// encoderMemory is the share of a compressor in the budget, in bytes: its tables, its
// window and its pending output.
const encoderMemory = 2 << 20

// compress makes the body of d a compressed one. The length and checksum that the
// sender stated are then compared before compression, and the length of the object is
// no longer known.
func (u *Uploader) compress(ctx context.Context, d *Delivery) error {
	// Encoders have a share of their own: an upload that holds one and waits for part
	// memory makes progress, since parts never wait for an encoder.
	encoder, err := u.budget.encoders.Borrow(ctx, d.Object.Party, 1, nil)
	if err != nil {
		return fmt.Errorf("waiting for memory to compress: %w", err)
	}
	encoder.Full() // a pause of the body is no fault of its sender
	c := &compressed{Body: d.Body, in: make([]byte, pageSize)}
	if d.to.cfg.Compression == "zstd" {
		c.enc, err = zstd.NewWriter(
			&c.out,
			zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithEncoderConcurrency(1),
			zstd.WithWindowSize(512<<10),
			zstd.WithLowerEncoderMem(true),
		)
	} else {
		c.enc, err = gzip.NewWriterLevel(&c.out, flate.BestSpeed)
	}
	if err != nil {
		encoder.Close()
		return fmt.Errorf("making a compressor: %w", err)
	}
	d.Body, d.Object.Size = c, -1
	d.close = encoder.Close
	return nil
}

// compressed is a body in compressed form.
type compressed struct {
	Body
	enc    io.WriteCloser
	in     []byte
	out    bytes.Buffer
	length int64
	crc    uint32
	err    error // final, once out is empty
}

// Read implements io.Reader. It returns io.EOF only after the sender's body has ended
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

// Verify implements Body. The sender's statement is about other bytes than these, and
// was verified before their end.
func (c *compressed) Verify(int64, uint32) error { return nil }

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
	if err := c.Body.Verify(c.length, c.crc); err != nil {
		return err
	}
	if err := c.enc.Close(); err != nil {
		return fmt.Errorf("compressing: %w", err)
	}
	return io.EOF
}
