package rpc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/reason"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// handoverMagic opens a connection whose uploads are open files. No HTTP/2
// connection begins like it.
const handoverMagic = "brokerd-file-1\n"

const (
	// maxHandovers is how many such connections may be open, idle ones included.
	maxHandovers = 1024
	// answerWait is how long a peer may leave an answer unread.
	answerWait = 10 * time.Second
)

// handover serves connections on which files are handed over. A peer sends a
// FileUpload with one descriptor and reads its answers, then it may send the
// next. This side never opens a path, so that what is read is what the peer
// could read itself.
//
// A connection is served inside its handshake: gRPC waits for handshakes when it
// stops, and so for these connections.
type handover struct {
	s    *Server
	open *semaphore.Weighted
	// life ends when the server cuts what is still open.
	life context.Context
	cut  context.CancelFunc
}

func newHandover(s *Server) *handover {
	h := &handover{s: s, open: semaphore.NewWeighted(maxHandovers)}
	h.life, h.cut = context.WithCancel(context.Background())
	return h
}

// serve answers on a connection that has said the magic, until it ends, and
// closes it.
func (h *handover) serve(w *wire, p access.Peer) {
	defer func() { _ = w.conn.Close() }() // what had to be said was written
	defer w.drop()
	if !h.open.TryAcquire(1) {
		full := reason.New(reason.TooManyConnections, "%d connections that hand over files are open; close idle ones", maxHandovers)
		full.RetryAfter = retryAfter
		_ = w.answer(&brokerdv1.FileUploadResult{}, full) // it is closed anyway
		return
	}
	defer h.open.Release(1)
	for h.one(w, p) {
	}
}

// one serves one upload and says whether another may follow.
func (h *handover) one(w *wire, p access.Peer) (more bool) {
	msg, f, err := h.request(w)
	if err != nil {
		var said *reason.Error
		if errors.As(err, &said) {
			_ = w.answer(&brokerdv1.FileUploadResult{}, said) // it is closed anyway
		}
		return false
	}
	defer func() { _ = f.Close() }() // only read from
	out := &brokerdv1.FileUploadResult{}
	err = h.receive(w, p, msg, f, out)
	if errors.Is(err, errPeerLeft) {
		return false
	}
	return w.answer(out, err) == nil
}

// request waits for the next upload. It returns a *reason.Error when the peer is to be
// told what is wrong, any other error when there is nobody to be told.
func (h *handover) request(w *wire) (*brokerdv1.FileUpload, *os.File, error) {
	if err := w.conn.SetReadDeadline(time.Now().Add(h.s.config().Limits.IdleTimeout.Std())); err != nil {
		return nil, nil, err
	}
	// A server that stops waits for no connection that has nothing to do.
	unhook := context.AfterFunc(h.s.watching, func() { _ = w.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer unhook()
	raw, err := w.next()
	if err != nil {
		return nil, nil, err
	}
	msg := &brokerdv1.FileUpload{}
	if err := proto.Unmarshal(raw, msg); err != nil {
		return nil, nil, violation("the message is not a FileUpload: %v", err)
	}
	f, err := w.file()
	return msg, f, err
}

var errPeerLeft = errors.New("the peer closed the connection, or sent something, before the answer")

// receive puts the file through the one way in, watching the peer meanwhile.
func (h *handover) receive(w *wire, p access.Peer, msg *brokerdv1.FileUpload, f *os.File, out *brokerdv1.FileUploadResult) (err error) {
	defer h.s.recovered("FileUpload", &err)
	ctx, cancel := context.WithCancelCause(h.life)
	defer cancel(nil)
	if msg.GetHeader() == nil || msg.GetHeader().Size == nil {
		return violation("a FileUpload needs a header with the size")
	}
	b, err := newFileBody(ctx, f, msg.GetOffset(), msg.GetHeader().GetSize())
	if err != nil {
		return err
	}
	stop, err := w.watch(func() { cancel(errPeerLeft) })
	if err != nil {
		return err
	}
	defer stop()
	resp, err := h.s.receive(ctx, p, msg.GetHeader(), incoming{Body: b, verify: b.verify, accepted: func(id string) error {
		out.UploadId = id
		return w.write(&brokerdv1.FileUploadResult{UploadId: id})
	}})
	stop()
	out.Response = resp
	if resp.GetUploadId() != "" {
		out.UploadId = resp.GetUploadId()
	}
	if err == nil || ctx.Err() == nil {
		return err
	}
	if errors.Is(context.Cause(ctx), errPeerLeft) {
		return errPeerLeft
	}
	return reason.New(reason.ShuttingDown, "the daemon stopped before the upload had ended").After(retryAfter)
}

func violation(format string, args ...any) *reason.Error {
	return reason.New(reason.ProtocolViolation, format, args...)
}

// wire is the exchange of messages on one connection: each is a length of four
// bytes, big-endian, and so many bytes.
type wire struct {
	conn  *net.UnixConn
	files []*os.File // that came and were not taken
	lost  bool       // more came than there was room for
}

// maxRequest bounds a FileUpload, in bytes: a valid header is far smaller.
const maxRequest = 16 << 10

// next reads a message. io.EOF: the peer has closed where a message would begin.
func (w *wire) next() ([]byte, error) {
	var head [4]byte
	if err := w.full(head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxRequest {
		return nil, violation("a message of %d bytes: at most %d are taken", n, maxRequest)
	}
	raw := make([]byte, n)
	if err := w.full(raw); err != nil {
		return nil, fmt.Errorf("reading a message: %w", noEOF(err))
	}
	return raw, nil
}

// read reads once, and keeps what descriptors come along.
func (w *wire) read(dst []byte) (int, error) {
	n, files, lost, err := readRights(w.conn, dst)
	w.files, w.lost = append(w.files, files...), w.lost || lost
	if len(w.files) > 1 { // two are as wrong as many
		w.lost = true
		w.drop()
	}
	return n, err
}

// full fills dst.
func (w *wire) full(dst []byte) error {
	for n := 0; n < len(dst); {
		got, err := w.read(dst[n:])
		if err != nil {
			if n > 0 {
				err = noEOF(err)
			}
			return err
		}
		n += got
	}
	return nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// file takes the one descriptor that came with a message.
func (w *wire) file() (*os.File, error) {
	defer w.drop()
	switch {
	case w.lost:
		w.lost = false
		return nil, violation("more than one descriptor came: send exactly one with each message")
	case len(w.files) == 0:
		return nil, violation("no descriptor came: send exactly one with each message")
	}
	f := w.files[0]
	w.files = nil
	return f, nil
}

func (w *wire) drop() {
	for _, f := range w.files {
		_ = f.Close()
	}
	w.files = nil
}

// watch calls left when the peer closes its side, or says anything. It does so
// until stop returns.
func (w *wire) watch(left func()) (stop func(), err error) {
	if err := w.conn.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	var stopped atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		var one [1]byte
		_, err := w.read(one[:])
		if err == nil || !stopped.Load() || !errors.Is(err, os.ErrDeadlineExceeded) {
			left()
		}
	}()
	return func() {
		stopped.Store(true)
		_ = w.conn.SetReadDeadline(time.Unix(1, 0)) // only fails on a closed connection, which ends the read too
		<-done
	}, nil
}

// answer ends an upload.
func (w *wire) answer(out *brokerdv1.FileUploadResult, err error) error {
	if err != nil {
		said, ok := status.FromError(err) // a fault, or what became of a panic
		if !ok {
			said = statusOf(classify(err))
		}
		st := said.Proto()
		out.Code, out.Message, out.Details, out.Response = st.GetCode(), st.GetMessage(), st.GetDetails(), nil
	}
	return w.write(out)
}

func (w *wire) write(m proto.Message) error {
	raw, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("encoding an answer: %w", err)
	}
	if err := w.conn.SetWriteDeadline(time.Now().Add(answerWait)); err != nil {
		return fmt.Errorf("answering: %w", err)
	}
	if _, err := w.conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(raw))), raw...)); err != nil {
		return fmt.Errorf("answering: %w", err)
	}
	return nil
}
