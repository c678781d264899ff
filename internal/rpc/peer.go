package rpc

import (
	"context"
	"errors"
	"net"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/unixsock"
)

// peerCredentials are transport credentials without encryption. They identify the
// process at the other end of a Unix socket. Connections that hand over files leave
// gRPC here.
type peerCredentials struct{ files *handover }

// peerInfo carries the identity of a connection.
type peerInfo struct {
	credentials.CommonAuthInfo
	peer access.Peer
}

// AuthType implements credentials.AuthInfo.
func (peerInfo) AuthType() string { return "unix-peer" }

// ServerHandshake implements credentials.TransportCredentials.
func (c peerCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	p, err := unixsock.Peer(conn)
	if err != nil {
		return nil, nil, err
	}
	if unixConn, ok := conn.(*net.UnixConn); ok {
		files, replayed, err := unixsock.Sniff(c.files.s.intake.Waiting(), unixConn)
		if err != nil {
			return nil, nil, err
		}
		if files != nil {
			c.files.serve(files, p)
			return nil, nil, credentials.ErrConnDispatched
		}
		conn = replayed
	}
	return conn, peerInfo{
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}, peer: p,
	}, nil
}

// ClientHandshake implements credentials.TransportCredentials; the daemon is never a client.
func (peerCredentials) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("peer credentials are for servers")
}

// Info implements credentials.TransportCredentials.
func (peerCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "unix-peer"}
}

// Clone implements credentials.TransportCredentials.
func (c peerCredentials) Clone() credentials.TransportCredentials { return c }

// OverrideServerName implements credentials.TransportCredentials.
func (peerCredentials) OverrideServerName(string) error { return nil }

// caller returns the peer of a call.
func caller(ctx context.Context) (access.Peer, error) {
	if p, ok := peer.FromContext(ctx); ok {
		if info, ok := p.AuthInfo.(peerInfo); ok {
			return info.peer, nil
		}
	}
	return access.Peer{}, &reason.Error{
		Reason: reason.PeerNotAllowed, Status: codes.Unauthenticated, Message: "the kernel did not identify the peer of this connection",
	}
}
