package kit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/testbed"
)

// partSize is the smallest part of a multipart upload that brokerd sends.
const partSize = 8 << 20

// sizes are those around every boundary. Reading them back is what egress costs.
func sizes() []int { return []int{0, 1, 16 << 10, partSize, partSize + 1, 17 << 20} }

// The ways in which the application gives an object.
const (
	whole    = "of a known length"
	streamed = "of a stream"
)

func deliveryName(size int, way string) string {
	return fmt.Sprintf("delivery: %d bytes %s", size, way)
}

// deliveries sends objects through the daemon and reads them back as account B.
func (a *Accounts) deliveries(ctx context.Context, w *testbed.World, names map[string]string, tell func(Observation)) (err error) {
	stop, err := a.daemon(ctx, w.ConfigPath)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if _, _, err := a.brokerctl(ctx, "wait", "--timeout", "2m", "--socket", w.SocketPath); err != nil {
		return err
	}
	c, err := client.Dial(w.SocketPath)
	if err != nil {
		return fmt.Errorf("connecting to brokerd: %w", err)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	for _, size := range sizes() {
		data := make([]byte, size)
		_, _ = rand.NewChaCha8([32]byte{byte(size), 5}).Read(data)
		for _, way := range []string{whole, streamed} {
			var body io.Reader = bytes.NewReader(data)
			if way == streamed {
				body = struct{ io.Reader }{body}
			}
			facts := delivered(ctx, c, w, body, data, names)
			tell(Observation{Part: "delivery", Name: strings.TrimPrefix(deliveryName(size, way), "delivery: "), Facts: facts})
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
	}
	uploads, err := w.S3.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: aws.String(w.Bucket)})
	if err != nil {
		return fmt.Errorf("listing the uploads: %w", err)
	}
	tell(Observation{Part: "delivery", Name: "uploads that are left", Facts: map[string]string{"number": strconv.Itoa(len(uploads.Uploads))}})
	return nil
}

// delivered sends one object and reads it back.
func delivered(ctx context.Context, c *client.Client, w *testbed.World, body io.Reader, data []byte,
	names map[string]string) map[string]string {
	res, err := c.Upload(ctx, destination, "app.log", body)
	if err != nil {
		return map[string]string{"error": hidden(err.Error(), names)}
	}
	facts := map[string]string{
		"state": string(res.State), "size": strconv.FormatInt(res.Size, 10), "parts": strconv.Itoa(res.Parts),
		"encryption": res.ServerSideEncryption, "key": hidden(res.KMSKeyARN, names), "bytes": "the same",
	}
	got, err := w.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(w.Bucket), Key: aws.String(res.Key)})
	if err != nil {
		facts["bytes"] = hidden(err.Error(), names)
		return facts
	}
	stored, err := io.ReadAll(got.Body)
	if err = errors.Join(err, got.Body.Close()); err != nil || !bytes.Equal(stored, data) {
		facts["bytes"] = fmt.Sprintf("%d other bytes, %v", len(stored), err)
	}
	return facts
}
