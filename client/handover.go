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
	// maxAnswer bounds what is taken for an answer.
	maxAnswer = 64 << 10
)

// errNotTaken says that this daemon, or this file, needs a stream.
var errNotTaken = errors.New("the daemon takes no descriptor")

// handOver gives the daemon the open file instead of its bytes. complete says
// whether all was sent, so that the object may exist whatever the error is.
func (c *Client) handOver(ctx context.Context, f *os.File, h *brokerdv1.UploadHeader) (resp *brokerdv1.UploadResponse, complete bool, err error) {
	raw, err := proto.Marshal(&brokerdv1.FileUpload{Header: h})
	if err != nil {
		return nil, false, fmt.Errorf("client: %w", err)
	}
	var d net.Dialer
	nc, err := d.DialContext(ctx, "unix", c.socket)
	if err != nil {
		if ctx.Err() != nil {
			return nil, false, ctx.Err()
		}
		return nil, false, c.FromError(status.Error(codes.Unavailable, err.Error()))
	}
	defer func() { _ = nc.Close() }() // closing before the answer is how it is given up
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
		// A daemon that refuses at once has answered before it closed.
	}
	resp, err = c.answers(conn)
	switch {
	case ctx.Err() != nil && err != nil:
		return nil, true, ctx.Err()
	case errors.Is(err, errHTTP2):
		c.streamsOnly.Store(true)
		return nil, false, errNotTaken
	}
	return resp, true, err
}

// errHTTP2 says that the daemon took the connection for one of gRPC's.
var errHTTP2 = errors.New("the daemon speaks HTTP/2 only")

// answers reads up to the final answer.
func (c *Client) answers(conn *net.UnixConn) (*brokerdv1.UploadResponse, error) {
	for first := true; ; first = false {
		var head [4]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			if first && errors.Is(err, io.EOF) {
				return nil, errNotTaken // it closed without a word
			}
			return nil, c.broken(err)
		}
		n := binary.BigEndian.Uint32(head[:])
		if n > maxAnswer {
			return nil, c.broken(fmt.Errorf("an answer of %d bytes", n))
		}
		// The first thing a gRPC server says is a SETTINGS frame: 24 bits of length, the type 4.
		if first && n&0xff == 4 && (n>>8)%6 == 0 {
			var rest [5]byte // flags and stream, all zero; no message begins like that
			if _, err := io.ReadFull(conn, rest[:]); err == nil && rest == [5]byte{} {
				return nil, errHTTP2
			} else if n < 5 || err != nil {
				return nil, c.broken(errors.New("not an answer"))
			}
			raw := append(rest[:], make([]byte, n-5)...)
			if _, err := io.ReadFull(conn, raw[5:]); err != nil {
				return nil, c.broken(err)
			}
			if resp, final, err := c.answer(raw); final {
				return resp, err
			}
			continue
		}
		raw := make([]byte, n)
		if _, err := io.ReadFull(conn, raw); err != nil {
			return nil, c.broken(err)
		}
		if resp, final, err := c.answer(raw); final {
			return resp, err
		}
	}
}

func (c *Client) answer(raw []byte) (resp *brokerdv1.UploadResponse, final bool, err error) {
	out := &brokerdv1.FileUploadResult{}
	if err := proto.Unmarshal(raw, out); err != nil {
		return nil, true, c.broken(err)
	}
	switch {
	case out.GetResponse() != nil:
		return out.GetResponse(), true, nil
	case out.GetCode() == 0:
		return nil, false, nil // the id, before any byte was read
	}
	err = c.FromError(status.ErrorProto(&spb.Status{Code: out.GetCode(), Message: out.GetMessage(), Details: out.GetDetails()}))
	var e *Error
	if errors.As(err, &e) && reason.Reason(e.Reason) == reason.DescriptorRefused {
		return nil, true, errNotTaken
	}
	return nil, true, err
}

// broken is a connection that ended before the answer.
func (c *Client) broken(err error) error {
	return c.FromError(status.Error(codes.Unavailable, "the connection ended before the answer: "+err.Error()))
}
