package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"text/tabwriter"
)

// report holds all results, and prints the tables.
type report struct {
	Commit  string    `json:"commit,omitempty"`
	Go      string    `json:"go"`
	Rounds  int       `json:"rounds"`
	Quick   bool      `json:"quick"`
	Pinned  bool      `json:"pinned"` // brokerd and the sink had a core each
	Figures []row     `json:"figures"`
	Results []outcome `json:"cases"`
}

// row is a figure with its result.
type row struct {
	Case    string  `json:"case"`
	Figure  string  `json:"figure"`
	Unit    string  `json:"unit"`
	Ours    *spread `json:"ours,omitempty"`
	Peer    *spread `json:"peer,omitempty"`
	Ratio   *spread `json:"ratio,omitempty"`
	Floor   float64 `json:"floor"`
	Aim     float64 `json:"aim"`
	Verdict verdict `json:"verdict"`
	figure  figure
}

func newReport(ctx context.Context, o options, s *harness) *report {
	r := &report{Go: runtime.Version(), Rounds: o.rounds, Quick: o.quick, Pinned: s.work != s.sink}
	if out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output(); err == nil {
		r.Commit = strings.TrimSpace(string(out))
	}
	return r
}

func (r *report) add(res outcome) {
	r.Results = append(r.Results, res)
	for _, f := range figures {
		if f.benchCase == res.Name {
			r.Figures = append(r.Figures, f.row(res))
		}
	}
}

// row computes the figure from the outcome of its case.
func (f figure) row(res outcome) row {
	out := row{Case: f.benchCase, Figure: f.name, Unit: f.metric.unit, Floor: f.floor, Aim: f.aim, figure: f}
	for _, name := range []string{f.ours, f.peer} {
		if why, skipped := res.Skipped[name]; skipped {
			out.Verdict = verdict("skipped: " + firstLine(why))
			return out
		}
	}
	ours := res.series(f.ours, f.metric)
	judged := spreadOf(ours)
	out.Ours = new(judged)
	if f.peer != "" {
		peer := res.series(f.peer, f.metric)
		judged = spreadOf(ratios(ours, peer))
		out.Peer, out.Ratio = new(spreadOf(peer)), new(judged)
	}
	out.Verdict = f.judge(judged.Median)
	return out
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func (r *report) missed() bool {
	for _, f := range r.Figures {
		if f.Verdict == belowFloor {
			return true
		}
	}
	return false
}

func (r *report) print(w io.Writer) error {
	cores := "brokerd and applications on one core, the sink on another"
	if !r.Pinned {
		cores = "all processes on one core: throughput is not comparable"
	}
	if _, err := fmt.Fprintf(w, "commit %s, %s, %d rounds, %s\n\n", cmp.Or(r.Commit, "unknown"), r.Go, r.Rounds, cores); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(cells ...string) { _, _ = fmt.Fprintln(t, strings.Join(cells, "\t")) } // Flush returns the error
	line("figure", "ours", "peer", "", "ratio", "[q1 q3]", "floor", "aim", "verdict")
	for _, f := range r.Figures {
		peer, ratio, quartiles := "", "", ""
		if f.Peer != nil {
			peer = number(f.Peer.Median)
			ratio, quartiles = fmt.Sprintf("%.2f", f.Ratio.Median), fmt.Sprintf("[%.2f %.2f]", f.Ratio.Q1, f.Ratio.Q3)
		} else if f.Ours != nil {
			quartiles = fmt.Sprintf("[%s %s]", number(f.Ours.Q1), number(f.Ours.Q3))
		}
		ours := ""
		if f.Ours != nil {
			ours = number(f.Ours.Median) + " " + f.Unit
		}
		line(f.Case+": "+f.Figure, ours, peer, f.figure.peer, ratio, quartiles, f.figure.bound(f.Floor), f.figure.bound(f.Aim), string(f.Verdict))
	}
	line()
	line("medians of all participants", "CPU s/GiB", "application's CPU s/GiB", "MiB/s", "objects/s", "peak RSS, MiB",
		"sink's CPU s/GiB", "sink's core busy", "cores used by other processes")
	for _, c := range r.Results {
		for _, name := range c.field {
			r.standing(line, c, name)
		}
	}
	return t.Flush()
}

// standing prints a participant's line of the second table.
func (r *report) standing(line func(...string), c outcome, name string) {
	title := c.Name + ": " + name
	if why, skipped := c.Skipped[name]; skipped {
		line(title, "skipped: "+firstLine(why))
		return
	}
	if samples := c.Samples[name]; len(samples) == 0 || samples[0].Bytes == 0 {
		return // the case measured a start
	}
	gib := func(of func(sample) float64) metric {
		return metric{of: func(s sample) float64 { return of(s) / (float64(s.Bytes) / (1 << 30)) }}
	}
	cells := []string{title}
	for _, m := range []metric{
		cpuPerGiB, gib(func(s sample) float64 { return s.Client }), throughput, objectRate, peakMemory,
		gib(func(s sample) float64 { return s.SinkCPU }), {of: sample.busy}, {of: sample.disturbed},
	} {
		cells = append(cells, number(spreadOf(c.series(name, m)).Median))
	}
	line(cells...)
}

// number formats v with three significant digits.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func (r *report) writeJSON(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
