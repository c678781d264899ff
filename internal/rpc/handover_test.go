//go:build linux

package rpc

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/quota"
	"github.com/brokerd/brokerd/internal/unixsock"
	"github.com/brokerd/brokerd/internal/uploader"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// giver hands files to a daemon, byte by byte as the test says.
type giver struct {
	*net.UnixConn
	t *testing.T
}

func (d *daemonUnderTest) giver(t *testing.T) *giver {
	t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: d.path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &giver{conn, t}
}

func fileUpload(name string, offset, size uint64) *brokerdv1.FileUpload {
	return &brokerdv1.FileUpload{Header: &brokerdv1.UploadHeader{Destination: "logs", Name: name, Size: &size}, Offset: offset}
}

func framed(t *testing.T, m proto.Message) []byte {
	t.Helper()
	raw, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(raw))), raw...)
}

func (g *giver) send(data []byte, fds ...int) {
	g.t.Helper()
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	if _, _, err := g.WriteMsgUnix(data, oob, nil); err != nil {
		g.t.Fatal(err)
	}
}

func (g *giver) answer() (*brokerdv1.FileUploadResult, error) {
	var head [4]byte
	if _, err := io.ReadFull(g, head[:]); err != nil {
		return nil, err
	}
	raw := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(g, raw); err != nil {
		return nil, err
	}
	out := &brokerdv1.FileUploadResult{}
	return out, proto.Unmarshal(raw, out)
}

// final skips the answer that only says the id.
func (g *giver) final() *brokerdv1.FileUploadResult {
	g.t.Helper()
	for {
		out, err := g.answer()
		if err != nil {
			g.t.Fatal(err)
		}
		if out.GetCode() != 0 || out.GetResponse() != nil {
			return out
		}
	}
}

func reasonIn(t *testing.T, out *brokerdv1.FileUploadResult) string {
	t.Helper()
	for _, d := range out.GetDetails() {
		info := &errdetails.ErrorInfo{}
		if d.UnmarshalTo(info) == nil {
			return info.GetReason()
		}
	}
	return ""
}

func fileOf(t *testing.T, data []byte) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestFilesAreHandedOverOneAfterTheOther(t *testing.T) {
	d := serverFor(t)
	data := bytes.Repeat([]byte("0123456789abcdef"), 40_000)
	f := fileOf(t, data)
	if _, err := f.Seek(77, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	g := d.giver(t)
	g.send(append([]byte(unixsock.FileMagic), framed(t, fileUpload("whole", 0, uint64(len(data))))...), int(f.Fd()))
	first, err := g.answer()
	if err != nil || first.GetUploadId() == "" || first.GetResponse() != nil {
		t.Fatalf("the first answer: %v, %v", first, err)
	}
	last := g.final()
	if last.GetCode() != 0 || last.GetUploadId() != first.GetUploadId() ||
		last.GetResponse().GetState() != brokerdv1.UploadState_UPLOAD_STATE_STORED {
		t.Fatalf("the last answer: %v", last)
	}
	g.send(framed(t, fileUpload("middle", 16, 32)), int(f.Fd()))
	_ = g.final()
	g.send(framed(t, fileUpload("empty", 0, 0)), int(f.Fd()))
	_ = g.final()
	if !bytes.Equal(d.sink.objects["logs/whole"], data) || string(d.sink.objects["logs/middle"]) != string(data[16:48]) ||
		len(d.sink.objects) != 3 {
		t.Error("what arrived is not what was handed over")
	}
	if at, err := f.Seek(0, io.SeekCurrent); err != nil || at != 77 {
		t.Errorf("the file's offset was moved to %d, %v", at, err)
	}
	if d.meter.reasons["STORED"] != 3 || d.logs.FilterMessage("upload stored").Len() != 3 {
		t.Errorf("counted %v", d.meter.reasons)
	}
}

// The kernel may give a message in any pieces; the descriptor comes with the first byte.
func TestAHandOverInSingleBytesArrives(t *testing.T) {
	d := serverFor(t)
	f := fileOf(t, []byte("slowly"))
	g := d.giver(t)
	all := append([]byte(unixsock.FileMagic), framed(t, fileUpload("slow", 0, 6))...)
	g.send(all[:1], int(f.Fd()))
	for i := 1; i < len(all); i++ {
		g.send(all[i : i+1])
	}
	if out := g.final(); out.GetCode() != 0 || string(d.sink.objects["logs/slow"]) != "slowly" {
		t.Errorf("got %v", out)
	}
}

func TestDescriptorsThatAreNotTaken(t *testing.T) {
	regular := fileOf(t, []byte("some bytes"))
	open := func(path string, flags int) int {
		t.Helper()
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Close(fd) })
		return fd
	}
	pipe := make([]int, 2)
	if err := unix.Pipe2(pipe, unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(pipe[0]); _ = unix.Close(pipe[1]) })
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(socket) })
	ok := int(regular.Fd())
	for name, tc := range map[string]struct {
		fds    []int
		msg    *brokerdv1.FileUpload
		reason string
	}{
		"none":                   {nil, fileUpload("n", 0, 5), "PROTOCOL_VIOLATION"},
		"two":                    {[]int{ok, ok}, fileUpload("n", 0, 5), "PROTOCOL_VIOLATION"},
		"a hundred":              {slicesOf(ok, 100), fileUpload("n", 0, 5), "PROTOCOL_VIOLATION"},
		"a pipe":                 {pipe[:1], fileUpload("n", 0, 5), "DESCRIPTOR_REFUSED"},
		"a socket":               {[]int{socket}, fileUpload("n", 0, 5), "DESCRIPTOR_REFUSED"},
		"a device":               {[]int{open("/dev/zero", unix.O_RDONLY)}, fileUpload("n", 0, 5), "DESCRIPTOR_REFUSED"},
		"a directory":            {[]int{open("/", unix.O_RDONLY)}, fileUpload("n", 0, 0), "DESCRIPTOR_REFUSED"},
		"a path only":            {[]int{open(regular.Name(), unix.O_PATH)}, fileUpload("n", 0, 5), "DESCRIPTOR_REFUSED"},
		"for writing only":       {[]int{open(regular.Name(), unix.O_WRONLY)}, fileUpload("n", 0, 5), "DESCRIPTOR_REFUSED"},
		"of the kernel's files":  {[]int{open("/proc/self/status", unix.O_RDONLY)}, fileUpload("n", 0, 0), "DESCRIPTOR_REFUSED"},
		"shorter than announced": {[]int{ok}, fileUpload("n", 0, 11), "SIZE_MISMATCH"},
		"ends before the offset": {[]int{ok}, fileUpload("n", 50, 1), "SIZE_MISMATCH"},
		"beyond every file":      {[]int{ok}, fileUpload("n", 1<<63, 1), "PROTOCOL_VIOLATION"},
		"no size":                {[]int{ok}, &brokerdv1.FileUpload{Header: header("n").GetHeader()}, "PROTOCOL_VIOLATION"},
		"no header":              {[]int{ok}, &brokerdv1.FileUpload{}, "PROTOCOL_VIOLATION"},
		"not this user's destination": {[]int{ok}, func() *brokerdv1.FileUpload {
			m := fileUpload("n", 0, 5)
			m.Header.Destination = "audit"
			return m
		}(), "PEER_NOT_ALLOWED"},
	} {
		t.Run(name, func(t *testing.T) {
			d := serverFor(t)
			g := d.giver(t)
			g.send(append([]byte(unixsock.FileMagic), framed(t, tc.msg)...), tc.fds...)
			out := g.final()
			if got := reasonIn(t, out); got != tc.reason || out.GetCode() == 0 || len(d.sink.objects) != 0 {
				t.Errorf("reason %s (%s), want %s; %d objects", got, out.GetMessage(), tc.reason, len(d.sink.objects))
			}
		})
	}
}

func slicesOf(fd, n int) (out []int) {
	for range n {
		out = append(out, fd)
	}
	return out
}

func TestASealedMemoryFileIsTaken(t *testing.T) {
	d := serverFor(t)
	fd, err := unix.MemfdCreate("m", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	if _, err := unix.Write(fd, []byte("from memory")); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS,
		unix.F_SEAL_WRITE|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		t.Fatal(err)
	}
	g := d.giver(t)
	g.send(append([]byte(unixsock.FileMagic), framed(t, fileUpload("m", 5, 6))...), fd)
	if out := g.final(); out.GetCode() != 0 || string(d.sink.objects["logs/m"]) != "memory" {
		t.Errorf("got %v", out)
	}
}

func TestAFileThatShrinksUnderItsReaderIsNoObject(t *testing.T) {
	d := serverFor(t)
	d.sink.entered = make(chan struct{})
	f := fileOf(t, make([]byte, 600<<10))
	g := d.giver(t)
	g.send(append([]byte(unixsock.FileMagic), framed(t, fileUpload("n", 0, 600<<10))...), int(f.Fd()))
	if _, err := g.answer(); err != nil { // accepted, and not read yet
		t.Fatal(err)
	}
	if err := os.Truncate(f.Name(), 300<<10); err != nil {
		t.Fatal(err)
	}
	<-d.sink.entered
	if out := g.final(); reasonIn(t, out) != "SIZE_MISMATCH" || len(d.sink.objects) != 0 {
		t.Errorf("got %v", out)
	}
}

// held is a delivery that ends only with its caller.
type held struct{ began, ended chan struct{} }

func (h *held) Open(_ context.Context, destination string, obj uploader.Object, body uploader.Body) (*uploader.Delivery, error) {
	return &uploader.Delivery{Destination: destination, Object: obj, Body: body}, nil
}

func (h *held) Put(ctx context.Context, _ *uploader.Delivery) (uploader.Stored, error) {
	close(h.began)
	defer close(h.ended)
	<-ctx.Done()
	return uploader.Stored{}, ctx.Err()
}

func heldServer(t *testing.T) (*daemonUnderTest, *held) {
	t.Helper()
	h := &held{began: make(chan struct{}), ended: make(chan struct{})}
	return serverFor(t, func(_ *config.Config, o *Options) { o.Deliver = h }), h
}

func TestLeavingBeforeTheAnswerCancels(t *testing.T) {
	for name, leave := range map[string]func(*giver) error{
		"close":      func(g *giver) error { return g.Close() },
		"half-close": func(g *giver) error { return g.CloseWrite() },
		"a word":     func(g *giver) error { _, err := g.Write([]byte("x")); return err },
	} {
		t.Run(name, func(t *testing.T) {
			_, h := func() (*daemonUnderTest, *held) {
				d, h := heldServer(t)
				g := d.giver(t)
				g.send(append([]byte(unixsock.FileMagic), framed(t, fileUpload("n", 0, 5))...), int(fileOf(t, []byte("bytes")).Fd()))
				<-h.began
				if err := leave(g); err != nil {
					t.Fatal(err)
				}
				return d, h
			}()
			<-h.ended
		})
	}
}

func TestStopCutsAHandOverThatOutlivesTheGraceTime(t *testing.T) {
	d, h := heldServer(t)
	g := d.giver(t)
	g.send(append([]byte(unixsock.FileMagic), framed(t, fileUpload("n", 0, 5))...), int(fileOf(t, []byte("bytes")).Fd()))
	<-h.began
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d.server.Stop(ctx) {
		t.Error("Stop says that a stuck upload finished")
	}
	<-h.ended
	if out := g.final(); codes.Code(out.GetCode()) != codes.Unavailable || reasonIn(t, out) != "SHUTTING_DOWN" {
		t.Errorf("got %v", out)
	}
}

func TestSilentConnectionsEnd(t *testing.T) {
	d := serverFor(t, func(c *config.Config, _ *Options) { c.Limits.IdleTimeout = config.Duration(50 * time.Millisecond) })
	for name, said := range map[string][]byte{
		"after the magic": []byte(unixsock.FileMagic),
		"in a length":     append([]byte(unixsock.FileMagic), 0, 0),
		"in a message":    append([]byte(unixsock.FileMagic), 0, 0, 0, 9, 1, 2),
	} {
		g := d.giver(t)
		g.send(said)
		if out, err := g.answer(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v, %v", name, out, err)
		}
	}
}

func TestAMessageFarTooLargeIsRefused(t *testing.T) {
	d := serverFor(t)
	g := d.giver(t)
	g.send(append([]byte(unixsock.FileMagic), 0xff, 0xff, 0xff, 0xff))
	if out := g.final(); reasonIn(t, out) != "PROTOCOL_VIOLATION" {
		t.Errorf("got %v", out)
	}
}

func TestTooManyConnectionsAreToldSo(t *testing.T) {
	d := serverFor(t, withOther)
	d.server.quota.SetTotal(quota.Handovers, 8)
	var told int
	for range 8 {
		g := d.giver(t)
		g.send([]byte(unixsock.FileMagic))
		if err := g.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		out, err := g.answer()
		if err != nil {
			continue // it is open
		}
		told++
		if codes.Code(out.GetCode()) != codes.ResourceExhausted || len(out.GetDetails()) != 2 || reasonIn(t, out) != "TOO_MANY_CONNECTIONS" {
			t.Errorf("got %v", out)
		}
	}
	if told == 0 || told > 6 {
		t.Errorf("%d of 8 connections were refused, want those beyond the share", told)
	}
	// Another user hands over its files all the same, and the same one sends streams.
	charge, err := d.server.quota.Take(d.server.policy.Party(other), quota.Handovers)
	if err != nil {
		t.Errorf("another user was refused: %v", err)
	}
	charge.Release()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.UploadFile(t.Context(), "logs", "n", path, client.WithRetry(0)); err != nil {
		t.Errorf("a file while all hand-overs are taken: %v", err)
	}
}

func TestAnIdleConnectionDoesNotHoldUpTheStop(t *testing.T) {
	d := serverFor(t)
	f := fileOf(t, []byte("bytes"))
	g := d.giver(t)
	g.send(append([]byte(unixsock.FileMagic), framed(t, fileUpload("n", 0, 5))...), int(f.Fd()))
	_ = g.final()
	silent := d.giver(t)
	silent.send([]byte("b")) // it may become a hand-over
	if !d.server.Stop(t.Context()) {
		t.Error("cut")
	}
}

func TestAPanicEndsOneUploadAndNothingElse(t *testing.T) {
	d := serverFor(t, func(_ *config.Config, o *Options) { o.Meter = panicking{} })
	f := fileOf(t, []byte("bytes"))
	g := d.giver(t)
	g.send(append([]byte(unixsock.FileMagic), framed(t, fileUpload("n", 0, 5))...), int(f.Fd()))
	if out := g.final(); reasonIn(t, out) != "INTERNAL" {
		t.Errorf("got %v", out)
	}
	g.send(framed(t, fileUpload("n", 0, 5)), int(f.Fd()))
	if out := g.final(); reasonIn(t, out) != "INTERNAL" {
		t.Errorf("the connection after a panic: %v", out)
	}
}

type panicking struct{}

func (panicking) UploadSpooled(string, int64) {}

func (panicking) UploadEnded(string, string, int64, time.Duration) { panic("as the test wants") }
