package rpc

import (
	"context"
	"errors"
	"fmt"
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
	conn *unixsock.Conn
}

// AuthType implements credentials.AuthInfo.
func (peerInfo) AuthType() string { return "unix-peer" }

// ServerHandshake implements credentials.TransportCredentials.
func (c peerCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	admitted, ok := conn.(*unixsock.Conn)
	if !ok {
		return nil, nil, fmt.Errorf("a %T was not admitted", conn)
	}
	files, err := unixsock.Sniff(c.files.s.intake.Waiting(), admitted)
	if err != nil {
		return nil, nil, err
	}
	if files != nil {
		c.files.serve(files, admitted.Peer)
		return nil, nil, credentials.ErrConnDispatched
	}
	counted := unixsock.CountFrames(admitted, c.files.s.frames.Of(c.files.s.policy.Party(admitted.Peer)))
	return counted, peerInfo{
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}, peer: admitted.Peer, conn: admitted,
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
