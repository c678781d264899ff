//go:build linux

package hostile

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

var binaries string // the directory of the programs, which every user may enter

func TestMain(m *testing.M) {
	if role := os.Getenv(childVariable); role != "" {
		os.Exit(child(role))
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Getuid() != 0 {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "hostile-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binaries = dir
	if err := install(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// install builds the programs, and copies this one: other users cannot enter the
// directory in which `go test` runs it.
func install(dir string) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if out, err := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "../../cmd/brokerd",
		"../../cmd/brokerctl").CombinedOutput(); err != nil {
		return fmt.Errorf("building the programs: %w\n%s", err, out)
	}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer func() { _ = self.Close() }()
	out, err := os.OpenFile(filepath.Join(dir, "hostile.test"), os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, self); err != nil {
		return err
	}
	return out.Close()
}

// row is a line of the printed table.
type row struct {
	attack  Attack
	outcome Outcome
	honest  latencies
	memory  string
}

func needsRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: the attackers are processes of other users")
	}
}

func TestHostile(t *testing.T) {
	needsRoot(t)
	var rows []row
	defer func() { t.Log("\n" + table(rows)) }()
	all := areas()
	var names []string
	for _, a := range all {
		if !slices.Contains(names, a.Area) {
			names = append(names, a.Area)
		}
	}
	for _, area := range names {
		t.Run(area, func(t *testing.T) {
			var shared *arena // of the attacks that need no configuration of their own
			for _, attack := range all {
				switch {
				case attack.Area != area || !selected(attack):
					continue
				case !attack.alone() && shared == nil:
					shared = newArena(t)
					shared.start(t, shared.text, nil)
				}
				t.Run(attack.Name, func(t *testing.T) {
					if !attack.alone() {
						rows = append(rows, attempt(t, attack, shared))
						return
					}
					a := newArena(t)
					text := a.text
					if attack.Config != nil {
						text = attack.Config(text)
					}
					a.environment = attack.Environment
					a.start(t, text, attack.Daemon)
					rows = append(rows, attempt(t, attack, a))
					a.stop(t)
				})
				if shared != nil && shared.ended() {
					shared.stop(t)
					shared = nil
				}
			}
			if shared != nil {
				shared.stop(t)
			}
		})
	}
}

// selected reports whether this run tries the attack.
func selected(attack Attack) bool { return !attack.Slow || os.Getenv("BROKERD_HOSTILE") == "all" }

// attempt runs an attack against a daemon.
func attempt(t *testing.T, attack Attack, a *arena) row {
	t.Helper()
	if attack.Prepare != nil {
		attack.Prepare(t, a)
	}
	before := a.honest.count()
	out := a.try(t, attack)
	if out.Skipped == "" && attack.Check != nil {
		if found := attack.Check(t, a); found != "" {
			out = gotIn("%s", found)
		}
	}
	a.honest.next(2) // an upload that waits for the attack belongs to it
	r := row{attack: attack, outcome: out, honest: a.honest.since(before), memory: a.memory()}
	switch {
	case a.ended():
		r.outcome = gotIn("the daemon ended: %v; %s", a.daemon.err, a.logTail())
	case r.honest.Failed > 0 || r.honest.P99 > honestLimit:
		r.outcome = gotIn("%s; alice's uploads: %s", out.Happened, r.honest)
	}
	switch {
	case r.outcome.Skipped != "":
		t.Log("not tried:", r.outcome.Skipped)
	case r.outcome.GotIn:
		t.Errorf("got in: %s\nalice: %s", r.outcome.Happened, r.honest)
	default:
		t.Logf("held: %s; alice: %s", r.outcome.Happened, r.honest)
	}
	return r
}

// table prints each attack with its outcome, and alice's latency during it.
func table(rows []row) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "area\tattack\tby\tgot in\talice p50\tp99\tmemory\toutcome")
	tried, in := 0, 0
	for _, r := range rows {
		verdict := "no"
		text := r.outcome.Happened
		switch {
		case r.outcome.Skipped != "":
			verdict, text = "not tried", r.outcome.Skipped
		case r.outcome.GotIn:
			verdict = "YES"
			in++
			tried++
		default:
			tried++
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%v\t%v\t%s\t%s\n", r.attack.Area, r.attack.Name, r.attack.As.Name, verdict,
			r.honest.P50.Round(time.Millisecond/10), r.honest.P99.Round(time.Millisecond/10), r.memory, strings.ReplaceAll(text, "\n", " "))
	}
	_ = w.Flush()
	return fmt.Sprintf("%s%d attacks tried, %d got in\n", b.String(), tried, in)
}

// An attack is named once: its name runs it.
func TestNamesOfAttacksAreUnique(t *testing.T) {
	seen := make(map[string]bool)
	for _, a := range areas() {
		if seen[a.id()] || a.Area == "" || a.Name == "" || a.Try == nil {
			t.Errorf("%q is used twice, or is not complete", a.id())
		}
		seen[a.id()] = true
	}
}
