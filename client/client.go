package client

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// DefaultSocket is the daemon's default socket.
const DefaultSocket = "/run/brokerd/brokerd.sock"

// pingAfter is the silence of the daemon after which an open call asks for a sign of
// life. pingTimeout is how long the daemon may take for it.
const (
	pingAfter   = 10 * time.Second
	pingTimeout = 10 * time.Second
)

// Client is a connection to one brokerd.
type Client struct {
	conn   *grpc.ClientConn
	dialer *dialer
	// streamsOnly is set when the daemon takes no descriptors.
	streamsOnly atomic.Bool
	chunks      chunkPool
}

// Option changes how Dial connects.
type Option func(*options)

type options struct {
	dial   []grpc.DialOption
	daemon string // the daemon's user; empty: the owner of the socket's directory
}

// WithUserAgent names the program in the daemon's logs.
func WithUserAgent(agent string) Option {
	return func(o *options) { o.dial = append(o.dial, grpc.WithUserAgent(agent)) }
}

// WithDaemonUser names the user that the daemon runs as, by name or number. The client
// then refuses a process of any other user that listens on the socket. The default is
// $BROKERD_DAEMON_USER. Without either, the client accepts this user, root and the owner of
// the socket's directory, and refuses a directory in which others can replace the socket.
// Where systemd listens for the daemon (socket activation), the user is root.
func WithDaemonUser(user string) Option {
	return func(o *options) { o.daemon = user }
}

// Dial returns a client of the daemon that listens on socket, a path. An empty path means
// $BROKERD_SOCKET, else DefaultSocket. Dial does not connect: the first call does.
func Dial(socket string, opts ...Option) (*Client, error) {
	if socket == "" {
		socket = os.Getenv("BROKERD_SOCKET")
	}
	if socket == "" {
		socket = DefaultSocket
	}
	socket = strings.TrimPrefix(socket, "unix:")
	if strings.ContainsRune(socket, 0) {
		return nil, errors.New("client: the socket path holds a NUL byte")
	}
	d := &dialer{path: socket}
	set := options{daemon: os.Getenv("BROKERD_DAEMON_USER")}
	for _, o := range opts {
		o(&set)
	}
	if set.daemon != "" {
		uid, err := userOf(set.daemon)
		if err != nil {
			return nil, err
		}
		d.daemon = &uid
	}
	dial := []grpc.DialOption{
		// The socket's permissions and the peer's identity protect the connection; it
		// crosses no network.
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(d.grpc),
		grpc.WithChainUnaryInterceptor(d.unary),
		grpc.WithChainStreamInterceptor(d.stream),
		// A daemon that is stopped or frozen answers no ping.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingAfter, Timeout: pingTimeout}),
		// The daemon is on this host: retry as soon as its socket is back.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithWriteBufferSize(128 << 10),
		grpc.WithStaticStreamWindowSize(1 << 20),
		grpc.WithStaticConnWindowSize(4 << 20),
	}
	conn, err := grpc.NewClient("passthrough:///brokerd", append(dial, set.dial...)...)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return &Client{conn: conn, dialer: d}, nil
}

// Socket returns the path of the daemon's socket.
func (c *Client) Socket() string { return c.dialer.path }

// Broker returns the raw API for applications.
func (c *Client) Broker() brokerdv1.BrokerServiceClient {
	return brokerdv1.NewBrokerServiceClient(c.conn)
}

// Admin returns the raw API for operators.
func (c *Client) Admin() brokerdv1.AdminServiceClient {
	return brokerdv1.NewAdminServiceClient(c.conn)
}

// Health returns the standard health service: "" is the daemon, a destination's name is
// that destination.
func (c *Client) Health() healthpb.HealthClient { return healthpb.NewHealthClient(c.conn) }

// Close ends the connection; calls in flight fail.
func (c *Client) Close() error { return c.conn.Close() }
