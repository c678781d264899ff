package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
)

const assumed = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><AssumedRoleUser>` +
	`<Arn>arn:aws:sts::111122223333:assumed-role/up/brokerd-logs</Arn><AssumedRoleId>AROA:brokerd-logs</AssumedRoleId></AssumedRoleUser>` +
	`<Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken>` +
	`<Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`

// primed returns a broker that holds the session of one destination.
func primed(b *testing.B) *broker.Broker {
	b.Helper()
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, assumed, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	b.Cleanup(sts.Close)
	keys := filepath.Join(b.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte("[default]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = secret\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	cfg, err := config.Parse("bench", fmt.Appendf(nil, `aws:
  source: {type: static}
  credentials_file: %s
  endpoints: {sts: %s}
destinations:
  logs:
    role: arn:aws:iam::111122223333:role/up
    bucket: tenant-s3-test-bucket
    owner: "444455556666"
    region: eu-west-1
    kms_key: arn:aws:kms:eu-west-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab
    key: logs/{name}-{id}
`, keys, sts.URL))
	if err != nil {
		b.Fatal(err)
	}
	client, err := awsclient.New(cfg.AWS)
	if err != nil {
		b.Fatal(err)
	}
	br, err := broker.New(broker.Options{Config: cfg, HTTPClient: client})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := br.Session(b.Context(), "logs"); err != nil {
		b.Fatal(err)
	}
	return br
}

// BenchmarkCachedSession measures the session request of each part of an upload, and
// the same request to the SDK's cache:
//
//	go test -run '^$' -bench CachedSession -benchmem -cpu 1,2 ./bench
func BenchmarkCachedSession(b *testing.B) {
	b.Run("brokerd", func(b *testing.B) {
		br := primed(b)
		parallel(b, func(ctx context.Context) error {
			_, err := br.Session(ctx, "logs")
			return err
		})
	})
	b.Run("aws.CredentialsCache", func(b *testing.B) {
		cache := aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "secret", SessionToken: "token", CanExpire: true,
				Expires: time.Now().Add(time.Hour)}, nil
		}))
		parallel(b, func(ctx context.Context) error {
			_, err := cache.Retrieve(ctx)
			return err
		})
	})
}

func parallel(b *testing.B, call func(context.Context) error) {
	b.Helper()
	b.ReportAllocs()
	ctx := b.Context()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := call(ctx); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
