package uploader

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/uploader/s3client"
)

const opComplete = "s3:CompleteMultipartUpload"

const abortTimeout = 30 * time.Second

// multipart is a transfer in several parts.
type multipart struct {
	*transfer
	plan     plan
	uploadID string
	created  Stored // the encryption that S3 reported before completion
	resumed  bool   // an earlier try created the upload

	mu   sync.Mutex
	done []s3client.Part
}

// run owns first and every later part. It completes the upload or aborts it. An upload
// that is left in the bucket is named by an *UnfinishedError.
func (m *multipart) run(ctx context.Context, first *part) (Stored, error) {
	if err := m.create(ctx); err != nil {
		first.free()
		return Stored{}, err
	}
	orphan := m.u.opts.Orphans.add(m.record())
	err := m.checkCreated()
	if err != nil {
		first.free()
	} else {
		err = m.sendAll(ctx, first)
	}
	if err == nil {
		// Before completion: a store that encrypts otherwise makes no object.
		err = checkResponse(m.to.cfg, m.created, "", false)
	}
	if err == nil {
		var s Stored
		if s, err = m.complete(ctx, m.length, m.whole); err == nil {
			orphan.End(!s.Existed || m.abort(ctx))
			return s, nil
		}
		if completionOpen(err) {
			orphan.leave(completionGrace)
			return Stored{}, m.left(err, true)
		}
	}
	gone := m.abort(ctx)
	orphan.End(gone)
	if !gone {
		err = m.left(err, false)
	}
	return Stored{}, err
}

func (m *multipart) left(err error, completing bool) error {
	return &UnfinishedError{
		Err: err, Owner: m.to.cfg.Owner, Bucket: m.to.cfg.Bucket, Key: m.obj.Key, UploadID: m.uploadID, Completing: completing,
	}
}

// completionGrace is how long S3 may take to complete an upload after the response to
// the completion was lost.
const completionGrace = 20 * time.Minute

// completionOpen reports whether S3 may still complete the upload: no response came, or
// one from a proxy. An abort would then destroy an object that S3 is making.
func completionOpen(err error) bool {
	var failed *Error
	if !errors.As(err, &failed) {
		return errors.Is(err, context.Canceled) // the daemon stops
	}
	switch failed.Info.Class {
	case awserr.Network:
		return true
	case awserr.Transient:
		return failed.Info.HTTPStatus == http.StatusBadGateway || failed.Info.HTTPStatus == http.StatusGatewayTimeout
	}
	return false
}

func (m *multipart) record() orphanRecord {
	return orphanRecord{Destination: m.to.cfg.Name, Bucket: m.to.cfg.Bucket, Key: m.obj.Key, UploadID: m.uploadID}
}

// discard aborts an upload that has no other record. The sweeper aborts it when that
// fails.
func (m *multipart) discard(ctx context.Context) {
	if !m.abort(ctx) {
		m.u.opts.Orphans.add(m.record()).End(false)
	}
}

// create is not canceled with its caller: an upload whose creation was not reported
// could not be aborted.
func (m *multipart) create(ctx context.Context) error {
	ctx, cancel := m.u.detached(ctx)
	defer cancel()
	var out s3client.Created
	err := m.call(ctx, "s3:CreateMultipartUpload", func(ctx context.Context) (err error) {
		out, err = m.to.client.CreateMultipartUpload(ctx, m.to.object(m.obj))
		return err
	})
	if err != nil {
		return err
	}
	m.uploadID = out.UploadID
	m.created = m.stored(0, 0)
	m.created.Encryption, m.created.KMSKeyARN = out.Encryption, out.KMSKey
	return nil
}

// checkCreated compares the response to the creation. Some compatible stores report
// the encryption only with the parts; then it is compared before completion.
func (m *multipart) checkCreated() error {
	if m.to.cfg.Compatible && m.created.Encryption == "" {
		return nil
	}
	return checkResponse(m.to.cfg, m.created, "", false)
}

// sendAll reads and sends parts until the body has ended. The caller's goroutine
// reads; up to concurrency others send.
func (m *multipart) sendAll(ctx context.Context, first *part) error {
	sending, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	group, gctx := errgroup.WithContext(sending)
	group.SetLimit(m.to.concurrency())
	// After a part has failed, do not wait for a sender that sends no byte.
	unhook := context.AfterFunc(gctx, func() { m.body.Interrupt(context.Cause(gctx)) })
	defer unhook()

	readErr := m.readAll(gctx, first, func(p *part, n int32) {
		group.Go(func() error {
			defer p.free()
			_, err := m.sendPart(gctx, func() io.Reader { return p.reader() }, n, p.size, p.crc)
			return err
		})
	})
	if readErr == nil {
		return group.Wait()
	}
	if gctx.Err() != nil && ctx.Err() == nil {
		return group.Wait() // a failed part has stopped the reading
	}
	stop(readErr)
	_ = group.Wait() // readErr counts; the parts are aborted
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

// readPart returns the next part, or nil when the body had already ended.
func (m *multipart) readPart(ctx context.Context, n int32) (*part, bool, error) {
	if n > maxParts {
		return nil, false, m.tooLarge(m.plan)
	}
	size := m.plan.part(n)
	loan, err := m.u.budget.reserve(ctx, m.obj.Party, size, m.body)
	if err != nil {
		return nil, false, err
	}
	p := &part{budget: m.u.budget, loan: loan}
	end, err := m.read(p, size)
	loan.Full()
	if err != nil || p.size == 0 {
		p.free()
		return nil, end, err
	}
	return p, end, nil
}

// sendPart sends one part and records that S3 has it.
func (m *multipart) sendPart(ctx context.Context, open func() io.Reader, n int32, size int64, crc uint32) (s3client.Part, error) {
	src := m.to.source(ctx, open)
	var out s3client.Written
	attempts, err := m.u.call(ctx, m.to, "s3:UploadPart", func(ctx context.Context) (err error) {
		out, err = m.to.client.UploadPart(ctx, m.obj.Key, m.uploadID, n, src.payload(size, crc))
		return src.cause(err)
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	m.attempts += attempts
	if err != nil {
		return s3client.Part{}, err
	}
	if m.created.Encryption == "" {
		m.created.Encryption, m.created.KMSKeyARN = out.Encryption, out.KMSKey
	}
	p := s3client.Part{Number: n, ETag: out.ETag, CRC32C: crc}
	m.done = append(m.done, p)
	return p, nil
}

// complete is not canceled with its caller: the body has ended and was verified.
func (m *multipart) complete(ctx context.Context, length int64, whole uint32) (Stored, error) {
	ctx, cancel := m.u.detached(ctx)
	defer cancel()
	slices.SortFunc(m.done, func(a, b s3client.Part) int { return cmp.Compare(a.Number, b.Number) })
	var out s3client.Written
	finish := func(ctx context.Context) (err error) {
		out, err = m.to.client.CompleteMultipartUpload(ctx, s3client.Completion{
			Key: m.obj.Key, UploadID: m.uploadID, Parts: m.done, Size: length, CRC32C: whole, IfNoneMatch: m.to.condition(),
		})
		return err
	}
	err := m.call(ctx, opComplete, finish)
	if err != nil && m.u.dropCondition(m.to, err) {
		err = m.call(ctx, opComplete, finish)
	}
	if existed, s := m.existed(err, length, len(m.done)); existed {
		return s, nil
	}
	if err != nil {
		return Stored{}, err
	}
	s := m.stored(length, len(m.done)).with(out)
	if s.Encryption == "" && m.to.cfg.Compatible {
		// Some stores report the encryption only before completion, where it was compared.
		s.Encryption, s.KMSKeyARN = m.created.Encryption, m.created.KMSKeyARN
	}
	if err := checkResponse(m.to.cfg, s, checksum(whole), true); err != nil {
		return Stored{}, err
	}
	return s, nil
}

// abort has a context of its own, because the caller's has usually ended. It reports
// whether the upload is gone.
func (m *multipart) abort(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	err := m.u.abort(ctx, m.to, m.obj.Key, m.uploadID)
	if err != nil {
		m.u.log.Error("an unfinished multipart upload could not be aborted",
			zap.String("destination", m.to.cfg.Name), zap.String("bucket", m.to.cfg.Bucket),
			zap.String("key", m.obj.Key), zap.String("multipart_upload_id", m.uploadID), zap.Error(err))
	}
	return err == nil
}

// abort returns nil also when there is no such upload.
func (u *Uploader) abort(ctx context.Context, to *destination, key, uploadID string) error {
	_, err := u.call(ctx, to, "s3:AbortMultipartUpload", func(ctx context.Context) error {
		return to.client.AbortMultipartUpload(ctx, key, uploadID)
	})
	if refusedAs(err, awserr.NoSuchUpload) {
		return nil
	}
	return err
}
