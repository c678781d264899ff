//go:build linux

package hostile

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

const (
	fileMagic       = "brokerd-file-1\n"
	credentialsPath = "/v1/credentials/dumps"
)

// fileAttacks hand over descriptors of files that are none, or not the daemon's to read.
func fileAttacks() []Attack {
	var out []Attack
	add := func(as Actor, name string, open func(dir string) (int, error)) {
		out = append(out, Attack{Area: "files", Name: as.Name + " hands over " + name, As: as, Try: func(_ context.Context, t *Target) Outcome {
			fd, err := open(t.Dir)
			if err != nil {
				return skipped("%v", err)
			}
			defer func() { _ = unix.Close(fd) }()
			answer := handOver(t, fd)
			t.Honest(10)
			switch {
			case answer == nil, answer.GetCode() != 0:
				return held("%s", answer.GetMessage())
			}
			return gotIn("the file was read")
		}})
	}
	at := func(path string, flags int) func(string) (int, error) {
		return func(string) (int, error) { return unix.Open(path, flags|unix.O_CLOEXEC, 0) }
	}
	for _, as := range []Actor{bob, mallory} {
		add(as, "an endless device", at("/dev/zero", unix.O_RDONLY))
		add(as, "a file of proc", at("/proc/self/mem", unix.O_RDONLY))
		add(as, "a directory", at("/", unix.O_RDONLY))
		add(as, "a path without a right to read", at("/etc/shadow", unix.O_PATH))
		add(as, "a named pipe", func(dir string) (int, error) {
			path := filepath.Join(dir, fmt.Sprintf("pipe%d", time.Now().UnixNano()))
			if err := unix.Mkfifo(path, 0o600); err != nil {
				return 0, err
			}
			return unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
		})
		add(as, "memory without seals", func(string) (int, error) {
			fd, err := unix.MemfdCreate("m", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
			if err == nil {
				err = unix.Ftruncate(fd, 1<<20)
			}
			return fd, err
		})
	}
	out = append(out,
		Attack{Area: "files", Name: "bob sends descriptors in place of gRPC", As: bob, Try: func(_ context.Context, t *Target) Outcome {
			before := countDescriptors(t.DaemonPID)
			for range 50 {
				conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: t.Socket, Net: "unix"})
				if err != nil {
					break
				}
				defer func() { _ = conn.Close() }()
				_, _, _ = conn.WriteMsgUnix([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), unix.UnixRights(0, 0, 0, 0), nil) // it may be refused
			}
			return held("alice meanwhile: %v; descriptors before: %s", t.Honest(20), before)
		}})
	return append(out, credentialsAttacks()...)
}

func countDescriptors(pid int) string {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return "unknown"
	}
	return fmt.Sprint(len(entries))
}

// handOver sends a descriptor as an upload of 10 bytes, and returns the last answer; nil
// when the daemon closes the connection.
func handOver(t *Target, fd int) *brokerdv1.FileUploadResult {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: t.Socket, Net: "unix"})
	if err != nil {
		return nil
	}
	defer func() { _ = conn.Close() }()
	size := uint64(10)
	raw, err := proto.Marshal(&brokerdv1.FileUpload{Header: &brokerdv1.UploadHeader{Destination: "dumps", Name: "n", Size: &size}})
	if err != nil {
		panic(err) // of the attacker's process; the parent reports it
	}
	frame := append([]byte(fileMagic), binary.BigEndian.AppendUint32(nil, uint32(len(raw)))...)
	if _, _, err := conn.WriteMsgUnix(append(frame, raw...), unix.UnixRights(fd), nil); err != nil {
		return nil
	}
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second)) // fails only on a closed connection
	for {
		var head [4]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return nil
		}
		raw := make([]byte, binary.BigEndian.Uint32(head[:])&0xffff)
		if _, err := io.ReadFull(conn, raw); err != nil {
			return nil
		}
		out := &brokerdv1.FileUploadResult{}
		if proto.Unmarshal(raw, out) != nil {
			return nil // a refusal before the protocol began
		}
		if out.GetCode() != 0 || out.GetResponse() != nil {
			return out
		}
	}
}

// credentialsAttacks shut the endpoint of the credentials, or take another's token.
func credentialsAttacks() []Attack {
	var out []Attack
	for name, said := range map[string]string{"silent connections": "", "half requests": "GET " + credentialsPath + " HTTP/1.1\r\nHost: x"} {
		out = append(out, Attack{Area: "credentials", Name: "eve holds 400 " + name, As: eve, Try: func(ctx context.Context, t *Target) Outcome {
			for range 400 {
				conn, err := net.Dial("tcp", t.Vend)
				if err != nil {
					break
				}
				defer func() { _ = conn.Close() }()
				_, _ = conn.Write([]byte(said)) // it may be closed
			}
			for range 20 {
				if status, err := ask(ctx, t.Vend, "none"); err != nil || status != http.StatusUnauthorized {
					return gotIn("another caller has no answer: %d, %v", status, err)
				}
			}
			return held("20 of 20 other callers were answered")
		}})
	}
	// The token of bob lies in a directory whose owner is eve.
	moved := func(text string) string { return strings.ReplaceAll(text, "etc/bob.token", "home/eve/bob.token") }
	for name, put := range map[string]func(path, token string) error{
		"a named pipe": func(path, _ string) error { return unix.Mkfifo(path, 0o600) },
		"a link to the token of another user": func(path, token string) error {
			if err := os.Symlink(token, path); err != nil {
				return err
			}
			return os.Lchown(path, eveUID, eveUID)
		},
		"a hard link to the token of another user": func(path, token string) error { return os.Link(token, path) },
	} {
		out = append(out, Attack{
			Area: "credentials", Name: "eve puts " + name + " in the place of a token", As: eve, Config: moved,
			Prepare: func(t *testing.T, a *arena) {
				dir := filepath.Join(a.base, "home", "eve")
				must(t, os.MkdirAll(dir, 0o755))
				must(t, os.Chown(dir, eveUID, eveUID))
				must(t, put(filepath.Join(dir, "bob.token"), filepath.Join(a.base, "etc", "bob.token")))
			},
			Try: func(ctx context.Context, t *Target) Outcome {
				status, err := ask(ctx, t.Vend, strings.Repeat("bob-token-", 4))
				if err != nil || status != http.StatusUnauthorized {
					return gotIn("the endpoint does not refuse: %d, %v", status, err)
				}
				return held("refused at once: %d; alice meanwhile: %v", status, t.Honest(10))
			},
		})
	}
	return out
}

// ask requests credentials with a token.
func ask(ctx context.Context, address, token string) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return 0, err
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\n\r\n", credentialsPath, address, token); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}
