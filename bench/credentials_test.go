package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/daemon"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
	"github.com/brokerd/brokerd/internal/vend"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// BenchmarkCredentials measures how long a program waits for credentials that the
// daemon holds: over the Unix socket, and over the HTTP endpoint with and without
// keep-alive. A bare HTTP server is the baseline.
//
//	go test -run '^$' -bench Credentials ./bench
func BenchmarkCredentials(b *testing.B) {
	v := vending(b)
	grpc := func() error {
		_, err := v.client.Broker().GetCredentials(b.Context(), &brokerdv1.GetCredentialsRequest{Destination: testbed.Destination})
		return err
	}
	bare := bareServer(b)
	for _, way := range []struct {
		name string
		ask  func() error
	}{
		{"grpc", grpc},
		{"http", v.get(v.url, false)},
		{"http-newConn", v.get(v.url, true)},
		{"bare-http-server", v.get(bare, false)},
		{"bare-http-server-newConn", v.get(bare, true)},
	} {
		if err := way.ask(); err != nil {
			b.Fatal(err)
		}
		for _, callers := range []int{1, 64} {
			b.Run(way.name+"/"+strconv.Itoa(callers)+"-callers", func(b *testing.B) { waits(b, callers, way.ask) })
		}
	}
}

// waits makes b.N requests from all callers together, and reports the waiting times.
func waits(b *testing.B, callers int, ask func() error) {
	took := make([]time.Duration, b.N)
	var group sync.WaitGroup
	for caller := range callers {
		group.Go(func() {
			for i := caller; i < b.N; i += callers {
				began := time.Now()
				if err := ask(); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(began)
			}
		})
	}
	group.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[b.N/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(took[b.N*99/100].Microseconds()), "p99-us")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// vendingDaemon starts a daemon that issues credentials to this user.
type vendingDaemon struct {
	client     *client.Client
	url, token string
}

func vending(b *testing.B) *vendingDaemon {
	b.Helper()
	st := testbedtest.New(b)
	v := &vendingDaemon{token: strings.Repeat("0123456789abcdef", 2)}
	file := filepath.Join(st.Dir, "token")
	if err := os.WriteFile(file, []byte(v.token), 0o600); err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	v.url = "http://" + address + vend.Path + testbed.Destination
	text, err := os.ReadFile(st.Config.Path)
	if err != nil {
		b.Fatal(err)
	}
	cfg, err := config.Parse(st.Config.Path, fmt.Appendf(nil,
		"%s\nlimits: {credentials_per_second: 1000000}\nvend: {address: %s, tokens: [{file: %s, peer: {uid: %q}, destinations: [%s]}]}\n",
		strings.Replace(string(text), "[upload, verify, admin]", "[upload, verify, admin, credentials]",
			1), address, file, fmt.Sprint(os.Getuid()), testbed.Destination))
	if err != nil {
		b.Fatal(err)
	}
	d, err := daemon.New(cfg, "bench", io.Discard)
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	if v.client, err = client.Dial(st.SocketPath); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = v.client.Close() })
	if _, err := v.client.Broker().GetCredentials(ctx, &brokerdv1.GetCredentialsRequest{Destination: testbed.Destination}); err != nil {
		b.Fatal(err)
	}
	return v
}

// get requests url. With newConn, it opens a new connection each time, as a program does
// that has just started.
func (v *vendingDaemon) get(url string, newConn bool) func() error {
	hc := &http.Client{Transport: &http.Transport{DisableKeepAlives: newConn, MaxIdleConnsPerHost: 64}}
	return func() error {
		r, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", v.token)
		resp, err := hc.Do(r)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d", resp.StatusCode)
		}
		return nil
	}
}

// bareServer answers each request with the same number of bytes.
func bareServer(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	answer := []byte(strings.Repeat("x", 1000))
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(answer) }),
		ReadHeaderTimeout: time.Second}
	go func() { _ = srv.Serve(l) }()
	b.Cleanup(func() { _ = srv.Close() })
	return "http://" + l.Addr().String() + "/"
}
