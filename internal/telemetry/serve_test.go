package telemetry

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

func served(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- NewMetrics("test").Serve(ctx, l, zap.NewNop()) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// Connections that are silent, or that send a part of a request, keep no scraper out.
func TestSilentConnectionsGiveWayToAScraper(t *testing.T) {
	address := served(t)
	var open []net.Conn
	for i := range 4 * MaxScrapes {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if i%2 == 0 {
			if _, err := io.WriteString(c, "GET /metr"); err != nil {
				t.Fatal(err)
			}
		}
		open = append(open, c)
	}
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for range 3 {
		resp, err := client.Get("http://" + address + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(text), "brokerd_build_info") {
			t.Fatalf("got %s, %v", resp.Status, err)
		}
	}
	closed := 0
	for _, c := range open {
		if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err == io.EOF {
			closed++
		}
	}
	if closed < 2*MaxScrapes {
		t.Errorf("%d of %d connections were closed, want all beyond %d", closed, len(open), MaxScrapes)
	}
}

// Many requests on one connection are one scrape.
func TestAConnectionServesOneRequest(t *testing.T) {
	c, err := net.Dial("tcp", served(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, strings.Repeat("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 40)); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(bufio.NewReader(c)) // it may end in a reset: requests were left unread
	if n := strings.Count(string(text), "HTTP/1.1 200"); n > 1 {
		t.Errorf("got %d answers on one connection", n)
	}
}
