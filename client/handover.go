package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	spb "google.golang.org/genproto/googleapis/rpc/status"

	"github.com/brokerd/brokerd/internal/reason"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

const (
	handoverMagic = "brokerd-file-1\n"
	// maxAnswer bounds an answer of the daemon, in bytes.
	maxAnswer = 64 << 10
	// silenceLimit is how long a live daemon may be silent. A daemon that sends
	// heartbeats sends one every third of it, or more often.
	silenceLimit = 15 * time.Second
)

// errNotTaken is returned when this daemon, or this file, needs a stream.
var errNotTaken = errors.New("the daemon takes no descriptor")

// handOver gives the daemon the open file instead of its bytes. complete reports
// whether the file was handed over, so that the object may exist despite an error.
func (c *Client) handOver(
	ctx context.Context,
	f *os.File,
	h *brokerdv1.UploadHeader,
) (resp *brokerdv1.UploadResponse, complete bool, err error) {
	raw, err := proto.Marshal(&brokerdv1.FileUpload{Header: h})
	if err != nil {
		return nil, false, fmt.Errorf("client: %w", err)
	}
	nc, err := c.dialer.dial(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, false, ctx.Err()
		}
		return nil, false, c.FromError(status.Error(codes.Unavailable, err.Error()))
	}
	defer func() { _ = nc.Close() }() // closing before the answer cancels the upload
	conn, ok := nc.(*net.UnixConn)
	if !ok {
		return nil, false, errNotTaken
	}
	unhook := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer unhook()
	frame := append([]byte(handoverMagic), binary.BigEndian.AppendUint32(nil, uint32(len(raw)))...)
	if err := sendFile(conn, append(frame, raw...), f); err != nil {
		if errors.Is(err, errNotTaken) {
			return nil, false, err
		}
		// The daemon may have refused, and closed its side: its answer is still here.
	}
	a := &answers{c: c, ctx: ctx, conn: conn, limit: silenceLimit}
	resp, err = a.final()
	switch {
	case ctx.Err() != nil && err != nil:
		return nil, true, ctx.Err()
	case errors.Is(err, errHTTP2):
		c.streamsOnly.Store(true)
		return nil, false, errNotTaken
	}
	return resp, true, err
}

// errHTTP2 is returned when the daemon treats the connection as a gRPC connection.
var errHTTP2 = errors.New("the daemon speaks HTTP/2 only")

// answers reads the messages of the daemon on one connection.
type answers struct {
	c     *Client
	ctx   context.Context
	conn  *net.UnixConn
	limit time.Duration // how long the daemon may be silent; 0: forever
}

// final reads up to the final answer.
func (a *answers) final() (*brokerdv1.UploadResponse, error) {
	for first := true; ; first = false {
		raw, err := a.message(first)
		if err != nil {
			return nil, err
		}
		if resp, final, err := a.decode(raw); final {
			return resp, err
		}
	}
}

// message reads one message.
func (a *answers) message(first bool) ([]byte, error) {
	if err := a.allow(); err != nil {
		return nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(a.conn, head[:]); err != nil {
		if first && errors.Is(err, io.EOF) {
			return nil, errNotTaken // it closed without an answer
		}
		return nil, a.broken(err)
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxAnswer {
		return nil, a.broken(fmt.Errorf("an answer of %d bytes", n))
	}
	raw := make([]byte, n)
	// A gRPC server begins with a SETTINGS frame: 24 bits of length, the type 4, and then
	// five zero bytes. No message begins with those.
	if first && n&0xff == 4 && (n>>8)%6 == 0 {
		var rest [5]byte
		if _, err := io.ReadFull(a.conn, rest[:]); err == nil && rest == [5]byte{} {
			if n>>8 == 0 {
				return nil, errNotTaken // a refusal, see refusalIn: the stream hears it
			}
			return nil, errHTTP2
		} else if n < 5 || err != nil {
			return nil, a.broken(errors.New("not an answer"))
		}
		copy(raw, rest[:])
		if _, err := io.ReadFull(a.conn, raw[5:]); err != nil {
			return nil, a.broken(err)
		}
		return raw, nil
	}
	if _, err := io.ReadFull(a.conn, raw); err != nil {
		return nil, a.broken(err)
	}
	return raw, nil
}

// allow gives the daemon the time for its next message.
func (a *answers) allow() error {
	var deadline time.Time
	if a.limit > 0 {
		deadline = time.Now().Add(a.limit)
	}
	if err := a.conn.SetReadDeadline(deadline); err != nil {
		return a.broken(err)
	}
	return a.ctx.Err() // it may have ended before its deadline was replaced
}

func (a *answers) decode(raw []byte) (resp *brokerdv1.UploadResponse, final bool, err error) {
	out := &brokerdv1.FileUploadResult{}
	if err := proto.Unmarshal(raw, out); err != nil {
		return nil, true, a.broken(err)
	}
	switch {
	case out.GetResponse() != nil:
		return out.GetResponse(), true, nil
	case out.GetCode() == 0: // accepted, or a heartbeat
		if a.limit = silenceLimit; out.GetHeartbeat() == nil {
			a.limit = 0 // an older daemon, which sends none
		}
		return nil, false, nil
	}
	err = a.c.FromError(status.ErrorProto(&spb.Status{Code: out.GetCode(), Message: out.GetMessage(), Details: out.GetDetails()}))
	var e *Error
	if errors.As(err, &e) && streamInstead(reason.Reason(e.Reason)) {
		return nil, true, errNotTaken
	}
	return nil, true, err
}

// streamInstead reports whether the bytes may be sent in a stream after a refusal.
func streamInstead(r reason.Reason) bool {
	return r == reason.DescriptorRefused || r == reason.TooManyConnections
}

// broken is the error of a connection that ended before the final answer.
func (a *answers) broken(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) && a.ctx.Err() == nil {
		return a.c.silent()
	}
	return a.c.FromError(status.Error(codes.Unavailable, "the connection ended before the answer: "+errno(err)))
}
