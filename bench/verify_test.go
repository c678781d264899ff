package main

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
	"github.com/brokerd/brokerd/internal/verify"
	verified "github.com/brokerd/brokerd/internal/verify/report"
)

// BenchmarkVerify measures how long an operator waits if each call to AWS takes 20 ms:
// for one destination, and for fifty concurrent ones with a session each. The aims are
// 3 s and 6 s.
//
//	go test -run '^$' -bench Verify -benchtime 3x ./bench
func BenchmarkVerify(b *testing.B) {
	for _, n := range []int{1, 50} {
		b.Run(fmt.Sprintf("destinations=%d", n), func(b *testing.B) {
			s := testbedtest.New(b)
			var names []string
			for i := range n {
				dest := *s.Dest
				dest.Name = fmt.Sprintf("logs-%d", i)
				dest.Session.Name = "brokerd-" + dest.Name
				s.Config.Destinations[dest.Name] = &dest
				names = append(names, dest.Name)
			}
			if err := s.Sandbox.AddFault(sandbox.Fault{Operation: "*", Latency: sandbox.Duration(20 * time.Millisecond)}); err != nil {
				b.Fatal(err)
			}
			calls, worst := 0, time.Duration(0)
			for b.Loop() {
				// A new broker each time: no session is cached, and no rate limit is used up.
				br, err := broker.New(broker.Options{Config: s.Config, HTTPClient: s.HTTP})
				if err != nil {
					b.Fatal(err)
				}
				v, err := verify.New(verify.Options{Config: s.Config, Sessions: br, HTTPClient: s.HTTP})
				if err != nil {
					b.Fatal(err)
				}
				began := time.Now()
				group, ctx := errgroup.WithContext(b.Context())
				counts := make([]int, n)
				for i, name := range names {
					group.Go(func() error {
						r, err := v.Verify(ctx, name, verified.RunOptions{}, nil)
						counts[i] = r.Calls
						if err == nil && r.Result() != verified.Pass {
							err = fmt.Errorf("%s is %s", name, r.Result())
						}
						return err
					})
				}
				if err := group.Wait(); err != nil {
					b.Fatal(err)
				}
				worst = max(worst, time.Since(began))
				calls = 0
				for _, c := range counts {
					calls += c
				}
			}
			b.ReportMetric(worst.Seconds(), "s/worst")
			b.ReportMetric(float64(calls)/float64(n), "calls/destination")
		})
	}
}
