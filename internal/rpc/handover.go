package rpc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/intake"
	"github.com/brokerd/brokerd/internal/quota"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/unixsock"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// maxHandovers is the largest number of open connections that hand over files, idle
// ones included.
const maxHandovers = 1024

// descriptorsPerHandover are the connection and its file, and as many for their delivery.
const descriptorsPerHandover = 4

// busyRetryAfter is the delay that a caller is told when all connections are in use: they
// are free again soon.
const busyRetryAfter = 500 * time.Millisecond

// retryAfter is the delay that a caller is told when the source of an error names none.
const retryAfter = 2 * time.Second

// handover serves connections on which files are handed over. A peer sends a
// FileUpload with one descriptor and reads its answers; then it may send the next. The
// daemon opens no path, so that it reads only files that the peer could open itself.
//
// A connection is served inside its handshake: a server that stops waits for its
// handshakes, and so for these connections.
type handover struct {
	s *Server
	// life ends when the server cuts the open connections.
	life context.Context
	cut  context.CancelFunc
}

func newHandover(s *Server) *handover {
	s.quota.SetTotal(quota.Handovers, min(maxHandovers, int64(unixsock.Fits(descriptorsPerHandover))))
	h := &handover{s: s}
	h.life, h.cut = context.WithCancel(context.Background())
	return h
}

// serve answers on a connection until it ends, and closes it.
func (h *handover) serve(c *unixsock.FileConn, p access.Peer) {
	defer func() { _ = c.Close() }() // every answer was written
	charge, err := h.s.quota.Take(h.s.policy.Party(p), quota.Handovers)
	if err != nil {
		full := reason.New(reason.TooManyConnections, "%s; close idle ones, send the bytes in a stream, or try again", err).After(busyRetryAfter)
		_ = answer(c, &brokerdv1.FileUploadResult{}, full) // the connection is closed anyway
		return
	}
	defer charge.Release()
	for h.one(c, p) {
	}
}

// one serves one upload, and reports whether another may follow.
func (h *handover) one(c *unixsock.FileConn, p access.Peer) (more bool) {
	msg, f, err := h.request(c)
	if err != nil {
		var known *reason.Error
		if errors.As(err, &known) {
			if known.Reason == reason.TooManyFiles {
				h.s.lines.Warn(h.s.policy.Party(p), string(known.Reason), "a handed-over file could not be received",
					zap.String("reason", string(known.Reason)), zap.Error(known))
			}
			_ = answer(c, &brokerdv1.FileUploadResult{}, known) // the connection is closed anyway
		}
		return false
	}
	defer func() { _ = f.Close() }() // only read from
	out := &brokerdv1.FileUploadResult{}
	err = h.receive(c, p, msg, f, out)
	if errors.Is(err, errPeerLeft) {
		return false
	}
	return answer(c, out, err) == nil
}

// request waits for the next upload. It returns a *reason.Error for the peer. After any
// other error the peer cannot be told.
func (h *handover) request(c *unixsock.FileConn) (*brokerdv1.FileUpload, *os.File, error) {
	// A server that stops does not wait for an idle connection.
	raw, err := c.Next(h.s.intake.Waiting(), time.Now().Add(h.s.policy.Config().Limits.IdleTimeout.Std()))
	if err != nil {
		return nil, nil, err
	}
	msg := &brokerdv1.FileUpload{}
	if err := proto.Unmarshal(raw, msg); err != nil {
		return nil, nil, reason.New(reason.ProtocolViolation, "the message is not a FileUpload: %v", err)
	}
	f, err := c.File()
	return msg, f, err
}

var errPeerLeft = errors.New("the peer closed the connection, or sent something, before the answer")

// receive takes one file in, and watches the peer meanwhile.
func (h *handover) receive(
	c *unixsock.FileConn,
	p access.Peer,
	msg *brokerdv1.FileUpload,
	f *os.File,
	out *brokerdv1.FileUploadResult,
) (err error) {
	defer h.s.recovered("FileUpload", &err)
	ctx, cancel := context.WithCancelCause(h.life)
	defer cancel(nil)
	if msg.GetHeader() == nil || msg.GetHeader().Size == nil {
		return reason.New(reason.ProtocolViolation, "a FileUpload needs a header with the size")
	}
	beat := startHeartbeat(c)
	defer beat.stop()
	body, err := intake.NewFile(ctx, f, msg.GetOffset(), msg.GetHeader().GetSize(), fileSender{beat, out})
	if err != nil {
		return err
	}
	watch, err := c.Watch(func() { cancel(errPeerLeft) })
	if err != nil {
		return err
	}
	defer watch.Stop()
	outcome, err := h.s.intake.Receive(ctx, p, headerOf(msg.GetHeader()), body)
	watch.Stop()
	beat.stop()
	if err == nil {
		out.Response, out.UploadId = uploadResponse(outcome), outcome.ID
		return nil
	}
	if ctx.Err() == nil {
		return err
	}
	if errors.Is(context.Cause(ctx), errPeerLeft) {
		return errPeerLeft
	}
	return reason.New(reason.ShuttingDown, "the daemon stopped before the upload had ended").After(retryAfter)
}

// answer ends an upload.
func answer(c *unixsock.FileConn, out *brokerdv1.FileUploadResult, err error) error {
	if err != nil {
		st, ok := status.FromError(err) // of a panic
		if !ok {
			st = statusOf(classify(err))
		}
		m := st.Proto()
		out.Code, out.Message, out.Details, out.Response = m.GetCode(), m.GetMessage(), m.GetDetails(), nil
	}
	return write(c, out)
}

func write(c *unixsock.FileConn, m proto.Message) error {
	raw, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("encoding an answer: %w", err)
	}
	return c.Write(raw)
}
