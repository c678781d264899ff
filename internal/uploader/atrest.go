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

// restarts is how often one try starts a new multipart upload.
const restarts = 2

// maxPut is the largest object that one request may write, in bytes.
const maxPut = 5 << 30

// journalError is a failure to record the state of a delivery on disk.
type journalError struct{ err error }

func (e *journalError) Error() string { return "recording the state of the delivery: " + e.err.Error() }
func (e *journalError) Unwrap() error { return e.err }

// PutAtRest delivers an object from disk. It takes no body memory: parts are read as
// they are sent. It resumes an interrupted multipart upload, and sends only the parts
// that S3 does not have. The errors are those of Put; FailureOf returns what happens
// to the object. When ctx ends, the upload stays open for the next try.
func (u *Uploader) PutAtRest(ctx context.Context, destination string, obj Object, file AtRest) (Stored, error) {
	to, err := u.destination(destination)
	if err != nil {
		return Stored{}, err
	}
	if !to.owns(obj.Key) {
		return Stored{}, &foreignKeyError{obj.Key, to.cfg.KeyTemplate.Prefix()}
	}
	t := &transfer{u: u, to: to, obj: obj}
	size := file.Size()
	whole := func() (Stored, error) {
		return t.putWhole(ctx, func() io.Reader { return file.Section(0, size) }, size, file.CRC32C())
	}
	if id, _ := file.UploadID(); id == "" && size <= to.partSize() {
		return whole()
	}
	for n := 0; ; n++ {
		m := &multipart{transfer: t}
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
		// Usually the disk is full, and delivering this object makes room. A single
		// request has no state to record.
		u.log.Warn("the state of a multipart upload cannot be recorded; the object is sent in one request",
			zap.String("destination", destination), zap.String("upload_id", obj.ID), zap.Error(err))
		return whole()
	}
}

// outdated reports whether a new multipart upload can succeed where this one failed.
// S3 may not know the upload any more: a lifecycle rule aborted it, or an earlier
// completion succeeded and its response was lost, which the new upload finds out. Or
// another write was in flight, or the recorded parts do not make the object.
func (m *multipart) outdated(err error) bool {
	if refusedAs(err, awserr.NoSuchUpload) || refusedAs(err, awserr.Conflict) {
		return true
	}
	if !m.resumed {
		return false
	}
	var mismatch *MismatchError
	if errors.As(err, &mismatch) {
		return !mismatch.Stored // created under another key than the configured one
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

// Abandon aborts the multipart upload of an object that will not be delivered.
func (u *Uploader) Abandon(ctx context.Context, destination, key string, file AtRest) error {
	id, _ := file.UploadID()
	if id == "" {
		return nil
	}
	to, err := u.destination(destination)
	if err != nil {
		return err
	}
	if err := u.abort(ctx, to, key, id); err != nil {
		return err
	}
	return file.ForgetUpload()
}

// unfinished aborts the upload of an object that can never be delivered. After every
// other failure the upload stays open for the next try.
func (m *multipart) unfinished(ctx context.Context, file AtRest, err error) error {
	if FailureOf(err).Disposition == awserr.Dead && m.uploadID != "" && m.abort(ctx) {
		if ferr := file.ForgetUpload(); ferr != nil {
			return fmt.Errorf("%w; its multipart upload was aborted, and removing the record of it failed: %w", err, ferr)
		}
	}
	return err
}

// fromRest creates or resumes the multipart upload, sends the missing parts and
// completes it.
func (m *multipart) fromRest(ctx context.Context, file AtRest) (Stored, error) {
	size := file.Size()
	id, partSize := file.UploadID()
	if id == "" {
		partSize = partSizeAtRest(size, file.SegmentSize())
		if err := m.begin(ctx, file, partSize); err != nil {
			return Stored{}, err
		}
	}
	sent := make(map[int32]bool)
	if id != "" {
		m.uploadID, m.created, m.resumed = id, m.stored(0, 0), true
		file.EachPart(func(number int32, etag string, crc uint32) {
			if !sent[number] {
				sent[number] = true
				m.done = append(m.done, s3client.Part{Number: number, ETag: etag, CRC32C: crc})
			}
		})
	}
	if err := m.sendSections(ctx, file, partSize, sent); err != nil {
		return Stored{}, err
	}
	// Before completion: a store that encrypts otherwise makes no object.
	if id == "" || m.created.Encryption != "" {
		if err := checkResponse(m.to.cfg, m.created, "", false); err != nil {
			return Stored{}, err
		}
	}
	s, err := m.complete(ctx, size, file.CRC32C())
	if err == nil && s.Existed {
		m.discard(ctx)
	}
	return s, err
}

// begin creates the upload and records it before the first part: an upload without a
// record would never be aborted.
func (m *multipart) begin(ctx context.Context, file AtRest, partSize int64) error {
	if err := m.create(ctx); err != nil {
		return err
	}
	if err := file.BeginUpload(m.uploadID, partSize); err != nil {
		m.discard(ctx)
		return &journalError{err}
	}
	return m.checkCreated()
}

// sendSections sends the parts that are not in sent.
func (m *multipart) sendSections(ctx context.Context, file AtRest, partSize int64, sent map[int32]bool) error {
	size := file.Size()
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(m.to.concurrency())
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
				// The next try, if there is one, sends this part again.
				m.u.log.Warn(
					"a part that was sent cannot be recorded",
					zap.String("destination", m.to.cfg.Name),
					zap.String("upload_id", m.obj.ID),
					zap.Error(err),
				)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// partSizeAtRest returns the smallest multiple of the segments that is large enough
// for S3 and makes at most 10,000 parts.
func partSizeAtRest(size, segment int64) int64 {
	part := segment
	for part < minPartSize || (size+part-1)/part > maxParts {
		part += segment
	}
	return part
}

// sectionCRC returns the CRC32C of a section that begins and ends with segments.
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
