//go:build linux

package hostile

import (
	"os"
	"regexp"
	"strconv"
	"testing"
)

var countRow = regexp.MustCompile(`(?m)^\| ([a-z]+) \| ([0-9]+) \| ([0-9]+) \|$`)

// The page of the threat model claims no attack that is not in the list.
func TestTheThreatModelCountsTheAttacks(t *testing.T) {
	text, err := os.ReadFile("../../docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	tried := make(map[string]int)
	for _, a := range areas() {
		tried[a.Area]++
	}
	rows := countRow.FindAllStringSubmatch(string(text), -1)
	if len(rows) == 0 {
		t.Fatal("the page has no table of attacks")
	}
	claimed := 0
	for _, r := range rows {
		n, err := strconv.Atoi(r[2])
		if err != nil {
			t.Fatal(err)
		}
		claimed += n
		if tried[r[1]] < n || r[3] != "0" {
			t.Errorf("%s: the page claims %d attacks of which %s got in, and the list has %d", r[1], n, r[3], tried[r[1]])
		}
	}
	if claimed < 150 {
		t.Errorf("the page claims %d attacks, want at least 150", claimed)
	}
}
