package config

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

// A file that would cost the parser gigabytes never reaches it: a reload of it must not
// end the daemon.
func TestAMisshapenFileCostsNothing(t *testing.T) {
	for name, tc := range map[string]struct{ text, says string }{
		"400 kB of list indicators": {strings.Repeat("- ", 200_000), "more than 16 list or key indicators"},
		"400 kB of key indicators":  {strings.Repeat("? ", 200_000), "more than 16 list or key indicators"},
		"indicators after blanks":   {strings.Repeat(" -\t", 200_000), "more than 16 list or key indicators"},
		"800 kB of quotes":          {strings.Repeat("\"]", 400_000), "longer than 16384 bytes"},
		"800 kB of brackets":        {strings.Repeat("[", 800_000), "nested more than 64 deep"},
		"a stair of lists":          {stair(1000), "indented by more than 256"},
		"a list of 200,000 things":  {strings.Repeat("- a\n", 200_000), "more than 10000 list items"},
		"more than the limit":       {strings.Repeat("#", maxFile+1), "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Parse("f.yaml", []byte(tc.text))
			runtime.ReadMemStats(&after)
			var all Errors
			if !errors.As(err, &all) || len(all) != 1 || !strings.Contains(all[0].Message, tc.says) {
				t.Errorf("got %v, want %q", err, tc.says)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
				t.Errorf("%d bytes were allocated", got)
			}
		})
	}
}

func stair(steps int) string {
	var b strings.Builder
	for i := range steps {
		b.WriteString(strings.Repeat(" ", i) + "-\n")
	}
	return b.String()
}

// The limits leave room for every file that a person writes.
func TestOrdinaryShapesAreAllowed(t *testing.T) {
	for name, text := range map[string]string{
		"empty":               "",
		"a document marker":   "---\na: 1\n",
		"a list in a list":    "- - - 1\n",
		"a long comment":      "# " + strings.Repeat("- ", 4000) + "\n",
		"text with hyphens":   "a: " + strings.Repeat("- ", 4000) + "\n",
		"nine thousand rules": strings.Repeat("- {a: [b]}\n", 9_000),
	} {
		if line, column, problem := misshapen([]byte(text)); problem != "" {
			t.Errorf("%s: line %d, column %d: %s", name, line, column, problem)
		}
	}
}
