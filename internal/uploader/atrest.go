package uploader

import (
	"context"
	"fmt"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/uploader/wire"
)

// restarts is how often an upload in parts is begun anew because S3 does not know
// it any more: a lifecycle rule ended it, or an earlier completion whose answer
// was lost had succeeded. The next try finds out which.
const restarts = 2

// PutAtRest delivers an object from disk. It takes no body memory: parts are read
// as they are sent. What S3 has of an interrupted try is not sent again. Errors
// are those of Put; Judge says what they mean for the object. When ctx ends, the
// upload in parts stays open, to go on from there.
func (u *Uploader) PutAtRest(ctx context.Context, destination string, obj Object, file AtRest) (Stored, error) {
	l, err := u.lane(destination)
	if err != nil {
		return Stored{}, err
	}
	d := &delivery{u: u, lane: l, obj: obj}
	size := file.Size()
	if id, _ := file.UploadID(); id == "" && size <= l.partSize() {
		return d.putWhole(ctx, func() io.Reader { return file.Section(0, size) }, size, file.CRC32C())
	}
	for n := 0; ; n++ {
		m := &multipart{delivery: d}
		s, err := m.fromRest(ctx, file)
		if err == nil {
			return s, nil
		}
		gone := refusedAs(err, awserr.NoSuchUpload) || refusedAs(err, awserr.Conflict)
		if !gone || n == restarts {
			return Stored{}, m.unfinished(ctx, file, err)
		}
		if refusedAs(err, awserr.Conflict) && !m.abort(ctx) {
			return Stored{}, err
		}
		if err := file.ForgetUpload(); err != nil {
			return Stored{}, &sourceError{err}
		}
	}
}

// Abandon aborts what was begun of an object that is not to be delivered.
func (u *Uploader) Abandon(ctx context.Context, destination, key string, file AtRest) error {
	id, _ := file.UploadID()
	if id == "" {
		return nil
	}
	l, err := u.lane(destination)
	if err != nil {
		return err
	}
	if err := u.abort(ctx, l, key, id); err != nil {
		return err
	}
	return file.ForgetUpload()
}

// unfinished gives up the upload of an object that can never be delivered; every
// other failure leaves it open, for the next try to go on.
func (m *multipart) unfinished(ctx context.Context, file AtRest, err error) error {
	if Judge(err).Fate == awserr.Dead && m.uploadID != "" && m.abort(ctx) {
		if ferr := file.ForgetUpload(); ferr != nil {
			return fmt.Errorf("%w; and its multipart upload, which was aborted, could not be forgotten: %w", err, ferr)
		}
	}
	return err
}

func (m *multipart) fromRest(ctx context.Context, file AtRest) (Stored, error) {
	size := file.Size()
	id, partSize := file.UploadID()
	sent := make(map[int32]bool)
	if id == "" {
		partSize = partSizeAtRest(size, file.SegmentSize())
		if err := m.create(ctx); err != nil {
			return Stored{}, err
		}
		// Written down before the first part: what nobody remembers, nobody aborts.
		if err := file.BeginUpload(m.uploadID, partSize); err != nil {
			m.abort(ctx)
			return Stored{}, &sourceError{err}
		}
		if err := m.verifyOpened(); err != nil {
			return Stored{}, err
		}
	} else {
		m.uploadID, m.opened = id, m.stored(0, 0)
		file.EachPart(func(number int32, etag string, crc uint32) {
			if !sent[number] {
				sent[number] = true
				m.done = append(m.done, wire.Part{Number: number, ETag: etag, CRC32C: crc})
			}
		})
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(m.lane.concurrency())
	for n, off := int32(1), int64(0); off < size && gctx.Err() == nil; n, off = n+1, off+partSize {
		if sent[n] {
			continue
		}
		length := min(partSize, size-off)
		crc := sectionCRC(file, off, length)
		group.Go(func() error {
			p, err := m.sendPart(gctx, func() io.Reader { return file.Section(off, length) }, n, length, crc)
			if err != nil {
				return err
			}
			if err := file.PartSent(p.Number, p.ETag, p.CRC32C); err != nil {
				return &sourceError{err}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return Stored{}, err
	}
	if err := ctx.Err(); err != nil {
		return Stored{}, err
	}
	// Before anything is completed: a store that encrypts otherwise gets no object.
	if id == "" || m.opened.Encryption != "" {
		if err := confirmed(m.lane.dest, m.opened, "", false); err != nil {
			return Stored{}, err
		}
	}
	s, err := m.complete(ctx, size, file.CRC32C())
	if err == nil && s.Existed {
		m.abort(ctx) // what could not be aborted is in the log
	}
	return s, err
}

// partSizeAtRest is the least multiple of the segments that needs at most 10,000
// parts, each large enough for S3.
func partSizeAtRest(size, segment int64) int64 {
	part := segment
	for part < minPartSize || (size+part-1)/part > maxParts {
		part += segment
	}
	return part
}

// sectionCRC is the CRC32C of a section that begins and ends with segments.
func sectionCRC(file AtRest, off, length int64) uint32 {
	segment := file.SegmentSize()
	sums := file.Segments()
	first, last := off/segment, (off+length+segment-1)/segment
	if last-first == 1 {
		return sums[first]
	}
	var crc uint32
	for i, sum := range slices.All(sums[first:last]) {
		n := min(segment, off+length-(first+int64(i))*segment)
		crc = joinCRC(crc, sum, n)
	}
	return crc
}
