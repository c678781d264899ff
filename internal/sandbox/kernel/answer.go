package kernel

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answerWriter buffers an answer until the handler is done, so that a client that
// reads slowly never keeps a lock held. Object data streams.
type answerWriter struct {
	http.ResponseWriter
	status    int
	streaming bool
	kept      bytes.Buffer
	fault     Fault
	sent      int64 // bytes of the body
	cut       bool  // the connection was dropped
}

func (w *answerWriter) WriteHeader(code int) {
	w.status = code
	if w.streaming {
		w.send(code)
	}
}

func (w *answerWriter) Write(p []byte) (int, error) {
	if !w.streaming {
		return w.kept.Write(p)
	}
	return w.write(p)
}

// blank discards the buffered answer, for another one. Headers stay.
func (w *answerWriter) blank() *answerWriter {
	w.kept.Reset()
	w.status = 0
	w.Header().Del("Content-Length")
	return w
}

var errCut = errors.New("the connection was dropped on request")

// finish sends the buffered answer as the fault wants it. A client that has disconnected
// is no error.
func (w *answerWriter) finish(f Fault) {
	if !w.streaming {
		if w.status == 0 {
			return
		}
		w.streaming, w.fault = true, f
		if w.kept.Len() > 0 {
			w.Header().Set("Content-Length", strconv.Itoa(w.kept.Len()))
		}
		w.send(w.status)
		_, _ = w.write(w.kept.Bytes())
	}
	if f.Reset == ResetAfterResponse && !w.cut {
		w.drop()
	}
}

// send sends the status and headers, unless the fault loses the answer.
func (w *answerWriter) send(code int) {
	if w.fault.Reset == ResetBeforeResponse {
		w.drop()
		return
	}
	useAWSCase(w.Header())
	w.ResponseWriter.WriteHeader(code)
}

// useAWSCase gives header names the case that AWS sends: x-amz-… in lower case, and ETag.
// net/http would send X-Amz-…, and clients that keep the case show user metadata under other names.
func useAWSCase(h http.Header) {
	for name, values := range h {
		var sent string
		switch {
		case name == "Etag":
			sent = "ETag"
		case name == "X-Amzn-Requestid":
			sent = "x-amzn-RequestId"
		case strings.HasPrefix(name, "X-Amz-"):
			sent = strings.ToLower(name)
		default:
			continue
		}
		delete(h, name)
		h[sent] = values
	}
}

// drop flushes the buffer of net/http and closes the connection with a reset.
func (w *answerWriter) drop() {
	w.cut = true
	if w.sent > 0 || w.fault.Reset == ResetAfterResponse {
		// The client may receive the reset before the bytes.
		_ = http.NewResponseController(w.ResponseWriter).Flush()
	}
	resetConnection(w.ResponseWriter)
}

func (w *answerWriter) write(p []byte) (int, error) {
	if w.cut {
		return 0, errCut
	}
	limit := int64(len(p))
	if w.fault.Truncate > 0 {
		limit = min(limit, w.fault.Truncate-w.sent)
	}
	n, err := w.paced(p[:limit])
	w.sent += int64(n)
	if err == nil && limit < int64(len(p)) {
		w.drop()
		err = errCut
	}
	return n, err
}

// paced writes at the fault's speed.
func (w *answerWriter) paced(p []byte) (int, error) {
	speed := w.fault.BytesPerSecond
	if speed == 0 {
		return w.ResponseWriter.Write(p)
	}
	step := int(max(1, speed/20)) // 50 ms each
	total := 0
	for len(p) > 0 {
		n, err := w.ResponseWriter.Write(p[:min(step, len(p))])
		total += n
		if err != nil {
			return total, err
		}
		p = p[n:]
		if err := http.NewResponseController(w.ResponseWriter).Flush(); err != nil {
			return total, err
		}
		time.Sleep(time.Duration(n) * time.Second / time.Duration(speed))
	}
	return total, nil
}

// answerWriter has no ReadFrom: io.Copy uses Write, which paces and truncates.
var _ io.Writer = (*answerWriter)(nil)

type resetError struct{}

func (*resetError) Error() string { return "connection reset on request" }

// resetConnection closes the TCP connection with a reset.
func resetConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	raw := conn
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		raw = t.NetConn()
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it the client sees a regular close
	}
	_ = raw.Close()
}
