package uploader

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/uploader/s3client"
)

// putTimeout bounds the calls that are finished without their caller. Completing
// many parts may take S3 minutes.
const putTimeout = 5 * time.Minute

// delivery is one object on its way.
type delivery struct {
	u    *Uploader
	lane *lane
	obj  Object
	body Body

	whole    uint32 // CRC32C of all bytes read so far
	before   uint32 // of those before the present part
	length   int64
	attempts int
}

// run reads the first part and decides: one PutObject when the body ends in it,
// a multipart upload otherwise.
func (d *delivery) run(ctx context.Context) (Stored, error) {
	p := planFor(d.lane.partSize(), d.obj.Size, d.u.budget.Largest())
	first := &part{budget: d.u.budget}
	end, err := d.readFirst(ctx, first, p.part(1))
	if err != nil {
		first.retire()
		return Stored{}, err
	}
	if end {
		defer first.retire()
		return d.putObject(ctx, first)
	}
	m := &multipart{delivery: d, plan: p}
	return m.run(ctx, first)
}

// readFirst fills one page, and a whole part only when the body does not end there.
func (d *delivery) readFirst(ctx context.Context, p *part, size int64) (end bool, err error) {
	if end, err = d.read(p, min(pageSize, size)); end || err != nil {
		return end, err
	}
	need := size
	if d.obj.Size >= 0 && d.obj.Size < size {
		need = max(d.obj.Size, pageSize)
	}
	if err := d.u.budget.reserve(ctx, need); err != nil {
		return false, err
	}
	p.reserved = need
	if end, err = d.read(p, need); end || err != nil || need == size {
		return end, err
	}
	// The sender stated a length below a part's and has sent that much: what
	// follows must be the end. Verify would refuse anything else anyway.
	var probe [1]byte
	n, err := d.body.Read(probe[:])
	if n > 0 {
		return false, fmt.Errorf("the body is longer than the %d bytes that were announced", d.obj.Size)
	}
	return d.finish(err)
}

// read fills p up to limit bytes and says whether the body has ended, and ended well.
func (d *delivery) read(p *part, limit int64) (end bool, err error) {
	if p.size == 0 {
		d.before = d.whole
	}
	before := p.size
	err = p.fill(d.body, limit)
	d.length += p.size - before
	d.whole = joinCRC(d.before, p.crc, p.size)
	if err == nil {
		return false, nil
	}
	return d.finish(err)
}

func (d *delivery) finish(err error) (bool, error) {
	end, err := ended(err)
	if !end {
		return false, fmt.Errorf("reading the body: %w", err)
	}
	if d.obj.Verify != nil {
		if err := d.obj.Verify(d.length, d.whole); err != nil {
			return false, err
		}
	}
	return true, nil
}

func (d *delivery) putObject(ctx context.Context, p *part) (Stored, error) {
	ctx, cancel := d.u.detached(ctx, putTimeout)
	defer cancel()
	return d.putWhole(ctx, func() io.Reader { return p.reader() }, p.size, p.crc)
}

// putWhole writes the object in one request.
func (d *delivery) putWhole(ctx context.Context, open func() io.Reader, size int64, crc uint32) (Stored, error) {
	payload, read := d.lane.payload(ctx, open, size, crc)
	var out s3client.Written
	put := func(ctx context.Context) (err error) {
		out, err = d.lane.client.PutObject(ctx, d.lane.object(d.obj), payload)
		return read(err)
	}
	err := d.call(ctx, "s3:PutObject", put)
	if err != nil && d.u.tryWithoutCondition(d.lane, err) {
		err = d.call(ctx, "s3:PutObject", put)
	}
	if existed, s := d.existed(err, size, 1); existed {
		return s, nil
	}
	if err != nil {
		return Stored{}, err
	}
	s := d.stored(size, 1).with(out)
	if err := confirmed(d.lane.dest, s, checksum(crc), true); err != nil {
		return Stored{}, err
	}
	return s, nil
}

// existed reports whether err says that the key is taken. Nobody but this upload
// makes keys with its id: an earlier try of it succeeded, and the answer was lost.
func (d *delivery) existed(err error, size int64, parts int) (bool, Stored) {
	// The lane may have become blind since: who got a 412 has stated the condition.
	if !refusedAs(err, awserr.Precondition) || d.lane.dest.FixedKey {
		return false, Stored{}
	}
	s := d.stored(size, parts)
	s.Existed = true
	return true, s
}

func (d *delivery) stored(size int64, parts int) Stored {
	return Stored{
		Bucket: d.lane.dest.Bucket, Key: d.obj.Key, Size: size,
		Parts: parts, Attempts: d.attempts, Time: time.Now(),
	}
}

// with adds what S3 said.
func (s Stored) with(w s3client.Written) Stored {
	s.VersionID, s.ETag, s.ChecksumCRC32C, s.Encryption, s.KMSKeyARN = w.VersionID, w.ETag, w.ChecksumCRC32C, w.Encryption, w.KMSKey
	return s
}

func (d *delivery) call(ctx context.Context, op string, fn func(context.Context) error) error {
	n, err := d.u.call(ctx, d.lane, op, fn)
	d.attempts += n
	return err
}
