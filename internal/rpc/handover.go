package rpc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/filereader"
	"github.com/brokerd/brokerd/internal/quota"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/unixsock"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// maxHandovers is the largest number of open connections that hand over files, idle
// ones included.
const maxHandovers = 1024

// descriptorsPerHandover are the connection, the socket and the pipe to the process that
// reads the file, and two for the delivery.
const descriptorsPerHandover = 5

// busyRetryAfter is the delay that a caller is told when all connections are in use: they
// are free again soon.
const busyRetryAfter = 500 * time.Millisecond

// retryAfter is the delay that a caller is told when the source of an error names none.
const retryAfter = 2 * time.Second

// handover serves connections on which files are handed over. A peer sends a
// FileUpload with one descriptor and reads its answers; then it may send the next. The
// daemon opens no path, so that it reads only files that the peer could open itself. It
// takes no descriptor either: package filereader receives it in another process.
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
	msg, err := h.request(c)
	if err != nil {
		var known *reason.Error
		if errors.As(err, &known) {
			_ = answer(c, &brokerdv1.FileUploadResult{}, known) // the connection is closed anyway
		}
		return false
	}
	out := &brokerdv1.FileUploadResult{}
	taken, err := h.receive(c, p, msg, out)
	if errors.Is(err, errPeerLeft) {
		return false
	}
	if answer(c, out, err) != nil {
		return false
	}
	// A message that is still in the socket came with a descriptor that this process
	// must not receive.
	return taken || c.Discard() == nil
}

// request waits for the next upload, whose descriptor stays in the socket. It returns a
// *reason.Error for the peer. After any other error the peer cannot be told.
func (h *handover) request(c *unixsock.FileConn) (*brokerdv1.FileUpload, error) {
	// A server that stops does not wait for an idle connection.
	raw, err := c.Next(h.s.intake.Waiting(), time.Now().Add(h.s.policy.Config().Limits.IdleTimeout.Std()))
	if err != nil {
		return nil, err
	}
	msg := &brokerdv1.FileUpload{}
	if err := proto.Unmarshal(raw, msg); err != nil {
		return nil, reason.New(reason.ProtocolViolation, "the message is not a FileUpload: %v", err)
	}
	return msg, nil
}

var errPeerLeft = errors.New("the peer closed the connection, or sent something, before the answer")

// receive takes one file in, and watches the peer meanwhile. taken reports whether the
// peer's message, with its descriptor, has left the socket.
func (h *handover) receive(
	c *unixsock.FileConn,
	p access.Peer,
	msg *brokerdv1.FileUpload,
	out *brokerdv1.FileUploadResult,
) (taken bool, err error) {
	defer h.s.recovered("FileUpload", &err)
	ctx, cancel := context.WithCancelCause(h.life)
	defer cancel(nil)
	if msg.GetHeader() == nil || msg.GetHeader().Size == nil {
		return false, reason.New(reason.ProtocolViolation, "a FileUpload needs a header with the size")
	}
	// Before the rules have allowed the upload, no process looks at the file.
	header := headerOf(msg.GetHeader())
	if err := h.s.intake.Admissible(p, header); err != nil {
		return false, err
	}
	beat := startHeartbeat(c)
	defer beat.stop()
	body, taken, err := h.openFile(ctx, c, p, msg, fileSender{beat, out}.Announce)
	if err != nil {
		return taken, err
	}
	defer body.Close()
	watch, err := c.Watch(func() { cancel(errPeerLeft) })
	if err != nil {
		return taken, err
	}
	defer watch.Stop()
	outcome, err := h.s.intake.Receive(ctx, p, header, body)
	watch.Stop()
	beat.stop()
	if err == nil {
		out.Response, out.UploadId = uploadResponse(outcome), outcome.ID
		return taken, nil
	}
	if ctx.Err() == nil {
		return taken, err
	}
	if errors.Is(context.Cause(ctx), errPeerLeft) {
		return taken, errPeerLeft
	}
	return taken, reason.New(reason.ShuttingDown, "the daemon stopped before the upload had ended").After(retryAfter)
}

// openFile lets the process that reads files receive the peer's file.
func (h *handover) openFile(
	ctx context.Context,
	c *unixsock.FileConn,
	p access.Peer,
	msg *brokerdv1.FileUpload,
	announce func(id string) error,
) (*filereader.File, bool, error) {
	if h.s.o.Files == nil {
		return nil, false, reason.New(reason.DescriptorRefused, "this daemon reads no files of others; send the bytes in a stream")
	}
	conn, n := c.Waiting()
	f, taken, err := h.s.o.Files.Open(ctx, filereader.Request{
		Conn: conn, Message: n, UID: p.UID, Offset: msg.GetOffset(), Size: msg.GetHeader().GetSize(),
		Idle: h.s.policy.Config().Limits.IdleTimeout.Std(), Announce: announce,
	})
	if taken {
		c.Taken()
	}
	var known *reason.Error
	if errors.As(err, &known) && known.Reason == reason.TooManyFiles {
		h.s.lines.Warn(h.s.policy.Party(p), string(known.Reason), "a handed-over file could not be received",
			zap.String("reason", string(known.Reason)), zap.Error(known))
	}
	return f, taken, err
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
