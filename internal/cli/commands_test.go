package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/cli/console"
)

// everyCommand calls f with each command that a user can see and run.
func everyCommand(f func(*cobra.Command)) {
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Hidden || c.IsAdditionalHelpTopicCommand() {
			return
		}
		if !c.HasSubCommands() || c.Name() == "sandbox" {
			f(c)
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root(&console.App{}))
}

func nameOf(c *cobra.Command) string { return strings.TrimPrefix(c.CommandPath(), "brokerctl ") }

func has(c *cobra.Command, flag, shorthand string) bool {
	f := c.Flag(flag)
	return f != nil && !f.Hidden && f.Shorthand == shorthand
}

// A script asks every command in the same way for the form of its output.
func TestEveryCommandWithOutputHasAnOutputFlag(t *testing.T) {
	without := []string{
		"demo", "dev", "sandbox", // run until they are interrupted, for people
		"exec",                                                         // its output is that of another program
		"wait",                                                         // has no output
		"init",                                                         // asks people; scripts read the file
		"help", "completion bash", "completion zsh", "completion fish", // texts
		"sandbox set web-identity", // the output is one token
	}
	everyCommand(func(c *cobra.Command) {
		want := !slices.Contains(without, nameOf(c))
		if got := has(c, "output", "o"); got != want {
			t.Errorf("%s: has -o: %v, want %v", nameOf(c), got, want)
		}
	})
}

// A destination is named as an argument and with -d. upload and spool retry take other
// arguments; init and setup import give a new one its name.
func TestDestinationsAreNamedTheSameWayEverywhere(t *testing.T) {
	want := map[string]string{
		"upload": "FILE… | - | --run COMMAND", "spool retry": "ID… | --destination DESTINATION | --all", "init": "", "setup import": "",
		"verify": "[DESTINATION…]", "wait": "[DESTINATION…]", "status": "[DESTINATION…]", "sessions": "[DESTINATION…]",
		"setup plan": "[DESTINATION…]", "setup apply": "[DESTINATION…]", "setup remove": "[DESTINATION…]",
		"spool ls": "[DESTINATION]", "credentials": "DESTINATION", "exec": "DESTINATION -- COMMAND [ARGUMENT…]",
	}
	got := map[string]string{}
	everyCommand(func(c *cobra.Command) {
		_, synopsis, _ := strings.Cut(c.Use, " ")
		if has(c, "destination", "d") {
			got[nameOf(c)] = synopsis
		} else if strings.Contains(synopsis, "DESTINATION") {
			t.Errorf("%s takes a destination as an argument and not with -d", nameOf(c))
		}
	})
	for name, synopsis := range want {
		if s, ok := got[name]; !ok || s != synopsis {
			t.Errorf("%s has -d: %v, with the arguments %q, want %q", name, ok, s, synopsis)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("%s has -d, and this test does not know why", name)
	}
}

func TestOnlyCommandsThatSpeakToTheDaemonHaveASocketFlag(t *testing.T) {
	speak := []string{"upload", "verify", "status", "wait", "sessions", "credentials", "exec", "drain", "reload"}
	everyCommand(func(c *cobra.Command) {
		name := nameOf(c)
		want := slices.Contains(speak, name) || strings.HasPrefix(name, "spool ") || strings.HasPrefix(name, "watch ") && name != "watch run"
		if got := has(c, "socket", ""); got != want {
			t.Errorf("%s: has --socket: %v, want %v", name, got, want)
		}
	})
}

func TestEveryCommandThatAsksHasYes(t *testing.T) {
	ask := []string{"init", "setup apply", "setup remove", "setup create-key", "spool drop"}
	everyCommand(func(c *cobra.Command) {
		if got, want := has(c, "yes", "y"), slices.Contains(ask, nameOf(c)); got != want {
			t.Errorf("%s: has -y: %v, want %v", nameOf(c), got, want)
		}
	})
}

// Wrong usage has one exit code, for every command, also for those that use 2 otherwise.
func TestWrongUsageHasOneExitCode(t *testing.T) {
	everyCommand(func(c *cobra.Command) {
		args := strings.Fields(nameOf(c))
		if c.Name() == "help" {
			return // takes any flag's name as a command
		}
		if code, _, errs := runBare(t, append(args, "--no-such-flag")...); code != console.ExitUsage ||
			!strings.Contains(errs, "unknown flag: --no-such-flag") {
			t.Errorf("%s --no-such-flag: exit code %d: %s", nameOf(c), code, errs)
		}
	})
	for _, args := range [][]string{
		{"no-such-command"}, {"--no-such-flag"}, {"setup", "no-such-command"}, {"spool", "no-such-command", "-o", "json"},
		{"sandbox", "no-such-command"}, {"sandbox", "fault", "no-such-command"}, {"completion", "no-such-shell"},
		{"help", "no-such-command"}, {"policy", "no-such-command"}, {"version", "argument"}, {"drain", "argument"},
		{"setup", "render", "argument"}, {"setup", "plan"}, {"setup", "apply", "--config", "x"}, {"setup", "create-key"},
		{"setup", "import"}, {"setup", "apply", "-o", "json", "--config", "x"}, {"verify", "-o", "pdf"}, {"upload"},
		{"credentials"}, {"credentials", "a", "-d", "b"}, {"exec", "a", "true"}, {"exec", "--", "true"},
		{"exec", "-d", "a", "b", "--", "true"}, {"spool", "show"}, {"spool", "ls", "a", "b"}, {"spool", "ls", "--state", "x"},
		{"spool", "retry"}, {"spool", "drop", "01KAW3P5E2M9W7V5C1J0X8T4RQ"}, {"policy", "lint"}, {"policy", "simulate"},
		{"explain", "no-such-code"}, {"sandbox", "set", "clock"}, {"sandbox", "set", "clock", "soon"},
		{"sandbox", "env", "--account", "c"}, {"status", "-o", "html"},
	} {
		if code, _, errs := runBare(t, args...); code != console.ExitUsage {
			t.Errorf("%v: exit code %d, want %d: %s", args, code, console.ExitUsage, errs)
		}
	}
}

func TestTheWordThatWasMeantIsNamed(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"stauts"}, "did you mean `brokerctl status`?"},
		{[]string{"setup", "aply"}, "did you mean `brokerctl setup apply`?"},
		{[]string{"spool", "list"}, "unknown command \"list\" for \"brokerctl spool\"; did you mean `brokerctl spool ls`?"},
		{[]string{"help", "upload", "x"}, "unknown command"},
		{[]string{"help", "verfy"}, "did you mean `brokerctl verify`?"},
		{[]string{"upload", "--destinatio", "x"}, "did you mean `--destination`?"},
		{[]string{"verify", "--source", "x"}, "did you mean `--source-profile`?"},
		{[]string{"verify", "-o", "jsn"}, "did you mean `json`?"},
		{[]string{"setup", "render", "-o", "teraform"}, "did you mean `terraform`?"},
		{[]string{"policy", "lint", "--kind", "buckt", "f"}, "did you mean `bucket`?"},
	} {
		if _, _, errs := runBare(t, c.args...); !strings.Contains(errs, c.want) {
			t.Errorf("%v: %q is not in: %s", c.args, c.want, errs)
		}
	}
}

// runBare runs a command without a daemon.
func runBare(t *testing.T, args ...string) (code int, out, errs string) {
	var o, e strings.Builder
	code = Main(t.Context(), args, console.Streams{In: strings.NewReader(""), Out: &o, Err: &e})
	return code, o.String(), e.String()
}

// One colour scheme: every command whose text has colours takes --color.
func TestCommandsWithColoursTakeColor(t *testing.T) {
	colours := []string{
		"verify", "status", "sessions", "demo", "dev", "init", "spool ls", "spool show", "spool drop", "sandbox events",
		"setup plan", "setup apply", "setup remove", "setup import",
	}
	everyCommand(func(c *cobra.Command) {
		if got, want := has(c, "color", ""), slices.Contains(colours, nameOf(c)); got != want {
			t.Errorf("%s: has --color: %v, want %v", nameOf(c), got, want)
		}
	})
	socket := threeObjects().serve(t)
	for _, c := range []struct {
		noColor string
		args    []string
		want    bool
	}{
		{"", nil, false}, // no terminal
		{"", []string{"--color=always"}, true},
		{"1", []string{"--color=always"}, true}, // a flag says more than the environment
		{"1", []string{"--color", "auto"}, false},
		{"", []string{"--color", "never"}, false},
	} {
		t.Setenv("NO_COLOR", c.noColor)
		_, out, _ := run(t.Context(), socket, append([]string{"spool", "ls"}, c.args...)...)
		if got := strings.Contains(out, "\x1b["); got != c.want {
			t.Errorf("NO_COLOR=%q %v: colours: %v, want %v", c.noColor, c.args, got, c.want)
		}
	}
	if code, _, errs := runBare(t, "status", "--color", "sometimes"); code != console.ExitUsage {
		t.Errorf("--color sometimes: exit code %d: %s", code, errs)
	}
}
