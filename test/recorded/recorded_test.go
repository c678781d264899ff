package recorded_test

import (
	_ "embed"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/test/recorded"
)

//go:embed known.txt
var known string

// knownDifferences are the rows that the sandbox is known not to pass.
func knownDifferences() map[string]bool {
	out := map[string]bool{}
	for line := range strings.Lines(known) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out[line] = true
		}
	}
	return out
}

func TestTheSandboxAnswersAsAWSDoes(t *testing.T) {
	sb, err := sandbox.New(sandbox.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	sb.Start()
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Errorf("closing the sandbox: %v", err)
		}
	})
	target, err := recorded.Sandbox(t.Context(), sb, "recorded")
	if err != nil {
		t.Fatal(err)
	}
	differs := knownDifferences()
	for _, row := range recorded.All() {
		listed := differs[row.ID()]
		delete(differs, row.ID())
		t.Run(row.ID(), func(t *testing.T) {
			o, err := target.Run(t.Context(), &row)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case !o.Passed() && !listed:
				t.Errorf("%s\n%s\nsource: %s", row.ID(), o, row.Source)
			case o.Passed() && listed:
				t.Errorf("passes now, remove it from known.txt: %s", row.ID())
			}
		})
	}
	for id := range differs {
		t.Errorf("known.txt has %q, and there is no such row", id)
	}
}
