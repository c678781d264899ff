//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/textwrap"
)

// session is a program on a pseudo-terminal.
type session struct {
	cmd   *exec.Cmd
	tty   *os.File
	shown *logged
	ended chan struct{}
}

// onTerminal starts cmd on a terminal with 24 rows.
func onTerminal(t *testing.T, cmd *exec.Cmd, columns int) *session {
	t.Helper()
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: uint16(columns)})
	if err != nil {
		t.Skipf("this host gives no pseudo-terminal: %v", err)
	}
	s := &session{cmd, tty, &logged{}, make(chan struct{})}
	go func() {
		defer close(s.ended)
		_, _ = io.Copy(s.shown, tty) // EIO is its end
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = tty.Close() })
	return s
}

// end waits for the program, and returns its exit code and all that it has written.
func (s *session) end(t *testing.T) (code int, text string) {
	t.Helper()
	kill := time.AfterFunc(patience, func() { _ = s.cmd.Process.Kill() })
	defer kill.Stop()
	err := s.cmd.Wait()
	select {
	case <-s.ended:
	case <-time.After(patience): // a child that the program left behind holds the terminal
		t.Error("the terminal is still open")
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	}
	return code, strings.ReplaceAll(s.shown.String(), "\r\n", "\n")
}

// until waits until the terminal shows a text.
func (s *session) until(t *testing.T, want *regexp.Regexp) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !want.MatchString(s.shown.String()) {
		select {
		case <-tick.C:
		case <-limit:
			text := s.shown.String()
			t.Fatalf("the terminal never showed %s: %q", want, text[max(0, len(text)-400):])
		}
	}
}

// tooWide returns the lines that do not fit. One word may be wider, and so may documents and
// commands to paste, which are indented or begin with the name of a program.
func tooWide(text string, columns int) (wide []string) {
	fenced := false
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		asItIs := fenced || strings.HasPrefix(line, "        ") || strings.HasPrefix(line, "  brokerctl ") || strings.HasPrefix(line, "|") ||
			strings.HasPrefix(line, "    ") && strings.Contains(line, `"`)
		before := line[:max(0, strings.LastIndexByte(line, ' '))]
		word := textwrap.Columns(line) - textwrap.Columns(before) // behind a short name, such as an ARN
		alone := word > columns/2 && textwrap.Columns(before) <= columns/3
		if textwrap.Columns(line) > columns && !alone && !asItIs {
			wide = append(wide, line)
		}
	}
	return wide
}

// withSpool is a daemon with a spool that holds a parked object with a long name.
func withSpool(t *testing.T) *running {
	t.Helper()
	r := startWith(t, "", func(text string) string {
		text = strings.Replace(text, "    path_style: true\n", "    path_style: true\n    durability: spool\n", 1)
		return strings.Replace(text, "\nspool:\n", "\nspool:\n  allow_volatile: true\n  min_free: 0MiB\n", 1)
	})
	policy, err := testbed.RemoveAllow(string(r.Docs.Key), testbed.RoleName)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.PutKeyPolicy(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	name := "a report with a long name " + strings.Repeat("and more ", 8) + ".csv"
	if code, out := result(t, r.shell(`echo x | brokerctl upload -d $D --name "`+name+`" -`), patience); code != 0 {
		t.Fatalf("exit code %d: %s", code, out)
	}
	for limit := time.Now().Add(patience); ; {
		if _, out := result(t, r.ctl("spool", "ls"), patience); strings.Contains(out, "parked") {
			return r
		}
		if time.Now().After(limit) {
			t.Fatal("the object was never parked")
		}
	}
}

// Tables, reports, help and errors fit a terminal of 80 columns, and a narrower one.
func TestTextFitsTheTerminal(t *testing.T) {
	r := withSpool(t)
	for _, args := range [][]string{
		{"status"}, {"sessions"}, {"spool", "ls"}, {"verify"}, {"verify", "-v"}, {"verify", "-o", "short"}, {"verify", "nosuch"},
		{"explain"}, {"explain", "BRK-KMS-010"}, {"reload"}, {"upload", "-d", "audit-log", "/etc/hostname"}, {"status", "nosuch"},
		{"upload", "--help"}, {"verify", "--help"}, {"init", "--help"}, {"setup", "apply", "--help"}, {"sandbox", "--help"},
		{"policy", "simulate", "--help"}, {"--help"}, {"help", "exit-codes"}, {"drain", "--timeout", "1s"}, {"drain", "--resume"},
	} {
		for _, columns := range []int{80, 60} {
			_, text := onTerminal(t, r.ctl(args...), columns).end(t)
			text = regexp.MustCompile("(?m)^.*(\r|\x1b\\[K)").ReplaceAllString(text, "") // progress, overwritten
			if strings.HasSuffix(strings.Join(args, " "), "--help") || args[0] == "--help" {
				_, rest, _ := strings.Cut(text, "\nExamples:\n")
				examples, after, _ := strings.Cut(rest, "\n\n")
				text = strings.Replace(text, examples, "", 1) // to paste
				if after == "" {
					t.Errorf("brokerctl %s has no flags below its examples", strings.Join(args, " "))
				}
			}
			for _, line := range tooWide(text, columns) {
				t.Errorf("brokerctl %s: %d columns of %d: %s", strings.Join(args, " "), textwrap.Columns(line), columns, line)
			}
		}
	}
	// COLUMNS says more than the terminal does.
	cmd := r.ctl("help", "exit-codes")
	cmd.Env = append(cmd.Env, "COLUMNS=50")
	_, text := onTerminal(t, cmd, 200).end(t)
	if wide := tooWide(text, 50); len(wide) > 0 {
		t.Errorf("with COLUMNS=50: %q", wide)
	}
	// A program gets an object on one line, with its whole name.
	if _, out := result(t, r.ctl("spool", "ls"), patience); !regexp.MustCompile(`(?m)^01.{24} +audit-logs +parked .*and more \.csv$`).
		MatchString(out) {
		t.Errorf("the table for programs: %s", out)
	}
}

// The answers of `brokerctl policy` fit a terminal; a program gets each of them on one line.
// A statement to copy stays as it is.
func TestPolicyAnswersFitTheTerminal(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	identity := write("identity.json", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject",
		"Resource":"arn:aws:s3:::logs/*"}]}`)
	theirs := write("theirs.json", `{"Version":"2012-10-17","Statement":[{"Sid":"TheirOwn","Effect":"Allow",
		"Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"s3:PutObjekt","Resource":"arn:aws:s3:::logs/*"}]}`)
	simulate := []string{
		"policy", "simulate", "--principal", "arn:aws:sts::111122223333:assumed-role/app/s1", "--action", "s3:PutObject",
		"--resource", "arn:aws:s3:::logs/a.gz", "--resource-account", "444455556666", "--identity", identity, "--resource-policy", theirs,
	}
	denied := "An error occurred (AccessDenied): User: arn:aws:sts::111122223333:assumed-role/app/s is not authorized to perform: " +
		"kms:GenerateDataKey on resource: arn:aws:kms:eu-west-1:444455556666:key/x because no identity-based policy allows the " +
		"kms:GenerateDataKey action"
	ctl := func(args ...string) *exec.Cmd { return exec.Command(filepath.Join(binaries, "brokerctl"), args...) }
	for _, args := range [][]string{
		simulate, {"policy", "lint", "--kind", "bucket", theirs}, {"policy", "explain-error", denied},
		{"policy", "explain-error", denied + "\n" + strings.Replace(denied, "/app/s", "/other/s", 1)},
	} {
		name := strings.Join(args[:2], " ")
		_, whole := result(t, ctl(args...), patience)
		if len(tooWide(whole, 80)) == 0 {
			t.Errorf("%s: no line is wider than 80 columns, so this test shows no difference:\n%s", name, whole)
		}
		for _, columns := range []int{80, 60} {
			_, text := onTerminal(t, ctl(args...), columns).end(t)
			for _, line := range tooWide(text, columns) {
				t.Errorf("brokerctl %s: %d columns of %d: %s", name, textwrap.Columns(line), columns, line)
			}
			if got, want := strings.Fields(text), strings.Fields(whole); !slices.Equal(got, want) {
				t.Errorf("brokerctl %s: the words differ on a terminal of %d columns:\n%s", name, columns, text)
			}
		}
	}
	_, whole := result(t, ctl(simulate...), patience)
	_, text := onTerminal(t, ctl(simulate...), 60).end(t)
	statement := regexp.MustCompile(`(?ms)^     \{.*?^     \}$`).FindString(whole)
	if statement == "" || !strings.Contains(text, statement) {
		t.Errorf("the statement to copy is %q on a pipe, and this on a terminal:\n%s", statement, text)
	}
}

// The banner of dev, with its lines to paste, fits a terminal of 80 columns.
func TestTheBannerOfDevFitsTheTerminal(t *testing.T) {
	dir, err := os.MkdirTemp("", "dev") // short: the lines to paste have its path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ctl := func(args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(binaries, "brokerctl"), args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+dir, "XDG_RUNTIME_DIR="+dir, "NO_COLOR=1")
		return cmd
	}
	if code, out := result(t, ctl("init", "--config", "brokerd.yaml", "--yes", "--offline", "--source-account", "123456789012",
		"--target-account", "210987654321", "--bucket", "my-logs", "--region", "eu-central-1",
		"--kms-key", "1234abcd-12ab-34cd-56ef-1234567890ab", "--runs-as", "ec2", "--principal", "app-host"), patience); code != 0 {
		t.Fatalf("init: exit code %d: %s", code, out)
	}
	s := onTerminal(t, ctl("dev"), 80)
	s.until(t, regexp.MustCompile(`It runs until Ctrl-C`))
	if _, err := s.tty.Write([]byte{3}); err != nil {
		t.Fatal(err)
	}
	code, text := s.end(t)
	banner, _, _ := strings.Cut(text, "It runs until Ctrl-C")
	for _, line := range tooWide(banner, 80) {
		t.Errorf("%d columns: %s", textwrap.Columns(line), line)
	}
	if code != 0 || !strings.Contains(banner, "This is not AWS") {
		t.Errorf("exit code %d: %s", code, text)
	}
}

func TestColoursFollowTheTerminalTheEnvironmentAndTheFlag(t *testing.T) {
	r := start(t)
	for _, c := range []struct {
		env  string
		args []string
		want bool
	}{
		{"NO_COLOR=", []string{"status"}, true},
		{"NO_COLOR=1", []string{"status"}, false},
		{"NO_COLOR=1", []string{"status", "--color=always"}, true},
		{"NO_COLOR=", []string{"status", "--color=never"}, false},
		{"NO_COLOR=", []string{"verify", "--color=never"}, false},
		{"TERM=dumb", []string{"sessions"}, false},
	} {
		cmd := r.ctl(c.args...)
		cmd.Env = slices.DeleteFunc(cmd.Env, func(v string) bool { return strings.HasPrefix(v, "NO_COLOR=") || strings.HasPrefix(v, "TERM=") })
		cmd.Env = append(cmd.Env, "TERM=xterm", c.env)
		if _, text := onTerminal(t, cmd, 80).end(t); strings.Contains(text, "\x1b[3") != c.want {
			t.Errorf("%s brokerctl %s: colours: %v, want %v: %q", c.env, strings.Join(c.args, " "), !c.want, c.want, text)
		}
	}
}

// The progress of a pipe names the object and counts its bytes; Ctrl-C tells that nothing
// was stored, and nothing is.
func TestCtrlCTellsThatNothingWasStored(t *testing.T) {
	r := start(t)
	// The writer survives Ctrl-C: brokerctl must not see the end of the pipe before its own signal.
	cmd := r.shell(`(trap "" INT; head -c 3000000 /dev/zero; exec sleep 15) | brokerctl upload -d $D --name app.sql.zst -`)
	s := onTerminal(t, cmd, 80)
	s.until(t, regexp.MustCompile(`app\.sql\.zst.*2\.9 MiB`))
	if _, err := s.tty.Write([]byte{3}); err != nil { // Ctrl-C
		t.Fatal(err)
	}
	s.until(t, regexp.MustCompile(`brokerctl: app\.sql\.zst: interrupted: nothing was stored`))
	if _, text := s.end(t); strings.Contains(text, "context canceled") {
		t.Errorf("%q", text)
	}
	if names := r.names(t); len(names) > 0 {
		t.Errorf("the bucket holds %v", names)
	}
	// A terminal whose user types nothing.
	s = onTerminal(t, r.ctl("upload", "-d", testbed.Destination, "--name", "typed", "-"), 80)
	s.until(t, regexp.MustCompile(`typed`))
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code, text := s.end(t); code != 130 || !strings.Contains(text, "interrupted: nothing was stored") {
		t.Errorf("exit code %d: %q", code, text)
	}
	// A command that only waits.
	s = onTerminal(t, r.ctl("sandbox", "events", "--connect", "none"), 80)
	if code, text := s.end(t); code == 0 || strings.Contains(text, "context") {
		t.Errorf("exit code %d: %q", code, text)
	}
}

// On the terminal that people have, tmux of 80 columns and 24 rows, no row is broken inside
// a word.
func TestRowsAreWholeInTmux(t *testing.T) {
	tmux, err := exec.LookPath("tmux")
	if err != nil {
		t.Skip("there is no tmux on this host")
	}
	r := withSpool(t)
	server := filepath.Join(t.TempDir(), "tmux")
	in := func(args ...string) ([]byte, error) {
		cmd := exec.Command(tmux, append([]string{"-S", server, "-f", os.DevNull}, args...)...)
		cmd.Env = append(os.Environ(), "BROKERD_SOCKET="+r.SocketPath, "TERM=screen-256color", "LC_ALL=C.UTF-8")
		return cmd.CombinedOutput()
	}
	t.Cleanup(func() { _, _ = in("kill-server") })
	for _, args := range []string{"status", "spool ls", "sessions", "spool --help", "verify -o short"} {
		script := filepath.Join(binaries, "brokerctl") + " " + args + "; printf 'the end\\n'; exec sleep 1000"
		if out, err := in("new-session", "-d", "-x", "80", "-y", "24", "-s", "s", "sh", "-c", script); err != nil {
			t.Skipf("tmux does not start here: %v: %s", err, out)
		}
		var rows, joined []byte
		for limit := time.Now().Add(patience); !bytes.Contains(rows, []byte("the end")); {
			if rows, err = in("capture-pane", "-p", "-S", "-", "-t", "s"); err != nil || time.Now().After(limit) {
				t.Fatalf("%s: %v: %s", args, err, rows)
			}
		}
		if joined, err = in("capture-pane", "-pJ", "-S", "-", "-t", "s"); err != nil {
			t.Fatal(err)
		}
		trim := regexp.MustCompile(`(?m) +$`)
		whole := strings.Split(trim.ReplaceAllString(string(joined), ""), "\n")
		for _, line := range tooWide(strings.Join(whole, "\n"), 80) {
			t.Errorf("brokerctl %s: tmux broke the line %q", args, line)
		}
		_, _ = in("kill-session", "-t", "s")
	}
}
