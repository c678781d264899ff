package uploader

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

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

	mu   sync.Mutex
	done []types.CompletedPart
}

// run owns first and every part after it. It completes the upload or aborts it.
func (m *multipart) run(ctx context.Context, first *part) (Stored, error) {
	if err := m.create(ctx); err != nil {
		first.retire()
		return Stored{}, err
	}
	err := m.sendAll(ctx, first)
	if err == nil {
		// Before anything is completed: a store that encrypts otherwise gets no object.
		err = confirmed(m.lane.dest, m.opened, "", false)
	}
	if err == nil {
		var s Stored
		if s, err = m.complete(ctx); err == nil {
			return s, nil
		}
	}
	m.abort(ctx)
	return Stored{}, err
}

// create is not cancelled with its caller: an upload that S3 opened and nobody
// heard of could not be aborted.
func (m *multipart) create(ctx context.Context) error {
	ctx, cancel := m.u.detached(ctx, createTimeout)
	defer cancel()
	in := &s3.CreateMultipartUploadInput{
		Bucket: aws.String(m.lane.dest.Bucket), Key: aws.String(m.key),
		ContentType: m.contentType(), Metadata: m.metadata, ExpectedBucketOwner: m.owner(),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c, ChecksumType: types.ChecksumTypeFullObject,
	}
	in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled = m.encryption()
	var out *s3.CreateMultipartUploadOutput
	err := m.call(ctx, "s3:CreateMultipartUpload", func(ctx context.Context) (md middleware.Metadata, err error) {
		out, err = m.lane.client.CreateMultipartUpload(ctx, in)
		if out != nil {
			md = out.ResultMetadata
		}
		return md, err
	})
	if err != nil {
		return err
	}
	m.uploadID = aws.ToString(out.UploadId)
	m.opened = m.stored(0)
	m.opened.Encryption, m.opened.KMSKeyARN = string(out.ServerSideEncryption), aws.ToString(out.SSEKMSKeyId)
	if m.lane.dest.Compatible && m.opened.Encryption == "" {
		return nil // some stores say it with the parts: sendAll looks there
	}
	if err := confirmed(m.lane.dest, m.opened, "", false); err != nil {
		m.abort(ctx)
		return err
	}
	return nil
}

// sendAll reads and sends parts until the body has ended. Reading is done by the
// caller's goroutine alone; sending by up to concurrency others.
func (m *multipart) sendAll(ctx context.Context, first *part) error {
	sending, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	group, gctx := errgroup.WithContext(sending)
	group.SetLimit(m.concurrency())
	// A part that failed must not wait for a sender that says nothing.
	unhook := context.AfterFunc(gctx, func() { m.body.Interrupt(context.Cause(gctx)) })
	defer unhook()

	readErr := m.readAll(gctx, first, func(p *part, n int32) {
		group.Go(func() error {
			defer p.retire()
			return m.sendPart(gctx, p, n)
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

func (m *multipart) sendPart(ctx context.Context, p *part, n int32) error {
	in := &s3.UploadPartInput{
		Bucket: aws.String(m.lane.dest.Bucket), Key: aws.String(m.key), UploadId: aws.String(m.uploadID),
		PartNumber: aws.Int32(n), ContentLength: aws.Int64(p.size),
		ChecksumCRC32C: aws.String(checksum(p.crc)), ExpectedBucketOwner: m.owner(),
	}
	var out *s3.UploadPartOutput
	attempts, err := m.u.call(ctx, m.lane, "s3:UploadPart", func(ctx context.Context) (md middleware.Metadata, err error) {
		in.Body = p.reader()
		out, err = m.lane.client.UploadPart(ctx, in)
		if out != nil {
			md = out.ResultMetadata
		}
		return md, err
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	m.attempts += attempts
	if err != nil {
		return err
	}
	if m.opened.Encryption == "" {
		m.opened.Encryption, m.opened.KMSKeyARN = string(out.ServerSideEncryption), aws.ToString(out.SSEKMSKeyId)
	}
	m.done = append(m.done, types.CompletedPart{
		PartNumber: aws.Int32(n), ETag: out.ETag, ChecksumCRC32C: aws.String(checksum(p.crc)),
	})
	return nil
}

// complete is not cancelled with its caller: the body has ended and was verified.
func (m *multipart) complete(ctx context.Context) (Stored, error) {
	ctx, cancel := m.u.detached(ctx, putTimeout)
	defer cancel()
	slices.SortFunc(m.done, func(a, b types.CompletedPart) int { return cmp.Compare(*a.PartNumber, *b.PartNumber) })
	in := &s3.CompleteMultipartUploadInput{
		Bucket: aws.String(m.lane.dest.Bucket), Key: aws.String(m.key), UploadId: aws.String(m.uploadID),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: m.done},
		ChecksumCRC32C:  aws.String(checksum(m.whole)), ChecksumType: types.ChecksumTypeFullObject,
		MpuObjectSize: aws.Int64(m.length), ExpectedBucketOwner: m.owner(),
	}
	var out *s3.CompleteMultipartUploadOutput
	err := m.call(ctx, "s3:CompleteMultipartUpload", func(ctx context.Context) (md middleware.Metadata, err error) {
		out, err = m.lane.client.CompleteMultipartUpload(ctx, in)
		if out != nil {
			md = out.ResultMetadata
		}
		return md, err
	})
	if err != nil {
		return Stored{}, err
	}
	s := m.stored(len(m.done))
	s.VersionID, s.ETag = aws.ToString(out.VersionId), unquote(out.ETag)
	s.ChecksumCRC32C, s.Encryption, s.KMSKeyARN = aws.ToString(out.ChecksumCRC32C), string(out.ServerSideEncryption), aws.ToString(out.SSEKMSKeyId)
	if s.Encryption == "" && m.lane.dest.Compatible {
		// Some stores report the encryption only before completion; it was compared there.
		s.Encryption, s.KMSKeyARN = m.opened.Encryption, m.opened.KMSKeyARN
	}
	if err := confirmed(m.lane.dest, s, checksum(m.whole), true); err != nil {
		return Stored{}, err
	}
	return s, nil
}

// abort has a context of its own: the usual reason for it is that the caller's is dead.
func (m *multipart) abort(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	_, err := m.u.call(ctx, m.lane, "s3:AbortMultipartUpload", func(ctx context.Context) (md middleware.Metadata, err error) {
		out, err := m.lane.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
			Bucket: aws.String(m.lane.dest.Bucket), Key: aws.String(m.key), UploadId: aws.String(m.uploadID), ExpectedBucketOwner: m.owner(),
		})
		if out != nil {
			md = out.ResultMetadata
		}
		return md, err
	})
	if err != nil {
		m.u.log.Error("an unfinished multipart upload stays in the bucket until a lifecycle rule or somebody aborts it",
			zap.String("destination", m.lane.dest.Name), zap.String("bucket", m.lane.dest.Bucket),
			zap.String("key", m.key), zap.String("multipart_upload_id", m.uploadID), zap.Error(err))
	}
}
