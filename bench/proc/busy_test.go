package proc

import (
	"testing"
	"time"
)

func TestParseBusy(t *testing.T) {
	const text = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu1 100 200 300 9999 9999 10 20 30 77 77\ncpu10 1 1 1 1 1 1 1 1 1 1\ncpu2 1 2 3\n" +
		"cpu3 a 1 1 1 1 1 1 1\nintr 1\n"
	for _, c := range []struct {
		name  string
		core  int
		want  time.Duration
		fails bool
	}{
		{name: "idle, waiting and guests do not count", core: 1, want: 6600 * time.Millisecond},
		{name: "a name that begins like another", core: 10, want: 60 * time.Millisecond},
		{name: "too few numbers", core: 2, fails: true},
		{name: "no number", core: 3, fails: true},
		{name: "no such core", core: 4, fails: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseBusy(text, c.core)
			if (err != nil) != c.fails || got != c.want {
				t.Errorf("%s, %v", got, err)
			}
		})
	}
}

func FuzzParseBusy(f *testing.F) {
	f.Add("cpu0 1 2 3 4 5 6 7 8 9 10\n")
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := parseBusy(text, 0); err == nil && d < 0 {
			t.Errorf("%s of %q", d, text)
		}
	})
}
