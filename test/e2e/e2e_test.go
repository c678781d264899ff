// Package e2e runs the real brokerd and brokerctl against a sandbox. Each script
// in testdata is a session of a user, and readable as one.
package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
)

var binaries string // where TestMain built the programs

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "brokerd-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binaries = dir
	build := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "../../cmd/brokerd", "../../cmd/brokerctl", "./whoami")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the programs: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

type worldKey struct{}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			w, err := newWorld(env)
			if err != nil {
				return err
			}
			env.Values[worldKey{}] = w
			env.Setenv("PATH", binaries+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("BROKERD_SOCKET", w.SocketPath)
			env.Setenv("CONFIG", w.ConfigPath)
			env.Setenv("ENDPOINT", w.Sandbox.Endpoint())
			env.Setenv("CA", w.CAPath)
			env.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			env.Setenv("AWS_CONFIG_FILE", os.DevNull)
			env.Setenv("PROFILES", filepath.Join(w.Dir, "profiles"))
			env.Setenv("KEY", w.KeyARN)
			env.Setenv("ACCOUNT_A", w.Sandbox.AccountA())
			env.Setenv("ACCOUNT_B", w.Sandbox.AccountB())
			env.Setenv("UID", strconv.Itoa(os.Getuid()))
			env.Setenv("NO_COLOR", "1")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"objects":           objects,
			"key-policy":        keyPolicy,
			"mistake":           mistake,
			"repair":            repair,
			"policies":          policies,
			"until":             until,
			"rounds":            rounds,
			"config-for":        configFor,
			"replace":           replace,
			"dead-port":         deadPort,
			"exit":              exitCode,
			"hangup":            hangup,
			"sandbox":           sandboxCommand,
			"add-destination":   addDestination,
			"put-bucket-policy": putBucketPolicy,
			"fault":             fault,
		},
	})
}

func newWorld(env *testscript.Env) (*testbed.World, error) {
	dir := filepath.Join(env.WorkDir, "w")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	sb, err := sandbox.New(sandbox.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	sb.Start()
	env.Defer(func() { _ = sb.Close() })
	w, err := testbed.Prepare(context.Background(), sb, dir, os.Getuid())
	if err != nil {
		return nil, err
	}
	if err := writeProfiles(filepath.Join(dir, "profiles"), sb); err != nil {
		return nil, err
	}
	if strings.HasPrefix(filepath.Base(env.WorkDir), "script-setup") {
		return w, nil // these scripts make the arrangement themselves
	}
	return w, w.Apply(context.Background())
}

// writeProfiles writes a shared configuration file with an administrator of each account.
func writeProfiles(path string, sb *sandbox.Sandbox) error {
	var text strings.Builder
	for name, account := range map[string]string{"a-admin": sb.AccountA(), "b-admin": sb.AccountB()} {
		keys := sb.RootKeys(account)
		fmt.Fprintf(&text, "[profile %s]\naws_access_key_id = %s\naws_secret_access_key = %s\n", name, keys.AccessKeyID, keys.SecretAccessKey)
		if keys.SessionToken != "" {
			fmt.Fprintf(&text, "aws_session_token = %s\n", keys.SessionToken)
		}
	}
	return os.WriteFile(path, []byte(text.String()), 0o600)
}

func worldOf(ts *testscript.TestScript) *testbed.World {
	return ts.Value(worldKey{}).(*testbed.World)
}

// objects N: the bucket holds N objects, all encrypted with the key, and no unfinished upload.
func objects(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: objects N")
	}
	w := worldOf(ts)
	got := w.Sandbox.Objects(testbed.Bucket)
	if strconv.Itoa(len(got)) != args[0] {
		ts.Fatalf("the bucket holds %d objects, want %s", len(got), args[0])
	}
	for _, o := range got {
		if o.Encryption != "aws:kms" || o.KMSKeyARN != w.KeyARN || !strings.HasPrefix(o.Key, "logs/") {
			ts.Fatalf("object %s has %s with %s", o.Key, o.Encryption, o.KMSKeyARN)
		}
	}
	if open := w.Sandbox.MultipartUploads(testbed.Bucket); len(open) > 0 {
		ts.Fatalf("%d unfinished uploads are left", len(open))
	}
}

// key-policy break: removes the role from the key policy.
func keyPolicy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || args[0] != "break" {
		ts.Fatalf("usage: key-policy break")
	}
	w := worldOf(ts)
	doc, err := testbed.RemoveAllow(string(w.Docs.Key), testbed.RoleName)
	ts.Check(err)
	ts.Check(w.PutKeyPolicy(context.Background(), doc))
}

// config-for UID: $CONFIG names a configuration whose only rule is for UID.
func configFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: config-for UID")
	}
	uid, err := strconv.Atoi(args[0])
	ts.Check(err)
	path, _, err := worldOf(ts).WriteConfig(uid)
	ts.Check(err)
	ts.Setenv("CONFIG", path)
}

// replace OLD NEW: replaces text in $CONFIG, which must occur in it.
func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: replace OLD NEW")
	}
	path := ts.Getenv("CONFIG")
	text := ts.ReadFile(path)
	if !strings.Contains(text, args[0]) {
		ts.Fatalf("%q is not in the configuration", args[0])
	}
	ts.Check(os.WriteFile(path, []byte(strings.ReplaceAll(text, args[0], args[1])), 0o600))
}

// add-destination NAME: $CONFIG gets a second destination like the first one,
// and its access rule is for all.
func addDestination(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: add-destination NAME")
	}
	path := ts.Getenv("CONFIG")
	text := ts.ReadFile(path)
	head, rest, ok := strings.Cut(text, "  "+testbed.Destination+":\n")
	end := regexp.MustCompile(`(?m)^\S`).FindStringIndex(rest) // the next key of the file
	if !ok || end == nil {
		ts.Fatalf("the configuration is not what it was")
	}
	stanza, tail := rest[:end[0]], rest[end[0]:]
	text = head + "  " + testbed.Destination + ":\n" + stanza + "  " + args[0] + ":\n" + stanza + strings.Replace(tail,
		"["+testbed.Destination+"]", `["*"]`, 1)
	ts.Check(os.WriteFile(path, []byte(text), 0o600))
}

// hangup: SIGHUP to the program that runs in the background.
func hangup(ts *testscript.TestScript, neg bool, args []string) {
	running := ts.BackgroundCmds()
	if neg || len(args) != 0 || len(running) != 1 {
		ts.Fatalf("usage: hangup, with one program in the background")
	}
	ts.Check(running[0].Process.Signal(syscall.SIGHUP))
}

// dead-port: $DEAD is a loopback address without a listener, and $ENDPOINT the sandbox's.
func deadPort(ts *testscript.TestScript, neg bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv("DEAD", l.Addr().String())
	ts.Check(l.Close())
	ts.Setenv("ENDPOINT", strings.TrimPrefix(worldOf(ts).Sandbox.Endpoint(), "https://"))
}

// exit CODE PROGRAM ARGS: runs the program and wants this exit code.
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit CODE PROGRAM ARGS…")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if err != nil {
		exit, ok := err.(*exec.ExitError) //nolint:errorlint // testscript returns it bare
		if !ok {
			ts.Fatalf("running %s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("%s exited with %d, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// put-bucket-policy FILE: another administrator replaces the bucket policy.
func putBucketPolicy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: put-bucket-policy FILE")
	}
	w := worldOf(ts)
	text := strings.ReplaceAll(ts.ReadFile(args[0]), "ACCOUNT_B", w.Sandbox.AccountB())
	ts.Check(w.PutBucketPolicy(context.Background(), text))
}

// fault OPERATION CODE: calls of the operation are refused with the code from now
// on. fault none ends that.
func fault(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	switch {
	case !neg && len(args) == 1 && args[0] == "none":
		w.Sandbox.SetFaults(nil)
	case !neg && len(args) == 2:
		w.Sandbox.SetFaults([]sandbox.Fault{{Operation: args[0], Code: args[1], Status: 403}})
	default:
		ts.Fatalf("usage: fault OPERATION CODE | fault none")
	}
}
