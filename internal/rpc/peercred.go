package rpc

import (
	"context"
	"errors"
	"fmt"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/brokerd/brokerd/internal/access"
)

// peerCredentials is a transport without encryption that asks the kernel who is
// at the other end of a Unix socket. Connections that hand over files leave gRPC here.
type peerCredentials struct{ files *handover }

// peerInfo is the kernel's answer, carried by the connection.
type peerInfo struct {
	credentials.CommonAuthInfo
	peer access.Peer
}

// AuthType implements credentials.AuthInfo.
func (peerInfo) AuthType() string { return "unix-peer" }

// ServerHandshake implements credentials.TransportCredentials.
func (c peerCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	p, err := KernelPeer(conn)
	if err != nil {
		return nil, nil, err
	}
	if unixConn, ok := conn.(*net.UnixConn); ok {
		if conn, err = c.files.dispatch(unixConn, p); err != nil {
			return nil, nil, err
		}
	}
	return conn, peerInfo{
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}, peer: p,
	}, nil
}

// KernelPeer asks the kernel who made a connection to a Unix socket.
func KernelPeer(conn net.Conn) (access.Peer, error) {
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return access.Peer{}, fmt.Errorf("a %T connection has no peer that the kernel vouches for", conn)
	}
	raw, err := unixConn.SyscallConn()
	if err != nil {
		return access.Peer{}, fmt.Errorf("reading the peer's identity: %w", err)
	}
	var p access.Peer
	var perr error
	if err := raw.Control(func(fd uintptr) {
		if p, perr = kernelPeer(int(fd)); perr == nil {
			p.Unit, p.Pod = placeOf(int(fd), p.PID)
		}
	}); err != nil {
		return access.Peer{}, fmt.Errorf("reading the peer's identity: %w", err)
	}
	if perr != nil {
		return access.Peer{}, fmt.Errorf("reading the peer's identity: %w", perr)
	}
	return p, nil
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

// peerOf is the caller of a call.
func peerOf(ctx context.Context) (access.Peer, error) {
	if p, ok := peer.FromContext(ctx); ok {
		if info, ok := p.AuthInfo.(peerInfo); ok {
			return info.peer, nil
		}
	}
	return access.Peer{}, errors.New("the connection carries no kernel-attested peer")
}
