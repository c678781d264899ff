package uploader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/uploader/s3client"
)

// transfer is the state of one delivery while it runs.
type transfer struct {
	u    *Uploader
	to   *destination
	obj  Object
	body Body

	whole    uint32 // CRC32C of all bytes read so far
	before   uint32 // CRC32C of the bytes before the present part
	length   int64
	attempts int
}

// run reads the first part and chooses: one PutObject when the body ends in it, a
// multipart upload otherwise.
func (t *transfer) run(ctx context.Context) (Stored, error) {
	p := planFor(t.to.partSize(), t.obj.Size, t.u.budget.Largest(), t.to.cfg.EqualParts)
	if t.obj.Size > p.base*maxParts {
		return Stored{}, t.tooLarge(p)
	}
	first := &part{budget: t.u.budget}
	end, err := t.readFirst(ctx, first, p.part(1))
	if err != nil {
		first.free()
		return Stored{}, err
	}
	if end {
		defer first.free()
		return t.putObject(ctx, first)
	}
	m := &multipart{transfer: t, plan: p}
	return m.run(ctx, first)
}

// tooLarge returns the error for an object that does not fit into 10,000 parts.
func (t *transfer) tooLarge(p plan) error {
	remedy := "raise memory.max"
	switch {
	case p.base < p.limit && t.obj.Size < 0 && t.to.cfg.EqualParts:
		remedy = "raise part_size, or state the object's size"
	case p.base < p.limit:
		remedy = "state the object's size, or raise part_size"
	}
	return reason.New(
		reason.ObjectTooLarge,
		"destination %q: the object needs more than %d parts of %d bytes; %s",
		t.to.cfg.Name,
		maxParts,
		p.part(maxParts),
		remedy,
	)
}

// readFirst fills one page, and a whole part only when the body is longer than that.
func (t *transfer) readFirst(ctx context.Context, p *part, size int64) (end bool, err error) {
	if end, err = t.read(p, min(pageSize, size)); end || err != nil {
		return end, err
	}
	need := size
	if t.obj.Size >= 0 && t.obj.Size < size {
		need = max(t.obj.Size, pageSize)
	}
	if p.loan, err = t.u.budget.reserve(ctx, t.obj.Party, need, t.body); err != nil {
		return false, err
	}
	defer p.loan.Full()
	if end, err = t.read(p, need); end || err != nil || need == size {
		return end, err
	}
	// The sender stated a length below a part's, and has sent that much. Any further
	// byte is an error; Verify would refuse it as well.
	var probe [1]byte
	n, err := t.body.Read(probe[:])
	if n > 0 {
		return false, fmt.Errorf("the body is longer than the %d bytes that were announced", t.obj.Size)
	}
	return t.finish(err)
}

// read fills p up to limit bytes. It reports whether the body has ended well.
func (t *transfer) read(p *part, limit int64) (end bool, err error) {
	if p.size == 0 {
		t.before = t.whole
	}
	before := p.size
	err = p.fill(t.body, limit)
	t.length += p.size - before
	t.whole = joinCRC(t.before, p.crc, p.size)
	if err == nil {
		return false, nil
	}
	return t.finish(err)
}

func (t *transfer) finish(err error) (bool, error) {
	end, err := ended(err)
	if !end {
		return false, fmt.Errorf("reading the body: %w", err)
	}
	if err := t.body.Verify(t.length, t.whole); err != nil {
		return false, err
	}
	return true, nil
}

// ended tells the end of a body from its failure.
func ended(err error) (end bool, failure error) {
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return true, nil
	}
	return false, err
}

func (t *transfer) putObject(ctx context.Context, p *part) (Stored, error) {
	ctx, cancel := t.u.detached(ctx)
	defer cancel()
	return t.putWhole(ctx, func() io.Reader { return p.reader() }, p.size, p.crc)
}

// putWhole writes the object in one request.
func (t *transfer) putWhole(ctx context.Context, open func() io.Reader, size int64, crc uint32) (Stored, error) {
	src := t.to.source(ctx, open)
	var out s3client.Written
	put := func(ctx context.Context) (err error) {
		out, err = t.to.client.PutObject(ctx, t.to.object(t.obj), src.payload(size, crc))
		return src.cause(err)
	}
	err := t.call(ctx, "s3:PutObject", put)
	if err != nil && t.u.dropCondition(t.to, err) {
		err = t.call(ctx, "s3:PutObject", put)
	}
	if existed, s := t.existed(err, size, 1); existed {
		return s, nil
	}
	if err != nil {
		return Stored{}, err
	}
	s := t.stored(size, 1).with(out)
	if err := checkResponse(t.to.cfg, s, checksum(crc), true); err != nil {
		return Stored{}, err
	}
	return s, nil
}

// existed reports whether err says that the key exists. Only this upload writes keys
// with its id, so an earlier try of it has succeeded, and its response was lost.
func (t *transfer) existed(err error, size int64, parts int) (bool, Stored) {
	// A 412 proves that the condition was sent, even if the destination has stopped
	// sending it since.
	if !refusedAs(err, awserr.Precondition) || t.to.cfg.FixedKey {
		return false, Stored{}
	}
	s := t.stored(size, parts)
	s.Existed = true
	return true, s
}

func (t *transfer) stored(size int64, parts int) Stored {
	return Stored{
		Bucket: t.to.cfg.Bucket, Key: t.obj.Key, Size: size,
		Parts: parts, Attempts: t.attempts, Time: time.Now(),
	}
}

// with adds the properties that S3 returned.
func (s Stored) with(w s3client.Written) Stored {
	s.VersionID, s.ETag, s.ChecksumCRC32C, s.Encryption, s.KMSKeyARN = w.VersionID, w.ETag, w.ChecksumCRC32C, w.Encryption, w.KMSKey
	return s
}

func (t *transfer) call(ctx context.Context, op string, fn func(context.Context) error) error {
	n, err := t.u.call(ctx, t.to, op, fn)
	t.attempts += n
	return err
}
