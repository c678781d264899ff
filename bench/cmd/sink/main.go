// Command sink is an S3 endpoint for benchmarks; it discards the objects.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/brokerd/brokerd/bench/sink"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "sink:", err)
		os.Exit(1)
	}
}

// run prints the sink's URL when it listens, and serves until a signal stops it.
func run() error {
	var o sink.Options
	addr := flag.String("addr", "127.0.0.1:0", "`IP:port` to listen on")
	ca := flag.String("ca", "", "`file` to write the certificate authority to, in PEM form")
	flag.DurationVar(&o.Delay, "delay", 0, "how much later each answer comes")
	flag.Int64Var(&o.Rate, "rate", 0, "bytes a second of one connection; 0: no limit")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	s, err := sink.Listen(*addr, o)
	if err != nil {
		return err
	}
	if *ca != "" {
		if err := os.WriteFile(*ca, s.CA, 0o600); err != nil {
			return err
		}
	}
	fmt.Println(s.URL)
	return s.Run(ctx)
}
