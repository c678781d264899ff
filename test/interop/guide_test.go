//go:build interop

package interop

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
)

// The examples of docs/guide-clients.md are run as they stand there.

// example returns the code block of a language in the guide that holds a text.
func example(t *testing.T, language, holds string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/guide-clients.md")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, block := range strings.Split(string(text), "```"+language+"\n")[1:] {
		if code, _, ok := strings.Cut(block, "```"); ok && strings.Contains(code, holds) {
			found = append(found, code)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d blocks of %s hold %q in the guide: this test runs the only one", len(found), language, holds)
	}
	return found[0]
}

// guided wants the one object that an example made.
func guided(t *testing.T, st *testbedtest.Bed, name string, data []byte) {
	t.Helper()
	objects := st.Sandbox.Objects(testbed.Bucket)
	if len(objects) != 1 || !strings.Contains(objects[0].Key, name) || objects[0].KMSKeyARN != st.KeyARN {
		t.Fatalf("stored: %+v", objects)
	}
	_, body, err := st.Sandbox.Object(testbed.Bucket, objects[0].Key)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, data) {
		t.Errorf("the object differs: %d bytes of %d, %v", len(got), len(data), err)
	}
}

// withGRPC finds a Python that has grpcio.
func withGRPC(t *testing.T) string {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), python, "-c", "import grpc").Run() == nil {
			return python
		}
	}
	t.Skip("no Python here has grpcio")
	return ""
}

// The daemon is not there yet when the example begins: it has to try again.
func TestTheGuidesPythonUploads(t *testing.T) {
	python := withGRPC(t)
	for name, size := range map[string]int{"empty": 0, "several chunks": 600_001} {
		t.Run(name, func(t *testing.T) {
			st := testbedtest.New(t)
			data := make([]byte, size)
			_, _ = rand.NewChaCha8([32]byte{7}).Read(data)
			dir := t.TempDir()
			program := example(t, "python", "def upload(") + "\nassert upload(\"" + testbed.Destination + "\", \"guide/by-python.log\", \"data\")\n"
			for file, text := range map[string][]byte{"guide.py": []byte(program), "data": data} {
				if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), python, "guide.py")
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "BROKERD_SOCKET="+st.SocketPath)
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			run(t, nil, filepath.Join(binaries, "brokerd"), "serve", "--config", st.Config.Path)
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v\n%s", err, out.String())
			}
			guided(t, st, "guide/by-python.log", data)
		})
	}
}

// A daemon that accepts connections and says nothing does not block the example.
func TestTheGuidesPythonHasADeadline(t *testing.T) {
	python := withGRPC(t)
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	program := example(t, "python", "def upload(") + "\ntry:\n    upload(\"d\", \"n\", __file__, seconds=1)\n" +
		"except grpc.RpcError as e:\n    print(e.code())\n"
	if err := os.WriteFile(filepath.Join(dir, "guide.py"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "guide.py")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "BROKERD_SOCKET="+socket)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "StatusCode.") {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestTheGuidesShellUploads(t *testing.T) {
	grpcurl := os.Getenv("GRPCURL")
	if grpcurl == "" {
		var err error
		if grpcurl, err = exec.LookPath("grpcurl"); err != nil {
			t.Skip("grpcurl is neither in $GRPCURL nor on PATH")
		}
	}
	st := testbedtest.New(t)
	text, err := os.ReadFile(st.Config.Path)
	if err != nil {
		t.Fatal(err)
	}
	// The guide's example needs the description of the API from the daemon.
	described := strings.Replace(string(text), "socket:\n", "socket:\n  reflection: true\n", 1)
	if err := os.WriteFile(st.Config.Path, []byte(described), 0o600); err != nil {
		t.Fatal(err)
	}
	serve(t, st.Config.Path, st.SocketPath)
	data := []byte("a note\nof two lines\n")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "note.txt"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(grpcurl, filepath.Join(dir, "grpcurl")); err != nil {
		t.Fatal(err)
	}
	crc := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	env := append(os.Environ(), fmt.Sprint("CRC32C=", crc), "PATH="+dir+":"+os.Getenv("PATH"))
	out, err := shell(t, dir, env, strings.ReplaceAll(example(t, "sh", "grpcurl"), "/run/brokerd/brokerd.sock", st.SocketPath))
	if err != nil || !strings.Contains(out, "UPLOAD_STATE_STORED") {
		t.Fatalf("%v\n%s", err, out)
	}
	guided(t, st, "note.txt", data)
}
