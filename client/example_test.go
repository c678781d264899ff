package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/brokerd/brokerd/client"
)

func ExampleClient_Upload() {
	c, err := client.Dial("")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	res, err := c.Upload(context.Background(), "audit-logs", "report.csv", strings.NewReader("a,b\n1,2\n"))
	if err != nil {
		log.Fatal(err, "; may be stored: ", client.MayBeStored(err))
	}
	fmt.Println(res.State, res.Bucket, res.Key)
}

// A spooled object is stored later: Wait for it where that matters.
func ExampleClient_Wait() {
	c, err := client.Dial("")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	res, err := c.UploadFile(ctx, "audit-logs", "dump.sql", "/var/backups/dump.sql")
	if err == nil && res.State == client.Spooled {
		res, err = c.Wait(ctx, res.UploadID)
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.VersionID)
}

// A Writer stands where a rotated log file would.
func ExampleClient_NewWriter() {
	c, err := client.Dial("")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	name := func(begun time.Time, seq uint64) string {
		return fmt.Sprintf("app/%s-%d-%d.jsonl", begun.UTC().Format("20060102T150405"), os.Getpid(), seq)
	}
	w := c.NewWriter(context.Background(), "audit-logs", name, client.WithRotateEvery(time.Minute), client.WithRotateSize(4<<20))
	slog.New(slog.NewJSONHandler(w, nil)).Info("started")
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
}

// A program that is restarted repeats an upload under the key that it has written down.
func ExampleWithIdempotencyKey() {
	c, err := client.Dial("")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, err = c.UploadFile(context.Background(), "audit-logs", "day-1.log.gz", "/var/log/day-1.log.gz",
		client.WithIdempotencyKey("day-1.log.gz"), client.WithContentEncoding("gzip"), client.WithContentType("text/plain"))
	if err != nil {
		log.Fatal(err)
	}
}

// An error says whether to try later, and whether the object may exist.
func ExampleError() {
	c, err := client.Dial("")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, err = c.Upload(context.Background(), "audit-logs", "report.csv", strings.NewReader("a,b\n"), client.WithRetry(0))
	var e *client.Error
	if errors.As(err, &e) {
		fmt.Println(e.Reason, e.Temporary(), e.RetryAfter, e.MayBeStored)
	}
}
