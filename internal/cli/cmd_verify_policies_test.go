package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/brokerd/brokerd/internal/verify/collect"
	"github.com/brokerd/brokerd/internal/verify/report"
)

func TestPoliciesOfADirectory(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"key-policy.json": `{"shared":1}`, "boundary.json": "\n",
		"audit-logs/key-policy.json": `{"own":1}`} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := newBench(verifyFlags{policies: policyFlags{dir: dir}}, "audit-logs", "other")
	options, err := verifyOptions(t.Context(), b.App, b.flags, b.backend, b.names)
	if err != nil {
		t.Fatal(err)
	}
	key := func(destination string) string {
		for _, d := range options(destination).Policies.Documents {
			if d.Kind == report.DocumentKeyPolicy {
				return d.Text
			}
		}
		return ""
	}
	if own, shared := key("audit-logs"), key("other"); own != `{"own":1}` || shared != `{"shared":1}` {
		t.Errorf("its own directory gives %s, the others get %s", own, shared)
	}
	if n := len(options("other").Policies.Documents); n != 2 {
		t.Errorf("%d documents, want the key policy and the boundary that is said not to be", n)
	}
	// A directory without any is a mistake, and is said.
	b = newBench(verifyFlags{policies: policyFlags{dir: t.TempDir()}}, "a")
	if _, err := verifyOptions(t.Context(), b.App, b.flags, b.backend, b.names); !errors.Is(err, collect.ErrNoPolicies) {
		t.Errorf("%v", err)
	}
}

func TestAFileIsWrittenWholeOrNotAtAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.html")
	b := newBench(verifyFlags{out: verifyHTML, file: path}, "a")
	b.answer = func(_ context.Context, _ string, _ int, emit func(report.Check) error) error {
		return emit(failed("BRK-KMS-010"))
	}
	if got := console.ExitCode(b.once(t.Context())); got != console.ExitFailed {
		t.Errorf("exit code %d", got)
	}
	page, err := os.ReadFile(path)
	if err != nil || !bytes.HasPrefix(page, []byte("<!DOCTYPE html>")) || !bytes.HasSuffix(page, []byte("</html>\n")) {
		t.Errorf("%d bytes, %v", len(page), err)
	}
	if b.out.Len() > 0 || !strings.Contains(b.err.String(), "report.html written: fail") {
		t.Errorf("output %q, errors %q", b.out.String(), b.err.String())
	}
	b = newBench(verifyFlags{out: verifyHTML, file: filepath.Join(path, "no", "directory")}, "a")
	b.answer = func(_ context.Context, _ string, _ int, emit func(report.Check) error) error {
		return emit(passed("x"))
	}
	if got := console.ExitCode(b.once(t.Context())); got != console.ExitNoRun {
		t.Errorf("a file that cannot be written: exit code %d", got)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files are there, %v", len(entries), err)
	}
}
