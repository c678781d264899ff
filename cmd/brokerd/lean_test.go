package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTheDaemonStaysLean holds what may not be linked into a daemon that runs
// beside every application.
func TestTheDaemonStaysLean(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-tags", "grpcnotrace", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	linked := make(map[string]bool)
	for line := range strings.Lines(string(out)) {
		p, imports, _ := strings.Cut(strings.TrimSpace(line), " ")
		linked[p] = true
		// cobra imports text/template too, and its templates are never executed here.
		if strings.HasPrefix(p, "github.com/brokerd/") && slices.Contains(strings.Fields(imports), "text/template") {
			t.Errorf("%s imports text/template: its reflection keeps every method of every type, 12 MB of program and 4 MiB at rest", p)
		}
	}
	for p, why := range map[string]string{
		"html/template": "its reflection keeps every method of every type: a third of the program",
		"github.com/aws/aws-sdk-go-v2/service/iam":        "only brokerctl reads and writes policies",
		"github.com/aws/aws-sdk-go-v2/service/cloudtrail": "only brokerctl reads the trail",
		"github.com/brokerd/brokerd/internal/sandbox":     "the product does not stand on its own tests",
		"github.com/brokerd/brokerd/internal/cli":         "the commands are brokerctl's",
		"github.com/fatih/color":                          "a daemon has no terminal",
	} {
		if linked[p] {
			t.Errorf("%s is linked: %s", p, why)
		}
	}
}

// TestTheProgramStaysSmall fails when the linker keeps functions without a caller:
// each page that the program touches is resident in every host and pod.
func TestTheProgramStaysSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "brokerd")
	if out, err := exec.Command("go", "build", "-tags", "grpcnotrace", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if limit := int64(34 << 20); info.Size() > limit {
		t.Errorf("brokerd is %d bytes, more than %d", info.Size(), limit)
	}
}
