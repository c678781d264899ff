// Command peers is an application that sends its objects to S3 directly, with one of
// AWS's upload APIs for Go.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/brokerd/brokerd/bench/load"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run() error {
	var job load.Job
	job.Flags(flag.CommandLine)
	var s store
	way := flag.String("way", "sdk", "sdk, manager or transfermanager")
	flag.StringVar(&s.endpoint, "endpoint", "", "`URL` of S3")
	flag.StringVar(&s.ca, "ca", "", "`file` with the authority to trust, in PEM form")
	flag.StringVar(&s.region, "region", "eu-west-1", "the bucket's Region")
	flag.StringVar(&s.bucket, "bucket", "bench", "`name` of the bucket")
	flag.StringVar(&s.owner, "owner", "", "the `account` that owns the bucket")
	flag.StringVar(&s.key, "kms-key", "", "`ARN` of the key to encrypt under")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	client, err := s.client(ctx, job.InFlight)
	if err != nil {
		return err
	}
	put, err := s.way(*way, client)
	if err != nil {
		return err
	}
	return job.Run(ctx, put, os.Stdout)
}
