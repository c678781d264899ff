package uploader

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/uploader/s3client"
)

const opComplete = "s3:CompleteMultipartUpload"

const (
	createTimeout = time.Minute
	abortTimeout  = 30 * time.Second
)

// multipart is a delivery in several parts.
type multipart struct {
	*delivery
	plan     plan
	uploadID string
	opened   Stored // what S3 said of the encryption before completion
	resumed  bool   // an earlier try began it

	mu   sync.Mutex
	done []s3client.Part
}

// run owns first and every part after it. It completes the upload or aborts it.
func (m *multipart) run(ctx context.Context, first *part) (Stored, error) {
	if err := m.create(ctx); err != nil {
		first.retire()
		return Stored{}, err
	}
	ended := m.u.opts.Leftovers.remember(m.leftover())
	err := m.verifyOpened()
	if err != nil {
		first.retire()
	} else {
		err = m.sendAll(ctx, first)
	}
	if err == nil {
		// Before anything is completed: a store that encrypts otherwise gets no object.
		err = confirmed(m.lane.dest, m.opened, "", false)
	}
	if err == nil {
		var s Stored
		if s, err = m.complete(ctx, m.length, m.whole); err == nil {
			ended(!s.Existed || m.abort(ctx))
			return s, nil
		}
	}
	ended(m.abort(ctx))
	return Stored{}, err
}

func (m *multipart) leftover() leftover {
	return leftover{Destination: m.lane.dest.Name, Bucket: m.lane.dest.Bucket, Key: m.obj.Key, UploadID: m.uploadID}
}

// discard aborts an upload that nothing else will remember.
func (m *multipart) discard(ctx context.Context) {
	if !m.abort(ctx) {
		m.u.opts.Leftovers.remember(m.leftover())(false)
	}
}

// create is not cancelled with its caller: an upload that S3 opened and nobody
// heard of could not be aborted.
func (m *multipart) create(ctx context.Context) error {
	ctx, cancel := m.u.detached(ctx, createTimeout)
	defer cancel()
	var out s3client.Created
	err := m.call(ctx, "s3:CreateMultipartUpload", func(ctx context.Context) (err error) {
		out, err = m.lane.client.CreateMultipartUpload(ctx, m.lane.object(m.obj))
		return err
	})
	if err != nil {
		return err
	}
	m.uploadID = out.UploadID
	m.opened = m.stored(0, 0)
	m.opened.Encryption, m.opened.KMSKeyARN = out.Encryption, out.KMSKey
	return nil
}

// verifyOpened compares what S3 said when it opened the upload. Some compatible
// stores say it only with the parts: then there is nothing to compare yet.
func (m *multipart) verifyOpened() error {
	if m.lane.dest.Compatible && m.opened.Encryption == "" {
		return nil
	}
	return confirmed(m.lane.dest, m.opened, "", false)
}

// sendAll reads and sends parts until the body has ended. Reading is done by the
// caller's goroutine alone; sending by up to concurrency others.
func (m *multipart) sendAll(ctx context.Context, first *part) error {
	sending, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	group, gctx := errgroup.WithContext(sending)
	group.SetLimit(m.lane.concurrency())
	// A part that failed must not wait for a sender that says nothing.
	unhook := context.AfterFunc(gctx, func() { m.body.Interrupt(context.Cause(gctx)) })
	defer unhook()

	readErr := m.readAll(gctx, first, func(p *part, n int32) {
		group.Go(func() error {
			defer p.retire()
			_, err := m.sendPart(gctx, func() io.Reader { return p.reader() }, n, p.size, p.crc)
			return err
		})
	})
	if readErr == nil {
		return group.Wait()
	}
	if gctx.Err() != nil && ctx.Err() == nil {
		return group.Wait() // the failure of a part is what stopped the reading
	}
	stop(readErr)
	_ = group.Wait() // parts of an object that will not be
	return readErr
}

func (m *multipart) readAll(ctx context.Context, first *part, send func(*part, int32)) error {
	send(first, 1)
	for n := int32(2); ; n++ {
		p, end, err := m.readPart(ctx, n)
		if err != nil {
			return err
		}
		if p != nil {
			send(p, n)
		}
		if end {
			return nil
		}
	}
}

// readPart returns the next part, nil when the body had already ended.
func (m *multipart) readPart(ctx context.Context, n int32) (*part, bool, error) {
	if n > maxParts {
		return nil, false, fmt.Errorf("destination %q: the object needs more than %d parts; state its size or raise part_size", m.lane.dest.Name, maxParts)
	}
	size := m.plan.part(n)
	if err := m.u.budget.reserve(ctx, size); err != nil {
		return nil, false, err
	}
	p := &part{budget: m.u.budget, reserved: size}
	end, err := m.read(p, size)
	if err != nil || p.size == 0 {
		p.retire()
		return nil, end, err
	}
	return p, end, nil
}

// sendPart sends one part and notes that S3 has it.
func (m *multipart) sendPart(ctx context.Context, open func() io.Reader, n int32, size int64, crc uint32) (s3client.Part, error) {
	payload, read := m.lane.payload(ctx, open, size, crc)
	var out s3client.Written
	attempts, err := m.u.call(ctx, m.lane, "s3:UploadPart", func(ctx context.Context) (err error) {
		out, err = m.lane.client.UploadPart(ctx, m.obj.Key, m.uploadID, n, payload)
		return read(err)
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	m.attempts += attempts
	if err != nil {
		return s3client.Part{}, err
	}
	if m.opened.Encryption == "" {
		m.opened.Encryption, m.opened.KMSKeyARN = out.Encryption, out.KMSKey
	}
	p := s3client.Part{Number: n, ETag: out.ETag, CRC32C: crc}
	m.done = append(m.done, p)
	return p, nil
}

// complete is not cancelled with its caller: the body has ended and was verified.
func (m *multipart) complete(ctx context.Context, length int64, whole uint32) (Stored, error) {
	ctx, cancel := m.u.detached(ctx, putTimeout)
	defer cancel()
	slices.SortFunc(m.done, func(a, b s3client.Part) int { return cmp.Compare(a.Number, b.Number) })
	var out s3client.Written
	finish := func(ctx context.Context) (err error) {
		out, err = m.lane.client.CompleteMultipartUpload(ctx, s3client.Completion{
			Key: m.obj.Key, UploadID: m.uploadID, Parts: m.done, Size: length, CRC32C: whole, IfNoneMatch: m.lane.condition(),
		})
		return err
	}
	err := m.call(ctx, opComplete, finish)
	if err != nil && m.u.tryWithoutCondition(m.lane, err) {
		err = m.call(ctx, opComplete, finish)
	}
	if existed, s := m.existed(err, length, len(m.done)); existed {
		return s, nil
	}
	if err != nil {
		return Stored{}, err
	}
	s := m.stored(length, len(m.done)).with(out)
	if s.Encryption == "" && m.lane.dest.Compatible {
		// Some stores report the encryption only before completion; it was compared there.
		s.Encryption, s.KMSKeyARN = m.opened.Encryption, m.opened.KMSKeyARN
	}
	if err := confirmed(m.lane.dest, s, checksum(whole), true); err != nil {
		return Stored{}, err
	}
	return s, nil
}

// abort has a context of its own: the usual reason for it is that the caller's is
// dead. It reports whether the upload is gone.
func (m *multipart) abort(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	err := m.u.abort(ctx, m.lane, m.obj.Key, m.uploadID)
	if err != nil {
		m.u.log.Error("an unfinished multipart upload could not be aborted",
			zap.String("destination", m.lane.dest.Name), zap.String("bucket", m.lane.dest.Bucket),
			zap.String("key", m.obj.Key), zap.String("multipart_upload_id", m.uploadID), zap.Error(err))
	}
	return err == nil
}

// abort returns nil when there is no such upload any more.
func (u *Uploader) abort(ctx context.Context, l *lane, key, uploadID string) error {
	_, err := u.call(ctx, l, "s3:AbortMultipartUpload", func(ctx context.Context) error {
		return l.client.AbortMultipartUpload(ctx, key, uploadID)
	})
	if refusedAs(err, awserr.NoSuchUpload) {
		return nil
	}
	return err
}
