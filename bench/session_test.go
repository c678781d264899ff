package main

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
)

// BenchmarkSessionRead measures a read of the cached session, and a read of the SDK's
// cache, from as many goroutines as there are cores.
//
//	go test -run '^$' -bench SessionRead -cpu 1,2 ./bench
func BenchmarkSessionRead(b *testing.B) {
	service := &sts{life: time.Hour}
	sessions, err := broker.New(broker.Options{
		Config: &config.Config{Destinations: map[string]*config.Destination{"logs": {Name: "logs", Role: "arn:aws:iam::111122223333:role/up",
			Region: "eu-west-1"}}},
		Issuer: service,
	})
	if err != nil {
		b.Fatal(err)
	}
	cache := aws.NewCredentialsCache(service)
	for _, r := range []struct {
		name string
		read func(context.Context) error
	}{
		{"brokerd", func(ctx context.Context) error { _, err := sessions.Session(ctx, "logs"); return err }},
		{"CredentialsCache", func(ctx context.Context) error { _, err := cache.Retrieve(ctx); return err }},
	} {
		if err := r.read(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.Run(r.name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				ctx := context.Background()
				for pb.Next() {
					if err := r.read(ctx); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
