//go:build linux

package hostile

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/client"
)

// Target holds the facts that the attacker's process knows.
type Target struct {
	Socket     string `json:"socket"`
	Dir        string `json:"dir"` // a directory of the attacker's own
	RunDir     string `json:"run_dir"`
	StateDir   string `json:"state_dir"`
	Metrics    string `json:"metrics"` // host:port
	Vend       string `json:"vend"`    // host:port
	VendSocket string `json:"vend_socket"`
	DaemonPID  int    `json:"daemon_pid"`
	Programs   string `json:"programs"`  // the directory of brokerd and brokerctl
	UploadID   string `json:"upload_id"` // of an upload of alice

	Decoy string `json:"decoy"` // a socket of an attacker's that looks like the daemon's

	soak     bool
	commands *bufio.Reader
	answers  *os.File
}

// dial returns a client of the daemon.
func (t *Target) dial() *client.Client {
	c, err := client.Dial(t.Socket)
	if err != nil {
		panic(err) // of the attacker's process; the parent reports it
	}
	return c
}

// message is a line from the attacker's process.
type message struct {
	Hold    int      `json:"hold,omitempty"`
	Outcome *Outcome `json:"outcome,omitempty"`
}

// Honest keeps the attack standing until alice has made n more uploads, and returns how
// they went.
func (t *Target) Honest(n int) latencies {
	var l latencies
	if t.soak { // the attack is repeated until the soak ends
		time.Sleep(soakHold)
		return l
	}
	if err := json.NewEncoder(t.answers).Encode(message{Hold: n}); err != nil {
		panic(err)
	}
	line, err := t.commands.ReadBytes('\n')
	if err != nil {
		panic(err)
	}
	if err := json.Unmarshal(line, &l); err != nil {
		panic(err)
	}
	return l
}

const childVariable = "BROKERD_HOSTILE_CHILD"

// child runs in a process of another user: an attack, or alice's uploads.
func child(role string) int {
	var t Target
	if err := json.Unmarshal([]byte(os.Getenv("BROKERD_HOSTILE_TARGET")), &t); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	t.commands, t.answers = bufio.NewReader(os.Stdin), os.NewFile(3, "answers")
	ctx, cancel := context.WithTimeout(context.Background(), attackTimeout)
	defer cancel()
	if role == "honest" {
		uploadForever(&t)
		return 0
	}
	if id, soak := strings.CutPrefix(role, soakRole); soak {
		t.soak = true
		return repeat(&t, id)
	}
	for _, a := range areas() {
		if a.id() == role {
			out := a.Try(ctx, &t)
			if err := json.NewEncoder(t.answers).Encode(message{Outcome: &out}); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			return 0
		}
	}
	fmt.Fprintln(os.Stderr, "no such attack:", role)
	return 1
}

// attackTimeout bounds one attack.
const attackTimeout = 90 * time.Second

func (a Attack) id() string { return a.Area + "/" + a.Name }

// childCommand is this program as a process of the actor.
func (a *arena) childCommand(t *testing.T, as Actor, role string) (*exec.Cmd, error) {
	t.Helper()
	target := a.target
	target.DaemonPID = a.daemon.cmd.Process.Pid
	target.Dir = filepath.Join(a.base, "home", fmt.Sprint(as.UID, "-", as.MapFrom))
	owner := int(as.UID)
	if as.Namespaces != 0 && as.MapFrom != 0 {
		owner += as.MapFrom
	}
	if err := os.MkdirAll(target.Dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.Chown(target.Dir, owner, owner); err != nil {
		return nil, err
	}
	text, err := json.Marshal(target)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(binaries, "hostile.test"))
	cmd.Env = append(os.Environ(), childVariable+"="+role, "BROKERD_HOSTILE_TARGET="+string(text), "HOME="+target.Dir)
	cmd.Dir = target.Dir
	cmd.SysProcAttr = as.attributes()
	return cmd, nil
}

// try runs an attack and returns its outcome.
func (a *arena) try(t *testing.T, attack Attack) Outcome {
	t.Helper()
	cmd, err := a.childCommand(t, attack.As, attack.id())
	if err != nil {
		t.Fatal(err)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = read.Close() }()
	cmd.ExtraFiles = []*os.File{write}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		_ = write.Close()
		if attack.As.Namespaces != 0 {
			return skipped("the kernel refuses the namespaces: %v", err)
		}
		t.Fatal(err)
	}
	_ = write.Close()
	_ = read.SetReadDeadline(time.Now().Add(attackTimeout + 10*time.Second))
	var outcome *Outcome
	lines := bufio.NewScanner(read)
	for outcome == nil && lines.Scan() {
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatalf("the attacker's process wrote %q: %v", lines.Text(), err)
		}
		if m.Outcome != nil {
			outcome = m.Outcome
			break
		}
		if err := json.NewEncoder(stdin).Encode(a.honest.next(m.Hold)); err != nil {
			t.Fatal(err)
		}
	}
	if outcome == nil { // it panicked, or hangs
		_ = cmd.Process.Kill()
	}
	_ = stdin.Close()
	werr := cmd.Wait()
	if outcome == nil {
		t.Fatalf("the attacker's process gave no outcome: %v\n%s", errors.Join(werr, lines.Err()), stderr.String())
	}
	return *outcome
}
