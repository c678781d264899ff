// Command caller is an application that uploads its objects through brokerd.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/brokerd/brokerd/bench/load"
	"github.com/brokerd/brokerd/client"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "caller:", err)
		os.Exit(1)
	}
}

func run() error {
	var job load.Job
	job.Flags(flag.CommandLine)
	socket := flag.String("socket", "", "brokerd's socket")
	destination := flag.String("destination", "bench", "the `name` of the destination")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c, err := client.Dial(*socket, client.WithUserAgent("brokerd-bench"))
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // all objects are confirmed by then
	return job.Run(ctx, func(ctx context.Context, o load.Object) error {
		switch job.Body {
		case load.File:
			_, err := c.UploadFile(ctx, *destination, o.Name, o.Path)
			return err
		case load.Memory:
			_, err := c.Upload(ctx, *destination, o.Name, o.Body, client.WithSize(o.Size))
			return err
		default: // a stream of unknown length
			_, err := c.Upload(ctx, *destination, o.Name, o.Body)
			return err
		}
	}, os.Stdout)
}
