package rpc

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// stalled opens a call over a connection of its own, and sends the beginning of its message.
func stalled(t *testing.T, path, method string, begin []byte) {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	fr := http2.NewFramer(conn, conn)
	if err := fr.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	block := headerBlock(t, method)
	if err := fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true}); err != nil {
		t.Fatal(err)
	}
	if err := fr.WriteData(1, false, begin); err != nil {
		t.Fatal(err)
	}
	// The server has read the frames before it answers this ping.
	if err := fr.WritePing(false, [8]byte{7}); err != nil {
		t.Fatal(err)
	}
	for {
		f, err := fr.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if p, ok := f.(*http2.PingFrame); ok && p.IsAck() && p.Data == [8]byte{7} {
			break
		}
	}
	go func() { // gRPC waits 5 s for a client that answers no ping
		for {
			f, err := fr.ReadFrame()
			if err != nil {
				return
			}
			if p, ok := f.(*http2.PingFrame); ok && !p.IsAck() {
				_ = fr.WritePing(true, p.Data)
			}
		}
	}()
}

func headerBlock(t *testing.T, method string) []byte {
	t.Helper()
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, f := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", method}, {":authority", "brokerd"},
		{"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		if err := enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			t.Fatal(err)
		}
	}
	return block.Bytes()
}

// Calls whose message does not come do not delay a stop by its grace time.
func TestACallThatSendsNoMessageDoesNotDelayTheStop(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		begin  []byte
	}{
		"a unary call":             {brokerdv1.AdminService_GetStatus_FullMethodName, []byte{0, 0, 0, 1, 0, 1}},
		"a stream of the server":   {brokerdv1.BrokerService_VerifyAccess_FullMethodName, []byte{0, 0}},
		"an upload, no header":     {brokerdv1.BrokerService_Upload_FullMethodName, nil},
		"an upload, half of it":    {brokerdv1.BrokerService_Upload_FullMethodName, []byte{0, 0, 0, 1, 0, 1}},
		"health, a call of gRPC's": {"/grpc.health.v1.Health/Watch", []byte{0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := serverFor(t)
			stalled(t, d.path, c.method, c.begin)
			const grace = time.Minute
			ctx, cancel := context.WithTimeout(t.Context(), grace)
			defer cancel()
			if !d.server.Stop(ctx) {
				t.Error("the stop took the whole grace time")
			}
		})
	}
}
