package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// The demonstration is read on a terminal of 80 columns and 45 lines: three
// screens are the most that a newcomer scrolls through.
func TestTheDemonstrationFitsThreeScreens(t *testing.T) {
	const columns, limit = 80, 3 * 45
	dir, err := os.MkdirTemp("", "brokerd-demo-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cmd := exec.Command(filepath.Join(binaries, "brokerctl"), "demo")
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	rows, text := 0, strings.TrimRight(string(out), "\n")
	for line := range strings.SplitSeq(text, "\n") {
		rows += max(1, (utf8.RuneCountInString(line)+columns-1)/columns)
	}
	if rows > limit {
		t.Errorf("the demonstration takes %d rows, want at most %d", rows, limit)
	}
	if n := strings.Count(text, `"Sid": "`); n != 1 {
		t.Errorf("the fix is printed %d times, want once", n)
	}
}
