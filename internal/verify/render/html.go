package render

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/brokerd/brokerd/docs/checks"
	"github.com/brokerd/brokerd/internal/verify/report"
)

//go:embed page.gohtml
var pageText string

//go:embed page.css
var pageCSS string

// page is the data of page.gohtml.
type page struct {
	CSS      template.CSS
	Title    string
	Verdict  view
	Headline string
	Run      Run
	Started  string
	Took     string
	Sections []section
}

// view is a result as a word, a sign and a CSS class, so that colour is never needed.
type view struct{ Class, Mark, Word string }

func viewOf(r report.Result) view {
	return view{Class: string(r), Mark: markOf(r), Word: wordOf(r)}
}

// section is a destination.
type section struct {
	Name     string
	Anchor   string
	Verdict  view
	Headline string // the first problem, in a sentence
	Summary  string // how many changes, and in which account
	Counts   string
	Calls    int
	Took     string
	Err      string
	Zones    []zone
	Wide     bool // the stations fit next to each other
	Failures []card
	Others   []card // warnings and undecided checks
	Messages []message
	Checks   []category
}

// card is a problem with its fix, document and evidence.
type card struct {
	Problem
	View     view
	Verdict  string
	Why      string // as a sentence
	Who      string
	Misses   []string
	Patch    string
	Document *policyPage
	Evidence []string
	Page     string // of the code, as `brokerctl explain` shows it
}

type message struct {
	report.Message
	To     string
	Mailto template.URL
}

type category struct {
	Name   string
	Checks []row
}

type row struct {
	report.Check
	View view
	Took string
}

// HTML prints the run as one self-contained page.
func HTML(w io.Writer, r Run) error {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return fmt.Errorf("reading the page's template: %w", err)
	}
	result, _ := r.Verdict()
	p := page{
		CSS:     template.CSS(pageCSS),
		Title:   "Access report",
		Verdict: viewOf(result),
		Run:     r,
		Started: r.Started.Format("2 January 2006, 15:04:05 MST"),
		Took:    round(r.Took),
	}
	if len(r.Results) == 1 {
		p.Title += ": " + r.Results[0].Destination
	}
	p.Headline = headlineOf(r, result)
	for i, d := range r.Results {
		p.Sections = append(p.Sections, sectionOf(i, d))
	}
	var out bytes.Buffer // never write half a page
	if err := t.Execute(&out, p); err != nil {
		return fmt.Errorf("making the page: %w", err)
	}
	_, err = w.Write(append(bytes.TrimSpace(out.Bytes()), '\n'))
	return err
}

func headlineOf(r Run, result report.Result) string {
	if len(r.Results) == 1 {
		return ""
	}
	n := 0
	for _, d := range r.Results {
		if d.Verdict() == result {
			n++
		}
	}
	return fmt.Sprintf("%d of %d destinations %s", n, len(r.Results), wordOf(result))
}

func sectionOf(i int, d Result) section {
	problems := Problems(d.Report)
	s := section{
		Name: d.Destination, Anchor: fmt.Sprintf("destination-%d", i+1), Verdict: viewOf(d.Verdict()), Summary: summary(problems),
		Counts: counts(d.Checks), Calls: d.Calls, Took: round(d.Took), Zones: zonesOf(d.Path),
	}
	s.Wide = wide(s.Zones)
	if d.Err != nil {
		s.Err = d.Err.Error()
	}
	switch {
	case len(problems) > 0:
		s.Headline = verdict(problems[0].Check)
	case d.Err != nil:
		s.Headline = "The destination could not be verified."
	case d.Verdict() == report.Pass:
		s.Headline = "An upload would arrive, encrypted with the configured key."
	}
	for _, p := range problems {
		if c := cardOf(d.Report, p); p.Result == report.Fail {
			s.Failures = append(s.Failures, c)
		} else {
			s.Others = append(s.Others, c)
		}
	}
	for _, m := range d.Messages {
		// QueryEscape writes "+" for a space, which mail programs show as it is.
		escape := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
		s.Messages = append(s.Messages, message{
			Message: m, To: accountText(m.Account),
			Mailto: template.URL("mailto:?subject=" + escape(m.Subject) + "&body=" + escape(m.Text)), // both escaped here
		})
	}
	for _, c := range d.Checks {
		if n := len(s.Checks); n == 0 || s.Checks[n-1].Name != c.Category {
			s.Checks = append(s.Checks, category{Name: c.Category})
		}
		last := &s.Checks[len(s.Checks)-1]
		last.Checks = append(last.Checks, row{Check: c, View: viewOf(c.Result), Took: round(c.Elapsed)})
	}
	return s
}

func cardOf(r report.Report, p Problem) card {
	c := card{Problem: p, View: viewOf(p.Result), Verdict: verdict(p.Check), Why: sentence(p.Why), Who: whoText(p.Check)}
	for _, m := range p.NearMisses {
		c.Misses = append(c.Misses, missText(m))
	}
	if len(p.Fix.Patch) > 0 {
		c.Patch = prettyJSON(string(p.Fix.Patch))
	}
	c.Document = pageOf(r, p.Check)
	for _, e := range p.Evidence {
		c.Evidence = append(c.Evidence, evidenceText(e))
	}
	c.Page, _ = checks.Page(p.Code)
	return c
}

// round formats a duration with one significant unit.
func round(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < time.Millisecond:
		return "<1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
