package kit

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Report is the result of a run.
type Report struct {
	Against     string       `json:"against"` // "AWS" or the name of a sandbox
	Begun       time.Time    `json:"begun"`
	Ended       time.Time    `json:"ended"`
	Compared    int          `json:"compared"`
	Complete    bool         `json:"complete"` // false when the run was interrupted
	Differences []Difference `json:"differences"`
	// Wrong are the observations of AWS that differ from the recorded table.
	Wrong map[string]string `json:"table_differs"`
	// Skipped are the rows that were not asked, with the reason.
	Skipped map[string]string `json:"skipped"`
}

// Write writes differences.md and differences.json to dir.
func (r *Report) Write(dir string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("rendering the report: %w", err)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "differences.json"), append(data, '\n'), 0o600),
		os.WriteFile(filepath.Join(dir, "differences.md"), []byte(r.Markdown()), 0o600),
	)
}

// Markdown is the report for people.
func (r *Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s beside the sandbox\n\n%d answers compared, %d facts differ; %s to %s.\n", r.Against, r.Compared, len(r.Differences),
		r.Begun.UTC().Format(time.RFC3339), r.Ended.UTC().Format(time.RFC3339))
	if !r.Complete {
		b.WriteString("\n**The run was interrupted: the comparison is not complete.**\n")
	}
	fmt.Fprintf(&b, "%d answers of %s differ from the recorded table. %d rows were not asked.\n", len(r.Wrong), r.Against, len(r.Skipped))
	part, name := "", ""
	for _, d := range r.Differences {
		if d.Part != part {
			part = d.Part
			fmt.Fprintf(&b, "\n## %s\n", part)
		}
		if d.Name != name {
			name = d.Name
			fmt.Fprintf(&b, "\n### %s\n\n", name)
			if d.Recorded != "" {
				fmt.Fprintf(&b, "The recorded table is wrong or old: %s\n\n", cell(d.Recorded))
			}
			fmt.Fprintf(&b, "| fact | %s | sandbox |\n|---|---|---|\n", r.Against)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", cell(d.Fact), cell(d.AWS), cell(d.Sandbox))
	}
	return b.String()
}

// cell keeps a text within its cell of a table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "\r", " ", "<", "&lt;").Replace(s)
}
