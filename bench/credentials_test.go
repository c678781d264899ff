package bench

import (
	"context"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/daemon"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
	"github.com/brokerd/brokerd/test/stage"
)

// BenchmarkGetCredentials is what a program waits for its credentials, over the
// socket of a daemon that has them.
//
//	go test -run '^$' -bench GetCredentials ./bench
func BenchmarkGetCredentials(b *testing.B) {
	st := stage.New(b)
	text, err := os.ReadFile(st.Config.Path)
	if err != nil {
		b.Fatal(err)
	}
	cfg, err := config.Parse(st.Config.Path, []byte(strings.Replace(string(text), "[upload, verify, admin]", "[upload, verify, admin, credentials]", 1)))
	if err != nil {
		b.Fatal(err)
	}
	d, err := daemon.New(cfg, "bench", io.Discard)
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			b.Error(err)
		}
	}()
	c, err := client.Dial(st.SocketPath)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	ask := func() error {
		_, err := c.Broker().GetCredentials(ctx, &brokerdv1.GetCredentialsRequest{Destination: stage.Destination})
		return err
	}
	if err := ask(); err != nil {
		b.Fatal(err)
	}
	for _, callers := range []int{1, 64} {
		b.Run(strconv.Itoa(callers)+"-callers", func(b *testing.B) {
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
		})
	}
}
