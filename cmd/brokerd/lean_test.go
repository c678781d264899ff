package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestTheDaemonStaysLean holds what may not be linked into a daemon that runs
// beside every application.
func TestTheDaemonStaysLean(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-tags", "grpcnotrace", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	linked := make(map[string]bool)
	for p := range strings.Lines(string(out)) {
		linked[strings.TrimSpace(p)] = true
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
