package cli

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/brokerd/brokerd/internal/cli/console"
)

var update = flag.Bool("update", false, "write the reference of docs/cli.md again")

const (
	referencePath  = "../../docs/cli.md"
	referenceBegin = "<!-- The rest is written by: go test ./internal/cli -run TestTheReference -update -->\n"
)

// The last part of docs/cli.md is the tree of commands: none and no flag is missing, and
// none is left there after its removal.
func TestTheReferenceHasEveryCommandAndFlag(t *testing.T) {
	text, err := os.ReadFile(referencePath)
	if err != nil {
		t.Fatal(err)
	}
	head, old, ok := strings.Cut(string(text), referenceBegin)
	if !ok {
		t.Fatalf("%s has no line %q", referencePath, referenceBegin)
	}
	now := reference()
	if *update {
		if err := os.WriteFile(referencePath, []byte(head+referenceBegin+now), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(old, now); d != "" {
		t.Errorf("docs/cli.md is not the tree of commands; run the command in it. %s", d)
	}
}

func reference() string {
	var b strings.Builder
	b.WriteString("\n## All commands and flags\n")
	everyCommand(func(c *cobra.Command) {
		if strings.HasPrefix(nameOf(c), "completion ") {
			return // the library's own
		}
		fmt.Fprintf(&b, "\n### %s\n\n`%s`: %s.\n", nameOf(c), strings.TrimSuffix(c.UseLine(), " [flags]"), cell(c.Short))
		rows := 0
		flags := func(f *pflag.Flag) {
			if f.Hidden || f.Name == "help" {
				return
			}
			if rows++; rows == 1 {
				b.WriteString("\n| flag | |\n|---|---|\n")
			}
			name, text := console.FlagText(f)
			fmt.Fprintf(&b, "| `%s` | %s |\n", cell(strings.TrimSpace(name)), cell(text))
		}
		c.LocalFlags().VisitAll(flags)
		c.InheritedFlags().VisitAll(flags)
	})
	return b.String()
}

// cell escapes the characters that end a cell of a table or begin an HTML tag.
func cell(s string) string { return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(s) }
