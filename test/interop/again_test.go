//go:build interop

package interop

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/oklog/ulid/v2"

	"github.com/brokerd/brokerd/client"
)

// A second try, on servers of others, meets an object that is there already, and an
// upload in parts that a kill left behind.

var servers = map[string]func(*testing.T) *server{"MinIO": startMinIO, "versitygw": startVersityGW}

// serve starts brokerd and returns when it answers.
func serve(t *testing.T, config, socket string) *exec.Cmd {
	t.Helper()
	cmd := run(t, nil, filepath.Join(binaries, "brokerd"), "serve", "--config", config)
	if out, err := brokerctl(t, nil, socket, "wait", "--timeout", "20s"); err != nil {
		t.Fatalf("brokerctl wait: %v\n%s", err, out)
	}
	return cmd
}

func killed(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}

func dialed(t *testing.T, socket string) *client.Client {
	t.Helper()
	c, err := client.Dial(socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// holdsOnce wants one object, these bytes, and nothing begun.
func (s *server) holdsOnce(t *testing.T, data []byte) {
	t.Helper()
	list, err := s.s3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
	if err != nil || len(list.Contents) != 1 {
		t.Fatalf("%d objects, %v", len(list.Contents), err)
	}
	got, err := s.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: list.Contents[0].Key})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	stored, err := io.ReadAll(got.Body)
	if err != nil || !bytes.Equal(stored, data) {
		t.Errorf("the object differs: %d bytes of %d, %v", len(stored), len(data), err)
	}
	s.noUploadsLeft(t)
}

// The same upload after a restart: the key is taken, and that is success.
func TestTheSameUploadAfterARestartIsOneObject(t *testing.T) {
	for name, start := range servers {
		for kind, size := range map[string]int{"in one request": 1000, "in parts": 12 << 20} {
			t.Run(name+", "+kind, func(t *testing.T) {
				s := start(t)
				versioned := false
				if name == "MinIO" {
					_, err := s.s3.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: aws.String(bucket),
						VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
					if err != nil {
						t.Fatal(err)
					}
					versioned = true
				}
				config, socket := s.config(t, "")
				c := dialed(t, socket)
				data := make([]byte, size)
				_, _ = rand.NewChaCha8([32]byte{byte(size), 5}).Read(data)
				key := ulid.Make().String()
				for n := range 2 {
					p := serve(t, config, socket)
					res, err := c.Upload(t.Context(), "logs", "again.log", bytes.NewReader(data), client.WithIdempotencyKey(key))
					if err != nil || res.State != client.Stored || res.Existed != (n == 1) {
						t.Fatalf("try %d: %+v, %v", n+1, res, err)
					}
					killed(t, p)
				}
				s.holdsOnce(t, data)
				if versioned {
					v, err := s.s3.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String(bucket)})
					if err != nil || len(v.Versions) != 1 {
						t.Errorf("%d versions, %v", len(v.Versions), err)
					}
				}
			})
		}
	}
}

// A spooled object is on its way in parts when the daemon is killed: it goes on
// with the parts that the server has.
func TestAnUploadInPartsGoesOnAfterAKill(t *testing.T) {
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			config, socket := s.config(t, "    durability: spool\n    part_size: 5MiB\n    concurrency: 1\n    rate: 12MiB")
			spool := filepath.Join(filepath.Dir(config), "spool")
			text, err := os.ReadFile(config)
			if err != nil {
				t.Fatal(err)
			}
			text = append(text, fmt.Sprintf("spool: {dir: %s, min_free: 0, allow_volatile: true}\n", spool)...)
			if err := os.WriteFile(config, text, 0o600); err != nil {
				t.Fatal(err)
			}
			p := serve(t, config, socket)
			c := dialed(t, socket)
			data := make([]byte, 27<<20)
			_, _ = rand.NewChaCha8([32]byte{27}).Read(data)
			res, err := c.Upload(t.Context(), "logs", "parts.log", bytes.NewReader(data))
			if err != nil || res.State != client.Spooled {
				t.Fatalf("%+v, %v", res, err)
			}
			journal := filepath.Join(spool, "queue", res.UploadID+".mpu")
			begun := s.awaitParts(t, journal)
			killed(t, p)
			serve(t, config, socket)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			stored, err := c.Wait(ctx, res.UploadID)
			if err != nil || stored.Size != int64(len(data)) {
				t.Fatalf("%+v, %v", stored, err)
			}
			// Create, the parts that were missing, and Complete.
			if stored.Parts != 6 || stored.Attempts > 8-begun {
				t.Errorf("%d parts, %d requests after the kill, %d parts were there", stored.Parts, stored.Attempts, begun)
			}
			s.holdsOnce(t, data)
		})
	}
}

// awaitParts waits until two parts are written down, and says how many are.
func (s *server) awaitParts(t *testing.T, journal string) int {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		text, _ := os.ReadFile(journal)
		if n := strings.Count(string(text), `"part":`); n >= 2 {
			return n
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("no parts are written down: %s", text)
		}
	}
}
