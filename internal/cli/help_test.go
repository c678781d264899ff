package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/cli/console"
)

// A command without examples makes its reader guess; a group shows those of its parts.
func TestEveryCommandHasTwoExamplesThatItAccepts(t *testing.T) {
	everyCommand(func(c *cobra.Command) {
		calls := callsIn(c.Example)
		own := 0
		for _, args := range calls {
			if strings.HasPrefix(strings.Join(args, " ")+" ", nameOf(c)+" ") {
				own++
			}
			if err := accepts(args); err != nil {
				t.Errorf("the help of %s: brokerctl %s: %v", nameOf(c), strings.Join(args, " "), err)
			}
		}
		if own < 2 {
			t.Errorf("%s has %d examples of itself in its help, want 2", nameOf(c), own)
		}
	})
}

// A reader pastes the commands of the documents. They are parsed here with the flags and
// arguments that exist.
func TestTheCommandsOfTheDocumentsExist(t *testing.T) {
	files := []string{"../../README.md", "../../CONTRIBUTING.md"}
	for _, dir := range []string{"../../docs", "../../deploy"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.HasSuffix(path, ".md") && !strings.Contains(path, "/adr/") {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	parsed := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range strings.Split(string(text), "```") {
			if i%2 == 0 { // prose: the code spans are hints, often with parts left out
				for _, args := range spansIn(block) {
					parsed++
					if err := acceptsFlags(args); err != nil {
						t.Errorf("%s: brokerctl %s: %v", file, strings.Join(args, " "), err)
					}
				}
				continue
			}
			for _, args := range callsIn(block) {
				parsed++
				if err := accepts(args); err != nil {
					t.Errorf("%s: brokerctl %s: %v", file, strings.Join(args, " "), err)
				}
			}
		}
	}
	if parsed < 150 {
		t.Errorf("only %d commands were found: are they still written as code?", parsed)
	}
}

// Errors and reports name the command to run next.
func TestTheCommandsInErrorsExist(t *testing.T) {
	parsed := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, args := range spansIn(string(text)) {
			parsed++
			if err := acceptsFlags(args); err != nil {
				t.Errorf("%s: brokerctl %s: %v", path, strings.Join(args, " "), err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if parsed < 60 {
		t.Errorf("only %d commands were found", parsed)
	}
}

// accepts parses a call and checks its arguments, and does not run it.
func accepts(args []string) error {
	cmd, rest, err := find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return cmd.FlagErrorFunc()(cmd, err)
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// acceptsFlags checks the command and the names of the flags of a call in prose.
func acceptsFlags(args []string) error {
	cmd, rest, err := find(args)
	if err != nil {
		return err
	}
	for _, word := range rest {
		name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
		switch {
		case word == "--":
			return nil
		case word == "-" || !strings.HasPrefix(word, "-"):
		case strings.HasPrefix(word, "--") && cmd.Flag(name) == nil,
			!strings.HasPrefix(word, "--") && cmd.Flags().ShorthandLookup(name[:1]) == nil:
			return cmd.FlagErrorFunc()(cmd, cmd.ParseFlags([]string{word}))
		}
	}
	if cmd.HasSubCommands() {
		return cmd.ValidateArgs(slices.DeleteFunc(slices.Clone(rest), func(s string) bool { return strings.HasPrefix(s, "-") }))
	}
	return nil
}

func find(args []string) (*cobra.Command, []string, error) {
	cmd, rest, err := root(&console.App{}).Find(args)
	if err == nil {
		cmd.InitDefaultHelpFlag()
		_ = cmd.InheritedFlags() // merges those of the groups above
	}
	return cmd, rest, err
}

var (
	inner = regexp.MustCompile(`[$<]\(([^()]*)\)`)
	// begins matches the words that may stand before the program in a command.
	begins   = regexp.MustCompile(`^([A-Z_]+=.*|xargs|-r|-n1|sudo|if|!|until|while|do|then|time)$`)
	variable = regexp.MustCompile(`\$[A-Za-z_]+`)
	span     = regexp.MustCompile("`brokerctl ([^`\n\"]+)`")
)

// spansIn returns the calls in code spans. Optional parts and placeholders of several
// words are left out.
func spansIn(text string) (calls [][]string) {
	for _, m := range span.FindAllStringSubmatch(text, -1) {
		var args []string
		for word := range strings.FieldsSeq(m[1]) {
			if strings.ContainsAny(word, `[]{}|…\`) || strings.HasPrefix(word, "%") && len(args) == 0 {
				break
			}
			args = append(args, word)
		}
		if len(args) > 0 && args[0] != "COMMAND" {
			calls = append(calls, args)
		}
	}
	return calls
}

// callsIn returns the arguments of each call of brokerctl in lines of shell.
func callsIn(text string) (calls [][]string) {
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.Lines(text) {
		for inner.MatchString(line) {
			for _, m := range inner.FindAllStringSubmatch(line, -1) {
				calls = append(calls, callsIn(m[1])...)
			}
			line = inner.ReplaceAllString(line, "X")
		}
		for _, command := range strings.Split(strings.Join(shellWords(line), "\x01"), "\x00") {
			words := slices.DeleteFunc(strings.Split(command, "\x01"), func(w string) bool { return w == "" || w == "$@" })
			at := slices.Index(words, "brokerctl")
			if at < 0 || slices.ContainsFunc(words[:at], func(w string) bool { return !begins.MatchString(w) }) {
				continue // it is a word of another command
			}
			call := slices.Clone(words[at+1:])
			for i := range call {
				call[i] = variable.ReplaceAllString(call[i], "1")
			}
			if slices.Contains(words[:at], "xargs") {
				call = append(call, "01KAW3P5E2M9W7V5C1J0X8T4RQ")
			}
			calls = append(calls, call)
		}
	}
	return calls
}

// shellWords splits a line as a shell does; an operator is "\x00". A redirection and a
// comment end the line.
func shellWords(line string) (words []string) {
	var b strings.Builder
	quote, begun := rune(0), false
	push := func() {
		if begun {
			words = append(words, b.String())
		}
		b.Reset()
		begun = false
	}
	for _, r := range strings.TrimSpace(line) {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			} else {
				b.WriteRune(r)
			}
		case r == '\'' || r == '"':
			quote, begun = r, true
		case r == ' ' || r == '\t':
			push()
		case r == '#' && !begun:
			return words
		case r == '>' || r == '<':
			if s := b.String(); s == "1" || s == "2" {
				b.Reset()
				begun = false
			}
			push()
			words = append(words, "\x00")
		case strings.ContainsRune("|;&()", r):
			push()
			words = append(words, "\x00")
		default:
			b.WriteRune(r)
			begun = true
		}
	}
	push()
	return words
}
