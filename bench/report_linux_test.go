package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func run16KiB(cpu, wall float64) sample {
	return sample{Objects: 1000, Bytes: 1 << 30, CPU: cpu, Wall: wall, Elapsed: 2 * wall, SinkCPU: wall}
}

func TestReportJudgesRatiosAndSaysWhatWasSkipped(t *testing.T) {
	r := &report{Rounds: 2, Pinned: true}
	r.add(outcome{Name: smallObjects, field: []string{brokerd, sdk, rclone}, Skipped: map[string]string{rclone: "rclone is not on PATH"},
		Samples: map[string][]sample{brokerd: {run16KiB(1, 1), run16KiB(2, 2)}, sdk: {run16KiB(2, 1), run16KiB(4, 2)}}})
	r.add(outcome{Name: spooled, field: []string{brokerd, brokerdSpool}, Samples: map[string][]sample{brokerd: {run16KiB(1, 1)}},
		Skipped: map[string]string{brokerdSpool: "brokerd refuses its configuration: durability\nand more"}})
	if got := r.Figures[0]; got.Ratio == nil || got.Ratio.Median != 0.5 || got.Verdict != floorMet {
		t.Errorf("half the CPU: %+v", got)
	}
	if got := r.Figures[1]; got.Ratio.Median != 1 || got.Verdict != belowFloor || !r.missed() {
		t.Errorf("no more objects a second: %+v", got)
	}
	if got := r.Figures[2]; got.Ours != nil || !strings.HasPrefix(string(got.Verdict), "skipped: brokerd refuses") ||
		strings.Contains(string(got.Verdict), "more") {
		t.Errorf("without a spool: %+v", got)
	}
	var table bytes.Buffer
	if err := r.print(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"0.50", "[0.50 0.50]", "floor met", "BELOW THE FLOOR", "rclone is not on PATH", ">= 2.20"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table has no %q:\n%s", want, table.String())
		}
	}
	path := filepath.Join(t.TempDir(), "out.json")
	if err := r.writeJSON(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var back struct {
		Figures []row
		Cases   []outcome
	}
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if len(back.Figures) != 3 || len(back.Cases[0].Samples[brokerd]) != 2 {
		t.Errorf("the file holds %d figures and %d samples", len(back.Figures), len(back.Cases[0].Samples[brokerd]))
	}
}

// A figure without a case would never be measured, and would never fail.
func TestEveryFigureIsOfACaseThatIsMeasured(t *testing.T) {
	fields := make(map[string][]string)
	for _, c := range cases(false) {
		fields[c.name] = c.field
	}
	for _, f := range figures {
		for _, name := range []string{f.ours, f.peer} {
			if name != "" && !strings.Contains(strings.Join(fields[f.benchCase], "\n"), name) {
				t.Errorf("%s, %s: %s does not take part", f.benchCase, f.name, name)
			}
		}
	}
}

func TestCommandLine(t *testing.T) {
	o, err := parse([]string{"-rounds", "3", "-only", "^big", "-quick", "-strict", "-json", "x"})
	if err != nil || o.rounds != 3 || !o.only.MatchString(bigFile) || o.only.MatchString(start) || !o.quick || !o.strict || o.json != "x" {
		t.Errorf("%+v, %v", o, err)
	}
	for _, bad := range [][]string{{"-rounds", "0"}, {"-only", "("}, {"more"}} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
