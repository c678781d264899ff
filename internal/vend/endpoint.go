package vend

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

const (
	// maxConns bounds the connections. A silent one is closed after five seconds.
	maxConns = 256
	// answerTimeout bounds the wait for a session. SDKs ask again after it.
	answerTimeout = 15 * time.Second
	listenFirst   = time.Second
	listenCap     = 30 * time.Second
)

// Endpoint is one listener with its server.
type Endpoint struct {
	Name   string // for the log: "vend.address 127.0.0.1:9465"
	Listen func(context.Context) (net.Listener, error)
	// Handler returns the handler for the address of the listener.
	Handler func(net.Addr) http.Handler
	// ConnContext, when set, adds to the context of each new connection.
	ConnContext func(context.Context, net.Conn) context.Context
	Log         *zap.Logger

	up atomic.Bool
}

// Up reports whether the endpoint listens.
func (e *Endpoint) Up() bool { return e.up.Load() }

// Run listens and serves until ctx ends. It tries forever, because an address that is
// in use may become free, and uploads do not depend on it. It returns nil.
func (e *Endpoint) Run(ctx context.Context) error {
	pause := listenFirst
	for ctx.Err() == nil {
		l, err := e.Listen(ctx)
		if err == nil {
			e.Log.Info("the credentials endpoint is up", zap.String("at", e.Name), zap.Stringer("address", l.Addr()))
			pause = listenFirst
			err = e.serve(ctx, l)
		}
		if ctx.Err() != nil {
			break
		}
		e.Log.Error("the credentials endpoint is down", zap.String("at", e.Name), zap.Error(err), zap.Duration("trying_again_in", pause))
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, listenCap)
	}
	return nil
}

// watched is a listener that looks after its file; unixsock.Socket is one.
type watched interface {
	Watch(ctx context.Context) error
}

func (e *Endpoint) serve(ctx context.Context, l net.Listener) error {
	e.up.Store(true)
	defer e.up.Store(false)
	srv := NewServer(e.Handler(l.Addr()), e.Log)
	if e.ConnContext != nil {
		counted := srv.ConnContext
		srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return e.ConnContext(counted(ctx, c), c) }
	}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if w, ok := l.(watched); ok {
		watching, end := context.WithCancel(ctx)
		var done sync.WaitGroup
		done.Go(func() { _ = w.Watch(watching) }) // it logs its problems
		defer done.Wait()
		defer end()
	}
	if err := srv.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(err, srv.Close())
	}
	return nil
}

// NewServer returns an HTTP server with the limits of an endpoint.
func NewServer(h http.Handler, log *zap.Logger) *http.Server {
	errorLog, err := zap.NewStdLogAt(log, zap.DebugLevel)
	if err != nil {
		errorLog = nil // cannot be: the level is one of zap's
	}
	c := newConns(maxConns)
	return &http.Server{
		Handler: c.mark(h), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: answerTimeout + 5*time.Second,
		IdleTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10, DisableGeneralOptionsHandler: true, ErrorLog: errorLog,
		ConnState: c.observe, ConnContext: c.context,
	}
}

// ListenLoopback listens on a loopback address; packets leave with a hop limit of 1.
// It refuses any other address.
func ListenLoopback(ctx context.Context, address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listening for credentials: %w", err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("listening for credentials: %s is not a loopback address", host)
	}
	lc := net.ListenConfig{Control: func(network, _ string, c syscall.RawConn) error {
		var serr error
		err := c.Control(func(fd uintptr) {
			if network == "tcp6" {
				serr = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, 1)
			} else {
				serr = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TTL, 1)
			}
		})
		return errors.Join(err, serr)
	}}
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for credentials: %w", err)
	}
	return l, nil
}

// HostsOf returns the Host headers of requests to a TCP address: the address itself,
// and localhost with its port.
func HostsOf(a net.Addr) []string {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return nil
	}
	return []string{tcp.String(), "localhost:" + strconv.Itoa(tcp.Port)}
}
