package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/brokerd/brokerd/internal/verify"
)

// checkRenderer prints checks for people as they arrive.
type checkRenderer struct {
	w        io.Writer
	margin   string
	brief    bool // no details of what passed or was not run
	p        palette
	category string
	err      error
}

func newCheckRenderer(w io.Writer) *checkRenderer { return &checkRenderer{w: w, p: paletteFor(w)} }

func (r *checkRenderer) line(format string, args ...any) {
	if r.err == nil {
		_, r.err = fmt.Fprintln(r.w, indent(fmt.Sprintf(format, args...), r.margin))
	}
}

func (r *checkRenderer) begin(destination string) {
	r.category = ""
	r.line("%s", r.p.bold("destination "+destination))
}

func (r *checkRenderer) mark(result verify.Result) string {
	switch result {
	case verify.Pass:
		return r.p.good("✓")
	case verify.Warn:
		return r.p.warn("!")
	case verify.Fail:
		return r.p.bad("✗")
	case verify.Unknown:
		return r.p.warn("?")
	}
	return r.p.dim("-")
}

func (r *checkRenderer) check(c verify.Check) error {
	if c.Category != r.category {
		r.category = c.Category
		r.line("  %s", r.p.dim(c.Category))
	}
	title := c.Title
	if c.Result == verify.Skip {
		title = r.p.dim(title)
	}
	r.line("  %s %s  %s", r.mark(c.Result), title, r.p.dim(c.Code))
	switch c.Result {
	case verify.Pass:
		if c.Why != "" && !r.brief {
			r.line("      %s", r.p.dim(c.Why))
		}
		return r.err
	case verify.Skip:
		if !r.brief {
			r.line("      %s", r.p.dim(c.Why))
		}
		return r.err
	}
	if where := whereText(c); where != "" {
		r.line("      %s", r.p.bold(where))
	}
	r.block("", c.Why)
	for _, e := range c.Evidence {
		if e.AWSMessage != "" {
			r.block("AWS said: ", e.AWSCode+": "+e.AWSMessage)
		}
		if e.RequestID != "" {
			r.line("      request id %s", e.RequestID)
		}
	}
	if c.Confirms != "" {
		return r.err
	}
	r.block("Fix: ", c.Fix.Text)
	if len(c.Fix.Patch) > 0 {
		r.line("%s", indent(string(c.Fix.Patch), "        "))
	}
	r.line("      More: brokerctl explain %s", c.Code)
	return r.err
}

func whereText(c verify.Check) string {
	if c.Artefact.Kind == "" {
		return ""
	}
	text := "at fault: " + c.Artefact.Kind
	if c.Artefact.ARN != "" {
		text += " of " + c.Artefact.ARN
	}
	if c.Account.ID != "" {
		text += ", account " + c.Account.ID
	}
	return text
}

func (r *checkRenderer) block(label, text string) {
	if text != "" {
		r.line("%s", indent(wrap(label+text, textWidth), "      "))
	}
}

func (r *checkRenderer) end(report verify.Report) error {
	counts := make(map[verify.Result]int)
	for _, c := range report.Checks {
		counts[c.Result]++
	}
	var parts []string
	for _, k := range []struct {
		result verify.Result
		word   string
	}{{verify.Pass, "passed"}, {verify.Warn, "to look at"}, {verify.Fail, "failed"}, {verify.Unknown, "unknown"}, {verify.Skip, "not run"}} {
		if n := counts[k.result]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, k.word))
		}
	}
	r.line("  %s", strings.Join(parts, ", "))
	return r.err
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n"+by)
}

const textWidth = 94

// wrap breaks text at spaces; what has none, such as an ARN, stays whole.
func wrap(text string, width int) string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "{") || strings.HasPrefix(line, "}") {
			out = append(out, line) // JSON
			continue
		}
		cur := ""
		for word := range strings.FieldsSeq(line) {
			if cur != "" && len(cur)+1+len(word) > width {
				out = append(out, cur)
				cur = ""
			}
			if cur != "" {
				cur += " "
			}
			cur += word
		}
		out = append(out, cur)
	}
	return strings.Join(out, "\n")
}
