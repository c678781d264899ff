package main

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
)

// BenchmarkIdle measures the cost of a thousand idle destinations: all sessions are
// fetched, no caller asks, no refresh is due.
//
//	go test -run '^$' -bench Idle -benchtime 1x ./bench
func BenchmarkIdle(b *testing.B) {
	const destinations, window = 1000, 20 * time.Second
	cfg := &config.Config{Destinations: map[string]*config.Destination{}}
	for i := range destinations {
		name := fmt.Sprintf("d%d", i)
		// Each source has its own rate limit: with many sources the start does not take
		// minutes.
		cfg.Destinations[name] = &config.Destination{Name: name, Role: "arn:aws:iam::111122223333:role/" + name, Region: "eu-west-1",
			Profile: fmt.Sprintf("p%d", i/5)}
	}
	sessions, err := broker.New(broker.Options{Config: cfg, Issuer: &sts{life: time.Hour}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- sessions.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			b.Error(err)
		}
	}()
	began := time.Now()
	for ; ; time.Sleep(50 * time.Millisecond) {
		primed := 0
		for _, s := range sessions.Statuses() {
			if s.State == broker.StateFresh {
				primed++
			}
		}
		if primed == destinations {
			break
		}
		if time.Since(began) > time.Minute {
			b.Fatalf("%d of %d sessions after a minute", primed, destinations)
		}
	}
	primed := time.Since(began)
	for b.Loop() {
		before := cpu(b)
		time.Sleep(window)
		b.ReportMetric(100*(cpu(b)-before).Seconds()/window.Seconds(), "%-of-a-core")
		b.ReportMetric(primed.Seconds(), "s-to-prime")
	}
}

// cpu returns the processor time of this process.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
