package render

import (
	"bytes"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/textwrap"
)

// Prose and headings fit the terminal. Words, documents and commands to paste stay whole.
func TestTextFitsTheTerminal(t *testing.T) {
	for _, width := range []int{60, 80, 132} {
		for name, o := range map[string]*Text{"text": {}, "verbose": {Verbose: true}} {
			var out bytes.Buffer
			o.Width, o.Paint = width, Plain()
			if err := texts(&out, o, runOf(broken(), whole(), refused(), healthy())); err != nil {
				t.Fatal(err)
			}
			for line := range strings.SplitSeq(out.String(), "\n") {
				words := strings.Fields(line)
				asItIs := strings.HasPrefix(line, "        ") // documents and commands are indented deeper than prose
				if textwrap.Columns(line) > width && len(words) > 1 && !asItIs {
					t.Errorf("%s: %d columns of %d: %s", name, textwrap.Columns(line), width, line)
				}
			}
		}
		var out bytes.Buffer
		for _, r := range runOf(broken(), whole(), refused()).Results {
			if err := Short(&out, Plain(), width, r); err != nil {
				t.Fatal(err)
			}
		}
		for line := range strings.SplitSeq(out.String(), "\n") {
			if textwrap.Columns(line) > width && len(strings.Fields(line)) > 1 {
				t.Errorf("short: %d columns of %d: %s", textwrap.Columns(line), width, line)
			}
		}
	}
}
