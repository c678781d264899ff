package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// DefaultSocket is where the daemon listens unless it is told otherwise.
const DefaultSocket = "/run/brokerd/brokerd.sock"

// Client is a connection to one brokerd.
type Client struct {
	conn   *grpc.ClientConn
	socket string
	// streamsOnly is set when the daemon turned out to take no descriptors.
	streamsOnly atomic.Bool
	chunks      chunkPool
}

// Option changes how Dial connects.
type Option func(*[]grpc.DialOption)

// WithUserAgent names the program in the daemon's logs.
func WithUserAgent(agent string) Option {
	return func(o *[]grpc.DialOption) { *o = append(*o, grpc.WithUserAgent(agent)) }
}

// Dial makes a client for the daemon that listens on socket, a path; empty means
// $BROKERD_SOCKET, else DefaultSocket. It does not connect: the first call does.
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
	dial := []grpc.DialOption{
		// The socket's permissions and the kernel's word about the peer protect the
		// connection; there is no network in between.
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		}),
		// The daemon is on this machine: it is back the moment its socket is.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithWriteBufferSize(128 << 10),
		grpc.WithStaticStreamWindowSize(1 << 20),
		grpc.WithStaticConnWindowSize(4 << 20),
	}
	for _, o := range opts {
		o(&dial)
	}
	conn, err := grpc.NewClient("passthrough:///brokerd", dial...)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	c := &Client{conn: conn, socket: socket}
	return c, nil
}

// Socket is the path of the daemon's socket.
func (c *Client) Socket() string { return c.socket }

// Broker is the raw API for applications.
func (c *Client) Broker() brokerdv1.BrokerServiceClient {
	return brokerdv1.NewBrokerServiceClient(c.conn)
}

// Admin is the raw API for operators.
func (c *Client) Admin() brokerdv1.AdminServiceClient {
	return brokerdv1.NewAdminServiceClient(c.conn)
}

// Health is the standard health service: "" for the daemon, a destination's name for one destination.
func (c *Client) Health() healthpb.HealthClient { return healthpb.NewHealthClient(c.conn) }

// Close ends the connection; calls in flight fail.
func (c *Client) Close() error { return c.conn.Close() }
