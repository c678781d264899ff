package broker

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const printedKeys = `{"Version":1,"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"hush","SessionToken":"t",` +
	`"Expiration":"2999-01-01T00:00:00Z"}`

// hung writes a script that starts a child, records its id and hangs. The child holds
// the script's output open.
func hung(t *testing.T) (script, pidFile string) {
	t.Helper()
	dir := t.TempDir()
	script, pidFile = filepath.Join(dir, "command"), filepath.Join(dir, "pid")
	text := "#!/bin/sh\nsleep 1000 &\necho $! > " + pidFile + "\nsleep 1000\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return script, pidFile
}

// A command that hangs is killed with all that it started. The next call starts a new
// one: it does not join the one that hung.
func TestAHungCommandIsKilledAndStartedAgain(t *testing.T) {
	script, pidFile := hung(t)
	source := cached(processSource{name: "aws.source.command", command: script, timeout: time.Second})
	_, err := source.Retrieve(t.Context())
	if err == nil || !strings.Contains(err.Error(), "aws.source.command") {
		t.Errorf("got %v, want an error that names aws.source.command", err)
	}
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); alive(child); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("the child of the command is still running")
		}
	}
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho '"+printedKeys+"'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if c, err := source.Retrieve(t.Context()); err != nil || c.AccessKeyID != "ASIAEXAMPLE" || !c.CanExpire {
		t.Errorf("after the repair: %q, %v", c.AccessKeyID, err)
	}
}

// alive reports whether a process runs; a zombie does not.
func alive(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || !strings.Contains(string(stat), ") Z ")
}

// A command may leave a helper running that holds its output open.
func TestACommandThatLeavesAHelper(t *testing.T) {
	p := processSource{name: "c", command: "echo '" + printedKeys + "'; sleep 1000 & echo $! >&2", timeout: 5 * time.Second}
	if c, err := p.Retrieve(t.Context()); err != nil || c.AccessKeyID != "ASIAEXAMPLE" {
		t.Errorf("%q, %v", c.AccessKeyID, err)
	}
}

func TestOutputsThatAreNoCredentials(t *testing.T) {
	for name, output := range map[string]string{
		"no output": "", "no JSON": "hush", "another version": `{"Version":2,"AccessKeyId":"hush","SecretAccessKey":"hush"}`,
		"no secret": `{"Version":1,"AccessKeyId":"hush"}`, "no id": `{"Version":1,"SecretAccessKey":"hush"}`,
		"expired": `{"Version":1,"AccessKeyId":"hush","SecretAccessKey":"hush","Expiration":"2001-01-01T00:00:00Z"}`,
		"endless": strings.Repeat("hush", maxProcessOutput),
	} {
		_, err := processSource{name: "aws.source.command", command: "cat", timeout: time.Second}.parse([]byte(output))
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
