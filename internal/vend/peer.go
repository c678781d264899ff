package vend

import (
	"context"
	"net"
	"net/http"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/reason"
)

type peerKey struct{}

// Attested keeps what the kernel says about a connection for IdentifyAttested. of
// is asked once a connection.
func Attested(of func(net.Conn) (access.Peer, error)) func(context.Context, net.Conn) context.Context {
	return func(ctx context.Context, conn net.Conn) context.Context {
		p, err := of(conn)
		if err != nil {
			return ctx
		}
		return context.WithValue(ctx, peerKey{}, p)
	}
}

// IdentifyAttested knows callers by their connection.
func IdentifyAttested(r *http.Request) (Caller, error) {
	p, ok := r.Context().Value(peerKey{}).(access.Peer)
	if !ok {
		return Caller{}, &Refusal{Status: http.StatusUnauthorized, Reason: reason.PeerNotAllowed, Message: "the kernel did not say who is at the other end"}
	}
	return Caller{Peer: p, Via: "socket"}, nil
}
