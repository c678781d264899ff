package uploader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/uploader/s3client"
)

// restarts is how often an upload in parts is begun anew within one try.
const restarts = 2

// maxPut is the largest object that one request may write, in bytes.
const maxPut = 5 << 30

// journalError is a failure to write down what a delivery has begun.
type journalError struct{ err error }

func (e *journalError) Error() string { return "writing the delivery down: " + e.err.Error() }
func (e *journalError) Unwrap() error { return e.err }

// PutAtRest delivers an object from disk. It takes no body memory: parts are read
// as they are sent. What S3 has of an interrupted try is not sent again. Errors
// are those of Put; FailureOf returns what they mean for the object. When ctx ends, the
// upload in parts stays open, to go on from there.
func (u *Uploader) PutAtRest(ctx context.Context, destination string, obj Object, file AtRest) (Stored, error) {
	l, err := u.lane(destination)
	if err != nil {
		return Stored{}, err
	}
	d := &delivery{u: u, lane: l, obj: obj}
	size := file.Size()
	whole := func() (Stored, error) {
		return d.putWhole(ctx, func() io.Reader { return file.Section(0, size) }, size, file.CRC32C())
	}
	if id, _ := file.UploadID(); id == "" && size <= l.partSize() {
		return whole()
	}
	for n := 0; ; n++ {
		m := &multipart{delivery: d}
		s, err := m.fromRest(ctx, file)
		if err == nil {
			return s, nil
		}
		if n < restarts && m.outdated(err) {
			if !refusedAs(err, awserr.NoSuchUpload) && !m.abort(ctx) {
				return Stored{}, err
			}
			if ferr := file.ForgetUpload(); ferr == nil {
				continue
			} else {
				err = &journalError{ferr}
			}
		}
		var unwritten *journalError
		if !errors.As(err, &unwritten) {
			return Stored{}, m.unfinished(ctx, file, err)
		}
		if size > maxPut {
			return Stored{}, err
		}
		// A full disk, as a rule: what makes room is that this object leaves it. One
		// request has nothing to be written down.
		u.log.Warn("an upload in parts cannot be written down; the object is sent in one request", zap.String("destination", destination), zap.String("upload_id", obj.ID), zap.Error(err))
		return whole()
	}
}

// outdated says whether an upload failed because of what was begun for it, so
// that a new one can succeed: S3 does not know it any more (a lifecycle rule
// ended it, or an earlier completion whose answer was lost had succeeded, which
// the next one finds out), another write was under way, or what an earlier try
// left does not make the object.
func (m *multipart) outdated(err error) bool {
	if refusedAs(err, awserr.NoSuchUpload) || refusedAs(err, awserr.Conflict) {
		return true
	}
	if !m.resumed {
		return false
	}
	var mismatch *MismatchError
	if errors.As(err, &mismatch) {
		return !mismatch.Stored // begun under another key than is configured now
	}
	var refused *Error
	if !errors.As(err, &refused) || refused.Op != opComplete {
		return false
	}
	switch refused.Info.Code {
	case "InvalidPart", "InvalidPartOrder", "EntityTooSmall":
		return true
	}
	return refused.Info.Class == awserr.Integrity
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
	if FailureOf(err).Disposition == awserr.Dead && m.uploadID != "" && m.abort(ctx) {
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
			m.discard(ctx)
			return Stored{}, &journalError{err}
		}
		if err := m.verifyOpened(); err != nil {
			return Stored{}, err
		}
	} else {
		m.uploadID, m.opened, m.resumed = id, m.stored(0, 0), true
		file.EachPart(func(number int32, etag string, crc uint32) {
			if !sent[number] {
				sent[number] = true
				m.done = append(m.done, s3client.Part{Number: number, ETag: etag, CRC32C: crc})
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
				// It costs sending this part again, if there is a next try.
				m.u.log.Warn("a part that was sent cannot be written down", zap.String("destination", m.lane.dest.Name), zap.String("upload_id", m.obj.ID), zap.Error(err))
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
		m.discard(ctx)
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
