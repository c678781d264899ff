package hosts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
)

// A shell's or a unit's limit of open files that is too low is said at the start, and
// not only when uploads fail.
func TestALowLimitOfOpenFilesIsSaidAtTheStart(t *testing.T) {
	st := testbedtest.New(t)
	log := logFile(t)
	p := start(t, st, log, func(cmd *exec.Cmd) { limited(cmd, 64) })
	p.stop(t, 15*time.Second)
	text, err := os.ReadFile(log.Name())
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(text), `"limit":64`, "LimitNOFILE")
}

// limited runs a command under a limit of open files.
func limited(cmd *exec.Cmd, files int) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		shell = "/bin/sh"
	}
	cmd.Args = append([]string{"sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$@"`, files), "sh", filepath.Clean(cmd.Path)}, cmd.Args[1:]...)
	cmd.Path = shell
}
