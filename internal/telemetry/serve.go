package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

const (
	// MaxScrapes bounds the open connections to one listener of the metrics. The oldest
	// connection without a request gives way to a new one.
	MaxScrapes = 32
	// scrapesAtOnce bounds the scrapes that run. A further one is answered with 503.
	scrapesAtOnce = 2
	// scrapeTimeout bounds the time for an answer, its reader included.
	scrapeTimeout = 10 * time.Second
	// scrapeHeaderTimeout bounds the time until a request is there.
	scrapeHeaderTimeout = 5 * time.Second
)

// Serve answers /metrics on l until ctx ends. A connection serves one request.
func (m *Metrics) Serve(ctx context.Context, l net.Listener, log *zap.Logger) error {
	// Without ErrorLog the server would write to stderr directly, and block when the
	// reader of the log stands still.
	errorLog, err := zap.NewStdLogAt(log, zap.DebugLevel)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry, MaxRequestsInFlight: scrapesAtOnce}))
	open := &scrapers{serving: make(map[net.Conn]bool)}
	srv := &http.Server{
		Handler:           open.handler(mux),
		ReadHeaderTimeout: scrapeHeaderTimeout,
		ReadTimeout:       scrapeHeaderTimeout,
		WriteTimeout:      scrapeTimeout,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          errorLog,
		ConnState:         open.changed,
		ConnContext:       open.context,
	}
	srv.SetKeepAlivesEnabled(false)
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving metrics on %s: %w", l.Addr(), err)
	}
	return nil
}

// scrapers are the open connections of a server.
type scrapers struct {
	mu      sync.Mutex
	serving map[net.Conn]bool // whether the request of an open connection is being answered
	order   []net.Conn        // the oldest first
}

type connKey struct{}

// context lets a handler find its connection.
func (s *scrapers) context(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// handler marks the connections whose request is being answered.
func (s *scrapers) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(net.Conn); ok {
			s.mu.Lock()
			if _, open := s.serving[c]; open {
				s.serving[c] = true
			}
			s.mu.Unlock()
		}
		next.ServeHTTP(w, r)
	})
}

// changed is called when a connection opens or closes, and in between.
func (s *scrapers) changed(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateClosed, http.StateHijacked:
		s.drop(c)
	case http.StateNew:
		s.serving[c] = false
		s.order = append(s.order, c)
		if len(s.order) > MaxScrapes {
			i := max(slices.IndexFunc(s.order, func(o net.Conn) bool { return !s.serving[o] }), 0)
			old := s.order[i]
			s.drop(old)
			_ = old.Close() // the server notices
		}
	}
}

func (s *scrapers) drop(c net.Conn) {
	delete(s.serving, c)
	s.order = slices.DeleteFunc(s.order, func(o net.Conn) bool { return o == c })
}
