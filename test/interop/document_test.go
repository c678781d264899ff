//go:build interop

package interop

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// block is a run of commands in a document, with the output that the document shows.
type block struct {
	line     int
	commands string
	prints   string
}

// commandBlocks reads the ```sh blocks of a document, each with the ```text
// block after it, if one follows.
func commandBlocks(t *testing.T, path string) []block {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	var kind string
	var lines []string
	for n, line := range strings.Split(string(text), "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && kind == "":
			kind, lines = fence, nil
			if kind == "sh" {
				blocks = append(blocks, block{line: n + 1})
			}
		case isFence:
			body := strings.Join(lines, "\n") + "\n"
			switch kind {
			case "sh":
				blocks[len(blocks)-1].commands = body
			case "text":
				blocks[len(blocks)-1].prints = body
			}
			kind = ""
		case kind != "":
			lines = append(lines, line)
		}
	}
	return blocks
}

// sandboxProcess starts brokerctl sandbox, and returns an environment in which
// brokerctl finds it and nothing of the machine's AWS configuration is left.
func sandboxProcess(t *testing.T, flags ...string) []string {
	t.Helper()
	dir := t.TempDir()
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AWS_") && !strings.HasPrefix(v, "XDG_RUNTIME_DIR=") && !strings.HasPrefix(v, "PATH=") &&
			!strings.HasPrefix(v, "HOME=") {
			env = append(env, v)
		}
	}
	env = append(env, "XDG_RUNTIME_DIR="+dir, "HOME="+dir, "PATH="+binaries+string(filepath.ListSeparator)+os.Getenv("PATH"), "AWS_PAGER=",
		"LC_ALL=C.UTF-8")
	cmd := exec.Command(filepath.Join(binaries, "brokerctl"), append([]string{"sandbox", "--addr", "127.0.0.1:0"}, flags...)...)
	cmd.Env = env
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	var banner bytes.Buffer
	for buf := make([]byte, 4096); !strings.Contains(banner.String(), "runs until Ctrl-C"); {
		n, err := out.Read(buf)
		banner.Write(buf[:n])
		if err != nil {
			t.Fatalf("the sandbox ended: %v\n%s", err, banner.String())
		}
	}
	return env
}

// onPath skips the test when a program is not there.
func onPath(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not on PATH", name)
		}
	}
}

// docs/sandbox.md shows the output that a reader gets.
func TestTheGuideToTheSandboxIsTrue(t *testing.T) {
	t.Parallel()
	onPath(t, "aws", "bash", "curl", "python3")
	blocks := commandBlocks(t, "../../docs/sandbox.md")
	if len(blocks) < 15 {
		t.Fatalf("%d blocks of commands were found", len(blocks))
	}
	dir := t.TempDir()
	var script strings.Builder
	for i, b := range blocks {
		fmt.Fprintf(&script, "{\n%s} > %s 2>&1\n", b.commands, filepath.Join(dir, fmt.Sprintf("out.%d", i)))
	}
	script.WriteString("true\n") // commands may fail, and some must; their output is compared
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script.String())
	cmd.Dir, cmd.Env = dir, sandboxProcess(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("the commands end with %v\n%s", err, out)
	}
	for i, b := range blocks {
		got, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("out.%d", i)))
		if err != nil {
			t.Fatal(err)
		}
		if !sees(string(got), b.prints) {
			t.Errorf("line %d:\n%sprints\n%s\nand not\n%s", b.line, b.commands, got, b.prints)
		}
	}
}

// sees compares output with a document: "…" stands for any
// text in a line, and empty lines do not count.
func sees(got, want string) bool {
	gotLines, wantLines := printed(got), printed(want)
	if len(gotLines) != len(wantLines) {
		return false
	}
	for i, line := range wantLines {
		pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*") + "$"
		if !regexp.MustCompile(pattern).MatchString(gotLines[i]) {
			return false
		}
	}
	return true
}

func printed(text string) (lines []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		line = strings.TrimPrefix(line, "aws: [ERROR]: ") // newer versions of the CLI
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
