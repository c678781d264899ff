//go:build interop

package interop

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

const firstHour = "../../docs/guide-first-hour.md"

// section returns the text of a document from a heading to the next one.
func section(t *testing.T, path, heading string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, text2, ok := strings.Cut(string(text), "\n## "+heading)
	if !ok {
		t.Fatalf("%s has no section %q", path, heading)
	}
	text2, _, _ = strings.Cut(text2, "\n## ")
	return text2
}

// shellBlocks returns the blocks of shell commands in a text.
func shellBlocks(text string) (blocks []string) {
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

// clone copies the files of the repository to a short path, as git clone would.
func clone(t *testing.T) string {
	t.Helper()
	onPath(t, "bash", "git", "tar")
	dir, err := os.MkdirTemp("", "hour")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if out, err := shell(t, "../..", append(os.Environ(), "CLONE="+dir),
		`git ls-files -z --cached --others --exclude-standard --deduplicate |
		while IFS= read -r -d '' f; do [ ! -e "$f" ] || printf '%s\0' "$f"; done |
		tar --null -T - -c | tar -x -C "$CLONE"`); err != nil {
		t.Skipf("the repository cannot be copied: %v\n%s", err, out)
	}
	return dir
}

// stranger is the environment of a user who has just cloned: nothing of AWS's, and no sandbox.
func stranger(t *testing.T, dir string) []string {
	t.Helper()
	runtime := filepath.Join(dir, "bin", "run")
	if err := os.MkdirAll(runtime, 0o700); err != nil {
		t.Fatal(err)
	}
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AWS_") && !strings.HasPrefix(v, "XDG_") && !strings.HasPrefix(v, "BROKER") {
			env = append(env, v)
		}
	}
	return append(env, "XDG_RUNTIME_DIR="+runtime, "XDG_STATE_HOME="+runtime, "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=")
}

// session runs commands in bash until their output has a line that matches upTo, and
// returns the output so far. Background jobs go on until the test ends.
func session(t *testing.T, dir string, env []string, commands string, upTo *regexp.Regexp) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	cmd := exec.CommandContext(ctx, "bash", "-ec", commands+"\ncat > /dev/null\n")
	cmd.Dir, cmd.Env = dir, env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		_ = w.Close()
		close(ended)
	}()
	t.Cleanup(func() {
		defer cancel()
		_ = in.Close()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) // dev and the sandbox clean up
		<-ended
	})
	var out strings.Builder
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		out.WriteString(lines.Text() + "\n")
		if upTo.MatchString(lines.Text()) {
			go func() { _, _ = io.Copy(io.Discard, r) }()
			return out.String()
		}
	}
	t.Fatalf("the commands ended without a line that matches %s:\n%s", upTo, out.String())
	return ""
}

// From a clone to an object: the commands of the guide, as they stand there. Then the
// application developer goes on with the lines that dev printed.
func TestTheFirstHourOfADeveloper(t *testing.T) {
	t.Parallel()
	commands := shellBlocks(section(t, firstHour, "The short way"))
	if len(commands) != 1 {
		t.Fatalf("%d blocks of commands, want 1", len(commands))
	}
	if n := strings.Count(commands[0], "\n"); n > 5 {
		t.Errorf("%d commands, want at most 5", n)
	}
	if edits := regexp.MustCompile(`\b(NAME|FILE|YOUR|PATH-TO)\b|…|<`).FindString(commands[0]); edits != "" {
		t.Errorf("%q has to be edited by hand", edits)
	}
	dir := clone(t)
	env := stranger(t, dir)
	began := time.Now()
	out := session(t, dir, env, commands[0], regexp.MustCompile(`^README\.md -> s3://my-own-logs/logs/.*README\.md-[0-9A-Z]{26} `))
	t.Logf("from the clone to the object: %s, the build included", time.Since(began).Round(time.Second))

	printed := func(from, to string) string {
		_, text, ok := strings.Cut(out, "\n"+from+"\n")
		text, _, end := strings.Cut(text, "\n"+to+"\n")
		if !ok || !end {
			t.Fatalf("dev did not print %q up to %q:\n%s", from, to, out)
		}
		return text
	}
	here := func(t *testing.T, commands string) string {
		t.Helper()
		text, err := shell(t, dir, env, "export PATH=\"$PWD/bin:$PATH\" BROKERD_SOCKET=\"$PWD/bin/brokerd.sock\"\n"+commands)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		return text
	}
	t.Run("shell", func(t *testing.T) {
		if text := here(t, printed("Shell", "Account B's view, in another shell")); !strings.Contains(text, "hello.txt -> ") {
			t.Error(text)
		}
	})
	t.Run("account B", func(t *testing.T) {
		onPath(t, "aws")
		if text := here(t, printed("Account B's view, in another shell", "Go")); !strings.Contains(text, "README.md-") {
			t.Error(text)
		}
	})
	t.Run("Go", func(t *testing.T) {
		program := "package main\n\nimport (\n\t\"context\"\n\t\"fmt\"\n\t\"strings\"\n\n\t\"github.com/brokerd/brokerd/client\"\n)\n\n" +
			"func main() {\n\tctx := context.Background()\n" + printed("Go", "Python") +
			"\n\tif err != nil {\n\t\tpanic(err)\n\t}\n\tfmt.Println(res.State)\n}\n"
		if err := os.MkdirAll(filepath.Join(dir, "first"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "first", "main.go"), []byte(program), 0o600); err != nil {
			t.Fatal(err)
		}
		if text := here(t, "go run ./first"); !strings.Contains(text, "stored") && !strings.Contains(text, "spooled") {
			t.Error(text)
		}
	})
	t.Run("Python", func(t *testing.T) {
		python := withGRPC(t)
		program := example(t, "python", "def upload(") + "\nassert upload(\"my-own-logs\", \"by-python.txt\", \"LICENSE\")\nprint(\"accepted\")\n"
		if err := os.WriteFile(filepath.Join(dir, "first.py"), []byte(program), 0o600); err != nil {
			t.Fatal(err)
		}
		if text := here(t, python+" first.py"); !strings.Contains(text, "accepted") {
			t.Error(text)
		}
	})
}

// The long way ends with the commands that init prints; they are run as printed.
func TestTheLongWayOfTheFirstHour(t *testing.T) {
	t.Parallel()
	commands := shellBlocks(section(t, firstHour, "The long way"))
	if len(commands) != 1 {
		t.Fatalf("%d blocks of commands, want 1", len(commands))
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	env := append(stranger(t, dir), "PATH="+binaries+string(filepath.ListSeparator)+os.Getenv("PATH"))
	out := session(t, dir, env, strings.TrimSuffix(commands[0], "\n")+` | tee next.txt
eval "$(sed '1,/^Next, in the sandbox:$/d' next.txt)"
`, regexp.MustCompile(`^hello\.txt -> s3://my-own-logs/`))
	if !strings.Contains(out, "Next, in the sandbox:") {
		t.Error(out)
	}
}

// A stranger answers init's dialogue in a terminal of 80 columns.
func TestInitInATerminalOf80Columns(t *testing.T) {
	t.Parallel()
	onPath(t, "tmux")
	dir, err := os.MkdirTemp("", "tmux")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	env := append(stranger(t, dir), "PATH="+binaries+string(filepath.ListSeparator)+os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TERM=screen",
		"TMUX=")
	tmux := func(args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "tmux", append([]string{"-S", filepath.Join(dir, "s"), "-f", os.DevNull}, args...)...)
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("tmux %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	fifo := filepath.Join(dir, "output")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	tmux("new-session", "-d", "-x", "80", "-y", "200", "tmux -S "+filepath.Join(dir, "s")+" wait-for begin; brokerctl init --offline; cat")
	t.Cleanup(func() { tmux("kill-server") })
	tmux("pipe-pane", "cat > "+fifo)
	screenOutput, err := os.Open(fifo)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = screenOutput.Close() }()
	tmux("wait-for", "-S", "begin")
	// Each answer is typed when its question is on the screen.
	seen, buf := "", make([]byte, 4096)
	for _, step := range [][2]string{
		{"Account A", "111122223333"}, {"Account B", "444455556666"}, {"Bucket", "tenant-logs"}, {"create the bucket", ""},
		{"Region", "eu-west-1"}, {"KMS key", "1234abcd-12ab-34cd-56ef-1234567890ab"}, {"Prefix", ""}, {"Name of the destination", ""},
		{"Role that brokerd assumes", ""}, {"One of these", "ec2"}, {"Name or ARN", "app-host"}, {"External id", ""}, {"Local user", ""},
		{"Durability", ""}, {"Write this", "y"}, {"setup render", ""},
	} {
		for !strings.Contains(seen, step[0]) {
			n, err := screenOutput.Read(buf)
			if err != nil {
				t.Fatalf("waiting for %q: %v\n%s", step[0], err, seen)
			}
			seen += string(buf[:n])
		}
		seen = seen[strings.Index(seen, step[0]):]
		tmux("send-keys", step[1], "Enter")
	}
	screen := tmux("capture-pane", "-p", "-J") // -J joins lines that the terminal had to break
	_, own, ok := strings.Cut(screen, "\n+ # brokerd ")
	if !ok {
		t.Errorf("the lines to be written are not shown:\n%s", screen)
	}
	for line := range strings.Lines(own) {
		n := len([]rune(strings.TrimRight(line, " \n")))
		if n > 80 && !strings.HasPrefix(line, "+     kms_key: arn:") { // an ARN stays whole
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "brokerd.yaml")); err != nil || !bytes.Contains(text, []byte("tenant-logs")) {
		t.Errorf("%v: %s\n%s", err, text, screen)
	}
}
