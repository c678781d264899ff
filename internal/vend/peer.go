package vend

import (
	"context"
	"net"
	"net/http"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/reason"
)

type peerKey struct{}

// Attested stores the kernel's identity of each connection for IdentifyAttested. It
// calls of once per connection.
func Attested(of func(net.Conn) (access.Peer, error)) func(context.Context, net.Conn) context.Context {
	return func(ctx context.Context, conn net.Conn) context.Context {
		p, err := of(conn)
		if err != nil {
			return ctx
		}
		return context.WithValue(ctx, peerKey{}, p)
	}
}

// IdentifyAttested returns the peer of the request's connection.
func IdentifyAttested(r *http.Request) (Caller, error) {
	p, ok := r.Context().Value(peerKey{}).(access.Peer)
	if !ok {
		return Caller{}, &Refusal{
			Status:  http.StatusUnauthorized,
			Reason:  reason.PeerNotAllowed,
			Message: "the kernel did not identify the peer of this connection",
		}
	}
	return Caller{Peer: p, Via: "socket"}, nil
}
