package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/config"
)

// The example that everybody copies has to load.
func TestTheExampleOfTheREADMELoads(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, ok := strings.Cut(string(text), "```yaml\n")
	example, _, closed := strings.Cut(example, "```")
	if !ok || !closed {
		t.Fatal("there is no YAML in README.md")
	}
	cfg, err := config.Parse("README.md", []byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Destinations) != 1 || len(cfg.Access) != 1 {
		t.Errorf("%d destinations and %d rules", len(cfg.Destinations), len(cfg.Access))
	}
}
