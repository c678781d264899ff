package uploader

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/broker"
)

// putTimeout bounds the calls that are finished without their caller. Completing
// many parts may take S3 minutes.
const putTimeout = 5 * time.Minute

// delivery is one object on its way.
type delivery struct {
	u        *Uploader
	lane     *lane
	obj      Object
	key      string
	body     Body
	metadata map[string]string

	whole    uint32 // CRC32C of all bytes read so far
	length   int64
	attempts int
}

// run reads the first part and decides: one PutObject when the body ends in it,
// a multipart upload otherwise.
func (d *delivery) run(ctx context.Context) (Stored, error) {
	p := planFor(d.partSize(), d.obj.Size, d.u.budget.Largest())
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

func (d *delivery) partSize() int64 {
	if s := int64(d.lane.dest.PartSize); s > 0 {
		return s
	}
	return defaultPartSize
}

func (d *delivery) concurrency() int {
	if c := d.lane.dest.Concurrency; c > 0 {
		return c
	}
	return defaultConcurrency
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
	before := p.size
	err = p.fill(d.body, limit, &d.whole)
	d.length += p.size - before
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
	in := &s3.PutObjectInput{
		Bucket: aws.String(d.lane.dest.Bucket), Key: aws.String(d.key),
		ContentLength: aws.Int64(p.size), ContentType: d.contentType(), Metadata: d.metadata,
		ChecksumCRC32C: aws.String(checksum(p.crc)), ExpectedBucketOwner: d.owner(),
	}
	in.ServerSideEncryption, in.SSEKMSKeyId, in.BucketKeyEnabled = d.encryption()
	var out *s3.PutObjectOutput
	err := d.call(ctx, "s3:PutObject", func(ctx context.Context) (md middleware.Metadata, err error) {
		in.Body = p.reader()
		out, err = d.lane.client.PutObject(ctx, in)
		if out != nil {
			md = out.ResultMetadata
		}
		return md, err
	})
	if err != nil {
		return Stored{}, err
	}
	s := d.stored(1)
	s.VersionID, s.ETag = aws.ToString(out.VersionId), unquote(out.ETag)
	s.ChecksumCRC32C, s.Encryption, s.KMSKeyARN = aws.ToString(out.ChecksumCRC32C), string(out.ServerSideEncryption), aws.ToString(out.SSEKMSKeyId)
	if err := confirmed(d.lane.dest, s, checksum(p.crc), true); err != nil {
		return Stored{}, err
	}
	return s, nil
}

func (d *delivery) stored(parts int) Stored {
	return Stored{
		Bucket: d.lane.dest.Bucket, Key: d.key, Size: d.length,
		Parts: parts, Attempts: d.attempts, Time: time.Now(),
	}
}

func (d *delivery) contentType() *string {
	if d.obj.ContentType == "" {
		return aws.String("application/octet-stream")
	}
	return aws.String(d.obj.ContentType)
}

func (d *delivery) owner() *string {
	if d.lane.dest.Owner == "" {
		return nil
	}
	return aws.String(d.lane.dest.Owner)
}

// encryption is always spelt out: a policy sees the headers of the request, not
// the bucket's default, and aws:kms without a key means a key that cannot be shared.
func (d *delivery) encryption() (types.ServerSideEncryption, *string, *bool) {
	if d.lane.dest.KMSKey == "" {
		return "", nil, nil
	}
	if d.lane.dest.BucketKey != nil && !*d.lane.dest.BucketKey {
		return types.ServerSideEncryptionAwsKms, aws.String(d.lane.dest.KMSKey), nil
	}
	return types.ServerSideEncryptionAwsKms, aws.String(d.lane.dest.KMSKey), aws.Bool(true)
}

// call makes one request and counts it. It signs anew, once, when the session
// was refused as expired.
func (d *delivery) call(ctx context.Context, op string, fn func(context.Context) (middleware.Metadata, error)) error {
	n, err := d.u.call(ctx, d.lane, op, fn)
	d.attempts += n
	return err
}

func (u *Uploader) call(ctx context.Context, l *lane, op string, fn func(context.Context) (middleware.Metadata, error)) (attempts int, err error) {
	destination := l.dest.Name
	used, err := l.credentials.Retrieve(ctx)
	if err != nil {
		return 0, err
	}
	md, err := fn(ctx)
	attempts = attemptsOf(md, err)
	if err == nil {
		return attempts, nil
	}
	info := awserr.Classify(err, "s3")
	if info.Class == awserr.ExpiredCredentials {
		u.sessions.Invalidate(destination, used.AccessKeyID)
		if _, rerr := u.sessions.Replaced(ctx, destination, used.AccessKeyID); rerr == nil {
			md, err = fn(ctx)
			attempts += attemptsOf(md, err)
			if err == nil {
				return attempts, nil
			}
			info = awserr.Classify(err, "s3")
		}
	}
	var noSession *broker.Error
	if errors.As(err, &noSession) {
		return attempts, noSession
	}
	if ctx.Err() != nil && info.Class == awserr.Canceled {
		return attempts, fmt.Errorf("destination %q: %s: %w", destination, op, ctx.Err())
	}
	return attempts, &Error{Destination: destination, Op: op, Reason: reasonOf(info.Class), Info: info, Err: err}
}

func attemptsOf(md middleware.Metadata, err error) int {
	if res, ok := retry.GetAttemptResults(md); ok && len(res.Results) > 0 {
		return len(res.Results)
	}
	var max *retry.MaxAttemptsError
	if errors.As(err, &max) {
		return max.Attempt
	}
	return 1
}

func unquote(etag *string) string {
	s := aws.ToString(etag)
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}
