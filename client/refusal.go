package client

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"syscall"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/brokerd/brokerd/internal/reason"
)

// A daemon that refuses a connection, because no rule lets its user in or because the
// user has too many, answers an empty SETTINGS frame and a GOAWAY frame with
// "REASON: text", and closes.
const goAwayHeader = 9 + 9 + 8 // SETTINGS, the head of GOAWAY, its last stream and code

// refusalIn returns the refusal in the first bytes of a connection; nil: there is none.
func refusalIn(b []byte) *Error {
	if len(b) <= goAwayHeader || b[3] != 4 || b[0]|b[1]|b[2] != 0 || b[9+3] != 7 {
		return nil
	}
	n := int(binary.BigEndian.Uint32(append([]byte{0}, b[9:12]...))) - 8
	text := b[goAwayHeader:]
	if n < 0 || n > len(text) {
		return nil
	}
	name, message, found := strings.Cut(string(text[:n]), ": ")
	e := &Error{Reason: name, Message: message, refused: true}
	switch r := reason.Reason(name); {
	case !found:
		return nil
	case r == reason.PeerNotAllowed:
		e.Code = codes.PermissionDenied
	case r == reason.TooManyConnections:
		e.Code, e.RetryAfter = codes.ResourceExhausted, firstPause
	default:
		return nil
	}
	return e
}

// closedByPeer reports whether a write failed because the peer had closed. Its last
// words can still be read then.
func closedByPeer(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

// withRefusal replaces gRPC's error of a call whose connection was refused.
func (d *dialer) withRefusal(err error) error {
	if status.Code(err) != codes.Unavailable {
		return err
	}
	final, _ := d.failure()
	if final == nil || !final.refused {
		return err
	}
	st := status.New(final.Code, final.Message)
	if full, derr := st.WithDetails(&errdetails.ErrorInfo{Reason: final.Reason, Domain: "brokerd"}); derr == nil {
		st = full
	}
	return st.Err()
}

func (d *dialer) unary(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	if err := invoke(ctx, method, req, reply, cc, opts...); err != nil {
		return d.withRefusal(err)
	}
	return nil
}

func (d *dialer) stream(
	ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	s, err := open(ctx, desc, cc, method, opts...)
	if err != nil {
		return nil, d.withRefusal(err)
	}
	return s, nil
}
