//go:build linux

package hostile

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// sharesAttacks try to take all of a resource that users share.
func sharesAttacks() []Attack {
	var out []Attack
	add := func(name string, as Actor, try func(ctx context.Context, t *Target) Outcome, check ...func(*testing.T, *arena) string) {
		a := Attack{Area: "shares", Name: as.Name + " " + name, As: as, Try: try}
		if len(check) > 0 {
			a.Check = check[0]
			a.Prepare = func(t *testing.T, a *arena) { a.firstKeyed = a.keyed(t) }
		}
		out = append(out, a)
	}
	for _, as := range []Actor{mallory, bob} {
		add("10,000 idle connections", as, idleConnections)
		add("header blocks without an end", as, endlessHeaders)
		add("unary calls that stop in their message", as, stalledCalls)
		add("rapid reset on four connections", as, rapidReset)
		add("connections that say nothing", as, silentConnections)
	}
	add("reflection streams that are not read", bob, unreadReflection)
	add("2,500 health watches", bob, healthWatches)
	add("slow streams of 66 kB", bob, slowStreams)
	add("1,000 streams of a byte", bob, byteStreams)
	add("2,000 hand-over connections", bob, handoverConnections)
	add("1,000 verifications", bob, verifications)
	add("1-byte DATA frames", bob, tinyFrames)
	add("10,100 failed uploads with keys", bob, failedUploads, aliceIsRepeated)
	add("refusals by the thousand in the log", bob, refusals, logIsSmall)
	add("refused connections by the thousand in the log", mallory, refusedConnections, logIsSmall)
	add("pipelined scrapes of the metrics", eve, scrapes)
	add("silent connections to the metrics", eve, silentScrapers)
	add("sessions of 300 user ids", Actor{
		Name: "bob", UID: manyUIDs, GID: manyUIDs, Groups: []uint32{connectGID, loggersGID},
	}, oneOfManyUIDs)
	return out
}

// standing lets alice upload while the attack stands, and judges nothing else: the harness
// looks at her latency, and at whether the daemon is alive.
func standing(t *Target, format string, args ...any) Outcome {
	l := t.Honest(12)
	return held("%s; alice meanwhile %s", fmt.Sprintf(format, args...), l)
}

func connect(t *Target) (net.Conn, error) {
	c, err := net.Dial("unix", t.Socket)
	if err == nil {
		_ = c.SetDeadline(time.Now().Add(attackTimeout)) // fails only on a closed connection
	}
	return c, err
}

// closeAll closes connections.
func closeAll(all []net.Conn) {
	for _, c := range all {
		_ = c.Close()
	}
}

// connections opens up to n connections, and says the preface on each.
func connections(t *Target, n int) []net.Conn {
	var all []net.Conn
	for range n {
		c, err := connect(t)
		if err != nil {
			break
		}
		_, _ = io.WriteString(c, http2.ClientPreface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00") // the daemon may have refused
		all = append(all, c)
	}
	return all
}

func idleConnections(_ context.Context, t *Target) Outcome {
	all := connections(t, 10_000)
	defer closeAll(all)
	return standing(t, "%d connections were made", len(all))
}

func silentConnections(_ context.Context, t *Target) Outcome {
	var all []net.Conn
	for range 3000 {
		c, err := connect(t)
		if err != nil {
			break
		}
		all = append(all, c)
	}
	defer closeAll(all)
	return standing(t, "%d silent connections were made", len(all))
}

// attackerConn speaks HTTP/2 by hand.
type attackerConn struct {
	*http2.Framer
	net.Conn
	block bytes.Buffer
	enc   *hpack.Encoder
}

func http2To(t *Target) (*attackerConn, error) {
	conn, err := connect(t)
	if err != nil {
		return nil, err
	}
	c := &attackerConn{Framer: http2.NewFramer(conn, conn), Conn: conn}
	c.enc = hpack.NewEncoder(&c.block)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, c.WriteSettings()
}

func (c *attackerConn) call(id uint32, method string) error {
	c.block.Reset()
	for _, f := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", method}, {":authority", "x"},
		{"content-type", "application/grpc"}, {"te", "trailers"}} {
		if err := c.enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			return err
		}
	}
	return c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block.Bytes(), EndHeaders: true})
}

// message writes the head of a gRPC message of n bytes, and the bytes that come.
func (c *attackerConn) message(id uint32, n int, come []byte) error {
	data := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(n)), come...)
	for len(data) > 0 {
		piece := data[:min(len(data), 16<<10)]
		if err := c.WriteData(id, false, piece); err != nil {
			return err
		}
		data = data[len(piece):]
	}
	return nil
}

// onConnections runs try on n connections at a time, until ctx ends or each has returned.
func onConnections(t *Target, n int, try func(c *attackerConn) int) (opened, done int) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			c, err := http2To(t)
			if err != nil {
				return
			}
			defer func() { _ = c.Close() }()
			got := try(c)
			mu.Lock()
			opened, done = opened+1, done+got
			mu.Unlock()
		})
	}
	wg.Wait()
	return opened, done
}

func endlessHeaders(_ context.Context, t *Target) Outcome {
	_, sent := onConnections(t, 30, func(c *attackerConn) int {
		for i := range 30 {
			_ = c.enc.WriteField(hpack.HeaderField{Name: "x", Value: strings.Repeat(string(rune('a'+i)), 500), Sensitive: true}) // to memory
		}
		piece := c.block.Bytes()[:12<<10]
		sent := 0
		err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: piece})
		for err == nil && sent < 16<<20 {
			sent += len(piece)
			err = c.WriteContinuation(1, false, piece)
		}
		return sent
	})
	if sent > 30*1<<20 {
		return gotIn("%d MiB of header blocks were taken in", sent>>20)
	}
	return standing(t, "%d KiB of header blocks were taken in", sent>>10)
}

func stalledCalls(_ context.Context, t *Target) Outcome {
	var all []net.Conn
	defer func() { closeAll(all) }()
	streams := 0
	for range 58 {
		c, err := http2To(t)
		if err != nil {
			break
		}
		all = append(all, c)
		go func() { _, _ = io.Copy(io.Discard, c.Conn) }() // its answers
		for id := uint32(1); id < 32; id += 2 {
			if c.call(id, brokerdv1.BrokerService_VerifyAccess_FullMethodName) != nil || c.message(id, 500_000, make([]byte, 240_000)) != nil {
				break
			}
			streams++
		}
	}
	return standing(t, "%d calls stopped in their message", streams)
}

func rapidReset(ctx context.Context, t *Target) Outcome {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	resets := 0
	for range 4 {
		go func() {
			for ctx.Err() == nil {
				c, err := http2To(t)
				if err != nil {
					return
				}
				go func() { _, _ = io.Copy(io.Discard, c.Conn) }() // its answers
				n := 0
				for id := uint32(1); ctx.Err() == nil; id += 2 {
					if c.call(id, brokerdv1.BrokerService_Upload_FullMethodName) != nil || c.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
						break
					}
					n++
				}
				_ = c.Close()
				mu.Lock()
				resets += n
				mu.Unlock()
			}
		}()
	}
	l := t.Honest(12)
	mu.Lock()
	defer mu.Unlock()
	return held("%d calls were given up; alice meanwhile %s", resets, l)
}

func unreadReflection(_ context.Context, t *Target) Outcome {
	var all []net.Conn
	defer func() { closeAll(all) }()
	streams := 0
	for range 10 {
		c, err := http2To(t)
		if err != nil {
			break
		}
		all = append(all, c)
		for id := uint32(1); id < 400; id += 2 {
			err := c.call(id, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
			for range 20 {
				if err == nil {
					err = c.message(id, 2, []byte{0x3a, 0}) // list the services
				}
			}
			if err != nil {
				break
			}
			streams++
		}
	}
	return standing(t, "%d streams whose answers are not read", streams)
}

func healthWatches(_ context.Context, t *Target) Outcome {
	var all []net.Conn
	defer func() { closeAll(all) }()
	watches := 0
	for range 25 {
		c, err := http2To(t)
		if err != nil {
			break
		}
		all = append(all, c)
		for id := uint32(1); id < 200; id += 2 {
			if c.call(id, "/grpc.health.v1.Health/Watch") != nil || c.message(id, 0, nil) != nil {
				break
			}
			watches++
		}
	}
	return standing(t, "%d watches were asked for", watches)
}

// trickle uploads n bytes in each of some streams, and then a byte now and then.
func trickle(ctx context.Context, t *Target, streams, n int) (open int, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	started := make(chan bool, streams)
	for range streams {
		wg.Go(func() {
			c := t.dial()
			defer func() { _ = c.Close() }()
			s, err := c.Broker().Upload(ctx)
			if err == nil {
				err = s.Send(&brokerdv1.UploadRequest{Part: &brokerdv1.UploadRequest_Header{
					Header: &brokerdv1.UploadHeader{Destination: "dumps", Name: "slow"}}})
			}
			chunk := make([]byte, n)
			for len(chunk) > 0 && err == nil {
				piece := chunk[:min(len(chunk), 60<<10)]
				chunk = chunk[len(piece):]
				err = s.Send(&brokerdv1.UploadRequest{Part: &brokerdv1.UploadRequest_Chunk{Chunk: piece}})
			}
			started <- err == nil
			for err == nil {
				select {
				case <-ctx.Done():
					return
				case <-time.After(2 * time.Second):
				}
				err = s.Send(&brokerdv1.UploadRequest{Part: &brokerdv1.UploadRequest_Chunk{Chunk: []byte("x")}})
			}
		})
	}
	for range streams {
		if <-started {
			open++
		}
	}
	return open, func() { cancel(); wg.Wait() }
}

func slowStreams(ctx context.Context, t *Target) Outcome {
	open, stop := trickle(ctx, t, 16, 66_000)
	defer stop()
	return standing(t, "%d slow streams", open)
}

func byteStreams(ctx context.Context, t *Target) Outcome {
	open, stop := trickle(ctx, t, 1000, 1)
	defer stop()
	return standing(t, "%d streams of a byte were begun", open)
}

func handoverConnections(_ context.Context, t *Target) Outcome {
	var all []net.Conn
	defer func() { closeAll(all) }()
	for range 2000 {
		c, err := connect(t)
		if err != nil {
			break
		}
		_, _ = io.WriteString(c, "brokerd-file-1\n") // the daemon may have refused
		all = append(all, c)
	}
	return standing(t, "%d hand-over connections were made", len(all))
}

func verifications(ctx context.Context, t *Target) Outcome {
	c := t.dial()
	defer func() { _ = c.Close() }()
	done := 0
	for range 1000 {
		s, err := c.Broker().VerifyAccess(ctx, &brokerdv1.VerifyAccessRequest{Destination: "dumps"})
		for err == nil {
			_, err = s.Recv()
		}
		if errors.Is(err, io.EOF) {
			done++
		}
	}
	if done > 100 {
		return gotIn("%d verifications ran", done)
	}
	return standing(t, "%d of 1,000 verifications ran", done)
}

func tinyFrames(_ context.Context, t *Target) Outcome {
	_, sent := onConnections(t, 7, func(c *attackerConn) int {
		go func() { _, _ = io.Copy(io.Discard, c.Conn) }() // its answers
		if c.call(1, brokerdv1.BrokerService_Upload_FullMethodName) != nil || c.message(1, 500_000, nil) != nil {
			return 0
		}
		sent := 0
		for sent < 1_000_000 && c.WriteData(1, false, []byte{0}) == nil {
			sent++
		}
		return sent
	})
	return standing(t, "%d frames of a byte were sent", sent)
}

func failedUploads(ctx context.Context, t *Target) Outcome {
	c := t.dial()
	defer func() { _ = c.Close() }()
	for i := range 10_100 {
		s, err := c.Broker().Upload(ctx)
		if err != nil {
			return held("after %d uploads: %s", i, short(err))
		}
		_ = s.Send(&brokerdv1.UploadRequest{Part: &brokerdv1.UploadRequest_Header{ // its answer says why
			Header: &brokerdv1.UploadHeader{Destination: "dumps", Name: "n", IdempotencyKey: fmt.Sprint("key-", i)}}})
		_, _ = s.CloseAndRecv() // it has no trailer
	}
	return standing(t, "10,100 uploads failed")
}

// aliceIsRepeated uploads under a key that alice used before the attack.
func aliceIsRepeated(t *testing.T, a *arena) string {
	if again := a.keyed(t); again != a.firstKeyed {
		return fmt.Sprintf("the same key of alice is %s and %s", a.firstKeyed, again)
	}
	return ""
}

func refusals(ctx context.Context, t *Target) Outcome {
	c := t.dial()
	defer func() { _ = c.Close() }()
	const n = 20_000
	for range n {
		_, err := c.Broker().GetCredentials(ctx, &brokerdv1.GetCredentialsRequest{Destination: "audit-logs"})
		if err == nil {
			return gotIn("credentials of another destination")
		}
	}
	return standing(t, "%d calls were refused", n)
}

func refusedConnections(_ context.Context, t *Target) Outcome {
	const n = 20_000
	for range n {
		c, err := connect(t)
		if err != nil {
			return held("connecting failed: %v", err)
		}
		_, _ = io.ReadAll(c) // the refusal
		_ = c.Close()
	}
	return standing(t, "%d connections were refused", n)
}

// logIsSmall looks at the size of the log, which alice's own lines are a part of.
func logIsSmall(_ *testing.T, a *arena) string {
	text, err := os.ReadFile(a.daemon.log)
	if err != nil {
		return err.Error()
	}
	if n := bytes.Count(text, []byte("refused")); n > 2000 {
		return fmt.Sprintf("%d lines about refusals are in the log, %d KiB in all", n, len(text)>>10)
	}
	return ""
}

func scrapes(_ context.Context, t *Target) Outcome {
	var all []net.Conn
	defer func() { closeAll(all) }()
	request := strings.Repeat("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 40)
	for range 1500 {
		c, err := net.Dial("tcp", t.Metrics)
		if err != nil {
			break
		}
		_, _ = io.WriteString(c, request) // the daemon may have closed
		all = append(all, c)
	}
	return standing(t, "%d connections with 40 scrapes each", len(all))
}

func silentScrapers(_ context.Context, t *Target) Outcome {
	var all []net.Conn
	defer func() { closeAll(all) }()
	for range 3000 {
		c, err := net.Dial("tcp", t.Metrics)
		if err != nil {
			break
		}
		all = append(all, c)
	}
	return standing(t, "%d silent connections", len(all))
}

// oneOfManyUIDs holds what a user id of a group may hold. The group's share is that of one user.
func oneOfManyUIDs(ctx context.Context, t *Target) Outcome {
	open, stop := trickle(ctx, t, 200, 1)
	defer stop()
	all := connections(t, 3000)
	defer closeAll(all)
	return standing(t, "%d streams and %d connections of one user id of a range", open, len(all))
}
