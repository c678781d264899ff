package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
)

// options are the flags of the command line.
type options struct {
	rounds int
	only   *regexp.Regexp
	json   string
	quick  bool
	strict bool
	tmp    string
}

// errMissed is returned with -strict if a figure is below its floor.
var errMissed = errors.New("a figure is below its floor")

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:forbidigo // a command
	}
}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.IntVar(&o.rounds, "rounds", 5, "how often every participant runs each case")
	f.StringVar(&o.json, "json", "", "`file` to write all samples to")
	f.BoolVar(&o.quick, "quick", false, "small sizes: a functional check, not a measurement")
	f.BoolVar(&o.strict, "strict", false, "exit status 1 when a figure is below its floor")
	f.StringVar(&o.tmp, "dir", "", "`directory` for the files to send and the programs; empty: a temporary one")
	f.Func("only", "measure only the cases whose names match a `regexp`", func(text string) (err error) {
		o.only, err = regexp.Compile(text)
		return err
	})
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.rounds < 1 {
		return o, errors.New("-rounds must be at least 1")
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected arguments %q: bench takes flags only", f.Args())
	}
	return o, nil
}

func run() error {
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	s, err := newHarness(ctx, o)
	if err != nil {
		return err
	}
	defer s.close()
	report := newReport(ctx, o, s)
	for _, c := range cases(o.quick) {
		if o.only != nil && !o.only.MatchString(c.name) {
			continue
		}
		r, err := s.measure(ctx, c, o.rounds)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		report.add(r)
	}
	if err := report.print(os.Stdout); err != nil {
		return err
	}
	if o.json != "" {
		if err := report.writeJSON(o.json); err != nil {
			return err
		}
	}
	if o.strict && report.missed() {
		return errMissed
	}
	return nil
}
