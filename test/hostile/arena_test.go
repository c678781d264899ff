//go:build linux

package hostile

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
)

// arena is the daemon under attack, its accounts, and the honest user.
type arena struct {
	bed         *testbedtest.Bed
	base        string // holds etc, run, state and home
	config      string // the path of the configuration file
	text        string // its content
	target      Target
	environment []string // added to the daemon's
	daemon      *process
	honest      *honest
	stopHonest  func()
	firstKeyed  string // the upload of alice under her key; see keyed
}

// process is a running brokerd.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
	err    error // of Wait; valid after exited
	log    string
}

// newArena prepares the accounts and the files; the daemon does not run yet.
func newArena(t *testing.T) *arena {
	t.Helper()
	base, err := os.MkdirTemp("", "hostile-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	a := &arena{bed: testbedtest.New(t), base: base}
	must(t, os.Chmod(base, 0o755))
	for dir, owner := range map[string]int{"etc": 0, "home": 0, "run": daemonUID, "state": daemonUID} {
		must(t, os.Mkdir(filepath.Join(base, dir), 0o755))
		must(t, os.Chown(filepath.Join(base, dir), owner, owner))
	}
	must(t, os.Chmod(filepath.Join(base, "state"), 0o700))
	a.copy(t, a.bed.CAPath, "etc/ca.pem", 0o644)
	a.copy(t, filepath.Join(a.bed.Dir, "credentials"), "etc/credentials", 0o600)
	a.config = filepath.Join(base, "etc", "brokerd.yaml")
	a.target = Target{
		Socket: filepath.Join(base, "run", "brokerd.sock"), RunDir: filepath.Join(base, "run"), StateDir: filepath.Join(base, "state"),
		Metrics: freeAddress(t), Vend: freeAddress(t), VendSocket: filepath.Join(base, "run", "vend.sock"), Programs: binaries,
	}
	must(t, os.WriteFile(filepath.Join(base, "etc", "bob.token"), []byte(strings.Repeat("bob-token-", 4)), 0o600))
	must(t, os.Chown(filepath.Join(base, "etc", "bob.token"), daemonUID, daemonUID))
	a.text = a.configuration()
	return a
}

func (a *arena) configuration() string {
	b := a.bed
	destination := func(name string) string {
		return fmt.Sprintf(`  %s:
    role: arn:aws:iam::%s:role/%s
    bucket: %s
    owner: "%s"
    region: %s
    kms_key: %s
    key: logs/%s/{name}-{id}
    path_style: true
`, name, b.AccountA, b.RoleName, b.Bucket, b.AccountB, b.Sandbox.Region(), b.KeyARN, name)
	}
	endpoint := b.Sandbox.Endpoint()
	return fmt.Sprintf(`socket:
  path: %s
  mode: "0660"
  group: "%d"
metrics:
  address: %s
vend:
  address: %s
  socket: %s
  tokens:
    - {file: %s, peer: {uid: "%d"}, destinations: [dumps]}
verify:
  every: 0s
spool:
  dir: %s
aws:
  credentials_file: %s
  ca_bundle: %s
  endpoints: {sts: %s, s3: %s, kms: %s}
`, a.target.Socket, connectGID, a.target.Metrics, a.target.Vend, a.target.VendSocket,
		filepath.Join(a.base, "etc/bob.token"), bobUID, filepath.Join(a.target.StateDir, "spool"), filepath.Join(a.base, "etc/credentials"),
		filepath.Join(a.base, "etc/ca.pem"), endpoint, endpoint, endpoint) +
		"destinations:\n" + destination("audit-logs") + destination("dumps") + destination("hidden-treasure") +
		fmt.Sprintf(`access:
  - {peer: {uid: "%d"}, destinations: [audit-logs], allow: [upload, verify]}
  - {peer: {uid: "%d"}, destinations: [dumps], allow: [upload, verify, credentials]}
  - {peer: {gid: "%d"}, destinations: [dumps], allow: [upload]}
`, aliceUID, bobUID, loggersGID)
}

// copy gives the daemon a copy of a file.
func (a *arena) copy(t *testing.T, from, to string, mode os.FileMode) {
	t.Helper()
	data, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(a.base, to), data, mode))
	must(t, os.Chown(filepath.Join(a.base, to), daemonUID, daemonUID))
}

// start starts the daemon with the configuration, and waits until alice can upload. change
// may alter the daemon's process; it may be nil.
func (a *arena) start(t *testing.T, text string, change func(*syscall.SysProcAttr)) {
	t.Helper()
	must(t, os.WriteFile(a.config, []byte(text), 0o600))
	must(t, os.Chown(a.config, daemonUID, daemonUID))
	log, err := os.CreateTemp(a.base, "log-")
	must(t, err)
	p := &process{exited: make(chan struct{}), log: log.Name()}
	p.cmd = exec.Command(filepath.Join(binaries, "brokerd"), "serve", "--config", a.config)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = append(hostEnvironment(), "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull)
	p.cmd.Env = append(p.cmd.Env, a.environment...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: daemonUID, Gid: daemonUID, Groups: []uint32{connectGID}},
		Pdeathsig:  syscall.SIGKILL,
	}
	if change != nil {
		change(p.cmd.SysProcAttr)
	}
	must(t, p.cmd.Start())
	go func() { p.err = p.cmd.Wait(); close(p.exited); _ = log.Close() }()
	a.daemon = p
	wait := exec.Command(filepath.Join(binaries, "brokerctl"), "--socket", a.target.Socket, "wait", "--timeout", "30s")
	wait.SysProcAttr = alice.attributes() // she has a rule; root may have none
	if out, err := wait.CombinedOutput(); err != nil {
		t.Fatalf("the daemon is not ready: %v\n%s\n%s", err, out, a.logTail())
	}
	t.Cleanup(func() { a.stop(t) })
	a.startHonest(t)
	a.target.UploadID = a.aliceUploads(t)
}

// hostEnvironment is the environment without the marks of a container that the tests run in.
func hostEnvironment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "KUBERNETES_SERVICE_HOST=") || strings.HasPrefix(v, "container=")
	})
}

// stop ends the honest user and the daemon.
func (a *arena) stop(t *testing.T) {
	t.Helper()
	if a.daemon == nil {
		return
	}
	a.stopHonest()
	_ = a.daemon.cmd.Process.Kill()
	<-a.daemon.exited
	a.daemon = nil
}

// ended reports whether the daemon has ended.
func (a *arena) ended() bool {
	select {
	case <-a.daemon.exited:
		return true
	default:
		return false
	}
}

// logTail is the end of the daemon's log.
func (a *arena) logTail() string {
	text, _ := os.ReadFile(a.daemon.log)
	return string(text[max(0, len(text)-4000):])
}

// aliceUploads uploads as alice, and returns the upload's id.
func (a *arena) aliceUploads(t *testing.T, flags ...string) string {
	t.Helper()
	args := []string{"--socket", a.target.Socket, "upload", "-d", "audit-logs", "--name", "alice.txt", "-o", "json"}
	cmd := exec.Command(filepath.Join(binaries, "brokerctl"), append(append(args, flags...), "-")...)
	cmd.Stdin = strings.NewReader("alice's secret body")
	cmd.SysProcAttr = alice.attributes()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("alice's upload: %v\n%s", err, out)
	}
	var answer struct {
		UploadID string `json:"upload_id"`
	}
	if err := json.Unmarshal(out, &answer); err != nil || answer.UploadID == "" {
		t.Fatalf("alice's upload: %v\n%s", err, out)
	}
	return answer.UploadID
}

// keyed uploads as alice under an idempotency key, and returns the upload's id.
func (a *arena) keyed(t *testing.T) string {
	t.Helper()
	return a.aliceUploads(t, "--idempotency-key", "job-42")
}

// memory is the resident memory of the daemon, in MiB.
func (a *arena) memory() string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.daemon.cmd.Process.Pid))
	if err != nil {
		return "-"
	}
	for line := range strings.Lines(string(text)) {
		if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			var n int
			_, _ = fmt.Sscan(kb, &n)
			return fmt.Sprintf("%d MiB", n>>10)
		}
	}
	return "-"
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
