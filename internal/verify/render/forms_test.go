package render

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/brokerd/brokerd/internal/verify/report"
)

// hostile is a run with each field of the record filled, and text in it that
// would break a form that does not escape.
func hostile() Run {
	const evil = "</script><script>alert(1)</script><img src=\"http://evil.example/x\" onerror=\"x\"> ]]> {{.}} \x00\x1b[31m \u2028 & " +
		"<b> ' \" \ufffe 🔥"
	r := broken()
	for i := range r.Checks {
		c := &r.Checks[i]
		c.Why, c.Title = c.Why+evil, c.Title+evil
		c.Artefact.Name, c.Artefact.ARN = evil, evil
		c.Artefact.Statement = &report.Statement{Sid: evil, Index: 1, Line: 11, Column: 5, Path: evil, Text: evil}
		c.Evidence = append(c.Evidence, report.Evidence{Source: report.SourceHost, AWSMessage: evil, RequestID: evil, Text: evil})
		c.NearMisses = append(c.NearMisses, report.NearMiss{
			Policy: evil, Statement: *c.Artefact.Statement, FailedOn: "condition", Operator: evil, Key: evil, Want: []string{evil},
			Got: []string{evil}, Note: evil,
		})
		c.Assumptions = []string{evil}
		c.Fix.Text, c.Fix.Command, c.Fix.Owner = evil, evil, evil
	}
	for i := range r.Path.Nodes {
		r.Path.Nodes[i].Label, r.Path.Nodes[i].ARN = evil, evil
	}
	for i := range r.Path.Edges {
		r.Path.Edges[i].Codes = []string{evil}
	}
	r.Documents[0].Text = "{\n" + evil
	r.Messages[0].Subject, r.Messages[0].Text = evil, evil
	r.Destination = evil
	run := runOf(r)
	run.Through, run.Version = evil, evil
	return run
}

func TestJSONIsAsItsSchemaSays(t *testing.T) {
	raw, err := os.ReadFile("../../../docs/verify.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(raw, &schema); err != nil {
		t.Fatal(err)
	}
	resolved, err := schema.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]Run{"three destinations": runOf(broken(), whole(), refused()), "none": runOf(),
		"text that nobody expects": hostile()} {
		t.Run(name, func(t *testing.T) {
			for _, oneLine := range []bool{false, true} {
				var out bytes.Buffer
				if err := JSON(&out, r, oneLine); err != nil {
					t.Fatal(err)
				}
				if oneLine && bytes.Count(out.Bytes(), []byte("\n")) != 1 {
					t.Error("one line is not one")
				}
				var doc any
				if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
					t.Fatal(err)
				}
				if err := resolved.Validate(doc); err != nil {
					t.Error(err)
				}
			}
		})
	}
	// The schema is closed: it refuses unknown members.
	for _, bad := range []string{`{}`, `{"result":"ok","started":"2026-01-02T15:04:05Z","elapsed_ns":1,"destinations":[]}`,
		`{"result":"pass","started":"2026-01-02T15:04:05Z","elapsed_ns":1,"destinations":[],"more":1}`} {
		var doc any
		if err := json.Unmarshal([]byte(bad), &doc); err != nil {
			t.Fatal(err)
		}
		if resolved.Validate(doc) == nil {
			t.Errorf("the schema takes %s", bad)
		}
	}
}

// What another wrote steers no terminal.
func TestTextHoldsNoControlCharacters(t *testing.T) {
	r := hostile()
	r.Results[0].Err = errors.New("broken \x1b]0;title\a")
	var out bytes.Buffer
	if err := texts(&out, &Text{Paint: Plain(), Verbose: true}, r); err != nil {
		t.Fatal(err)
	}
	if err := Short(&out, Plain(), 0, r.Results[0]); err != nil {
		t.Fatal(err)
	}
	if i := strings.IndexFunc(out.String(), func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }); i >= 0 {
		t.Errorf("%q", out.String()[max(0, i-40):min(out.Len(), i+10)])
	}
}

// XML that a strict reader takes, with sums that are those of the cases.
func TestJUnitIsWhole(t *testing.T) {
	type outcome struct {
		Type    string `xml:"type,attr"`
		Message string `xml:"message,attr"`
	}
	type suite struct {
		Name     string `xml:"name,attr"`
		Tests    int    `xml:"tests,attr"`
		Failures int    `xml:"failures,attr"`
		Errors   int    `xml:"errors,attr"`
		Skipped  int    `xml:"skipped,attr"`
		Time     string `xml:"timestamp,attr"`
		Cases    []struct {
			Name      string   `xml:"name,attr"`
			ClassName string   `xml:"classname,attr"`
			Time      string   `xml:"time,attr"`
			Failure   *outcome `xml:"failure"`
			Error     *outcome `xml:"error"`
			Skipped   *outcome `xml:"skipped"`
		} `xml:"testcase"`
	}
	for name, r := range map[string]Run{"three destinations": runOf(broken(), whole(), refused()), "text that nobody expects": hostile()} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := JUnit(&out, r); err != nil {
				t.Fatal(err)
			}
			var all struct {
				XMLName  xml.Name `xml:"testsuites"`
				Tests    int      `xml:"tests,attr"`
				Failures int      `xml:"failures,attr"`
				Errors   int      `xml:"errors,attr"`
				Suites   []suite  `xml:"testsuite"`
			}
			if err := xml.Unmarshal(out.Bytes(), &all); err != nil {
				t.Fatal(err)
			}
			tests, failures, broke := 0, 0, 0
			for _, s := range all.Suites {
				f, e, k := 0, 0, 0
				for _, c := range s.Cases {
					if c.Name == "" || c.ClassName == "" || c.Time == "" {
						t.Errorf("a case without a name, a class or a time: %+v", c)
					}
					switch {
					case c.Failure != nil:
						f++
						if c.Failure.Message == "" || c.Failure.Type == "" {
							t.Errorf("a failure without a message: %+v", c)
						}
					case c.Error != nil:
						e++
					case c.Skipped != nil:
						k++
					}
				}
				if s.Tests != len(s.Cases) || s.Failures != f || s.Errors != e || s.Skipped != k || s.Time == "" {
					t.Errorf("suite %s says %d tests, %d failures, %d errors, %d skipped; it has %d, %d, %d, %d", s.Name, s.Tests, s.Failures, s.Errors,
						s.Skipped, len(s.Cases), f, e, k)
				}
				tests, failures, broke = tests+s.Tests, failures+s.Failures, broke+s.Errors
			}
			if all.Tests != tests || all.Failures != failures || all.Errors != broke || len(all.Suites) != len(r.Results) {
				t.Errorf("the sums are wrong: %+v", all)
			}
		})
	}
	var out bytes.Buffer
	if err := JUnit(&out, runOf(broken(), refused())); err != nil {
		t.Fatal(err)
	}
	// An undecided check and a destination that could not be verified are errors, not passes.
	for _, want := range []string{`failures="2" errors="2" skipped="2"`, `type="unknown"`, `type="could-not-run"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s", want)
		}
	}
}

// The members that SARIF 2.1.0 requires, and those that scanners ask for.
func TestSARIFIsWhole(t *testing.T) {
	for name, r := range map[string]Run{"three destinations": runOf(broken(), whole(), refused()), "nothing found": runOf(whole()),
		"text that nobody expects": hostile()} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := SARIF(&out, r); err != nil {
				t.Fatal(err)
			}
			var log sarifLog
			dec := json.NewDecoder(&out)
			dec.DisallowUnknownFields()
			if err := dec.Decode(&log); err != nil {
				t.Fatal(err)
			}
			if log.Version != "2.1.0" || !strings.Contains(log.Schema, "sarif-schema-2.1.0.json") || len(log.Runs) != 1 {
				t.Fatalf("version %q, schema %q, %d runs", log.Version, log.Schema, len(log.Runs))
			}
			run := log.Runs[0]
			if run.Tool.Driver.Name == "" || run.Results == nil || run.Tool.Driver.Rules == nil {
				t.Error("a driver without a name, or no results at all")
			}
			for _, rule := range run.Tool.Driver.Rules {
				if rule.ID == "" || rule.ShortDescription.Text == "" || rule.Help.Text == "" || !strings.HasPrefix(rule.HelpURI, "https://") {
					t.Errorf("rule %+v", rule)
				}
			}
			kinds := []string{"pass", "open", "informational", "notApplicable", "review", "fail"}
			levels := []string{"none", "note", "warning", "error"}
			seen := map[string]bool{}
			for _, res := range run.Results {
				if res.Message.Text == "" || res.RuleIndex >= len(run.Tool.Driver.Rules) || run.Tool.Driver.Rules[res.RuleIndex].ID != res.RuleID {
					t.Errorf("result %+v", res)
				}
				if !slices.Contains(kinds, res.Kind) || !slices.Contains(levels, res.Level) || (res.Kind != "fail" && res.Level != "none") {
					t.Errorf("kind %q with level %q", res.Kind, res.Level)
				}
				for _, print := range res.PartialFingerprints {
					if seen[print] {
						t.Errorf("two results have the fingerprint %s", print)
					}
					seen[print] = true
				}
				if len(res.Locations) != 1 || len(res.Locations[0].Logical) == 0 {
					t.Errorf("%s has no location", res.RuleID)
				}
				if p := res.Locations[0].Physical; p != nil {
					if i := p.ArtifactLocation.Index; i == nil || *i >= len(run.Artifacts) || run.Artifacts[*i].Location.URI != p.ArtifactLocation.URI ||
						run.Artifacts[*i].Contents == nil {
						t.Errorf("%s points to no artifact: %+v", res.RuleID, p)
					}
				}
			}
		})
	}
}

// The page asks for nothing and runs nothing, whatever is in it.
func TestThePageIsAloneAndEscaped(t *testing.T) {
	for name, r := range map[string]Run{"usual": runOf(broken(), whole(), refused()), "text that nobody expects": hostile()} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := HTML(&out, r); err != nil {
				t.Fatal(err)
			}
			page := out.String()
			if m := regexp.MustCompile(`(?i)<[^>]*\son[a-z]+\s*=`).FindString(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(page, `""`)); m != "" {
				t.Errorf("the page has a handler: %q", m)
			}
			for _, bad := range []string{`(?i)<script`, `(?i)<link`, `(?i)<img`, `(?i)<iframe`, `(?i)<object`, `(?i)\ssrc\s*=\s*["']`,
				`(?i)@import`, `(?i)url\(`, `ZgotmplZ`} {
				if m := regexp.MustCompile(bad).FindString(page); m != "" {
					t.Errorf("the page has %q", m)
				}
			}
			for _, m := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
				if !strings.HasPrefix(m[1], "#") && !strings.HasPrefix(m[1], "mailto:?subject=") {
					t.Errorf("a link to %q", m[1])
				}
			}
			if !strings.Contains(page, `content="default-src 'none'; style-src 'unsafe-inline'`) {
				t.Error("the page does not forbid requests")
			}
			for _, d := range r.Results {
				if d.Err == nil && !strings.Contains(page, ">"+string(viewOf(d.Verdict()).Word)+"<") &&
					!strings.Contains(page, viewOf(d.Verdict()).Word) {
					t.Errorf("%s is not in words", d.Verdict())
				}
			}
		})
	}
}

// The statement is marked in its document, and the red step carries its code.
func TestThePageShowsTheStatementAndTheStep(t *testing.T) {
	r := broken()
	r.Checks[5].Artefact.Statement = &report.Statement{Sid: "AdministerInAccountB", Index: 0, Line: 4}
	var out bytes.Buffer
	if err := HTML(&out, runOf(r)); err != nil {
		t.Fatal(err)
	}
	page := out.String()
	marked := func(class string) (lines []string) {
		for _, m := range regexp.MustCompile(`<li class="`+class+`" value="(\d+)"`).FindAllStringSubmatch(page, -1) {
			lines = append(lines, m[1])
		}
		return lines
	}
	if got, want := fmt.Sprint(marked("fault")), "[4 5 6 7 8 9 10]"; got != want {
		t.Errorf("lines %s are marked as at fault, want %s", got, want)
	}
	if got := marked("near"); len(got) > 0 {
		t.Errorf("lines %s are marked as near beside what is at fault", got)
	}
	if n := strings.Count(page, `<div class="step fail">`); n != 1 {
		t.Errorf("%d red steps, want 1", n)
	}
	if n := strings.Count(page, `<div class="step pass">`); n != 3 {
		t.Errorf("%d green steps, want 3", n)
	}
	r.Checks[5].Artefact.Statement = nil
	out.Reset()
	if err := HTML(&out, runOf(r)); err != nil {
		t.Fatal(err)
	}
	page = out.String()
	if got, want := fmt.Sprint(marked("near"), marked("fault")), "[11 12 13 14 15 16 17 18] []"; got != want {
		t.Errorf("lines %s are marked as near and at fault, want %s", got, want)
	}
	step := page[strings.Index(page, `<div class="step fail">`):]
	step = step[:strings.Index(step, "</div>")]
	for _, want := range []string{"✗", "fails", "BRK-KMS-010", "BRK-KMS-011"} {
		if !strings.Contains(step, want) {
			t.Errorf("the red step does not say %s", want)
		}
	}
	if !strings.Contains(page, `class="path wide"`) {
		t.Error("a usual path is not drawn from left to right")
	}
}

func TestStatementsAreFoundInTheirDocument(t *testing.T) {
	const minified = `{"Version":"2012-10-17","Statement":[{"Sid":"a"},{"Sid":"b","x":"}]{"}]}`
	for _, c := range []struct {
		name, text  string
		index       int
		first, last int
	}{
		{"in a list", keyPolicy, 0, 4, 10},
		{"the second", keyPolicy, 1, 11, 18},
		{"beyond", keyPolicy, 2, 0, 0},
		{"in one line", minified, 1, 1, 1},
		{"in one line, made readable", prettyJSON(minified), 1, 7, 10},
		{"a single statement", "{\n\"Statement\": {\n\"Sid\": \"a\"\n}\n}", 0, 2, 4},
		{"no statements", `{"Owner": 1}`, 0, 0, 0},
		{"no JSON", "{\n", 0, 0, 0},
		{"nothing", "", 0, 0, 0},
	} {
		if first, last := statementLines(c.text, c.index); first != c.first || last != c.last {
			t.Errorf("%s: lines %d to %d, want %d to %d", c.name, first, last, c.first, c.last)
		}
	}
}

func FuzzStatementLines(f *testing.F) {
	f.Add(keyPolicy, 1)
	f.Add(`{"Statement":[]}`, 0)
	f.Add(`{"statement":{"a":[}]`, -1)
	f.Fuzz(func(t *testing.T, text string, index int) {
		first, last := statementLines(text, index)
		if lines := strings.Count(text, "\n") + 1; first < 0 || last < first || last > lines {
			t.Errorf("lines %d to %d of %d", first, last, lines)
		}
	})
}

func TestNamesAreCutWherePeopleWould(t *testing.T) {
	for in, want := range map[string]string{
		"CrossAccountS3Uploader": "Cross|Account|S3Uploader", "tenant-s3-bucket": "tenant-|s3-|bucket", "uid 1000 (app)": "uid |1000 |(app)",
		"abcdefghijklmnopqrstuvwxyz": "abcdefghijkl|mnopqrstuvwx|yz", "": "", "Ünïcode名前": "Ünïcode名前",
	} {
		if got := strings.Join(pieces(in), "|"); got != want {
			t.Errorf("%q is cut as %q, want %q", in, got, want)
		}
	}
}

func TestALongPathIsDrawnFromTopToBottom(t *testing.T) {
	r := broken()
	if !wide(zonesOf(r.Path)) {
		t.Error("six stations with usual names do not fit")
	}
	r.Path.Nodes = slices.Insert(r.Path.Nodes, 4, report.Node{ID: report.NodeEndpoint, Label: "vpce-0123456789abcdef0", Account: accountA})
	r.Path.Nodes[3].Label = "averylongnameofarolethatnobodycut"
	if wide(zonesOf(r.Path)) {
		t.Error("seven stations with long names are said to fit")
	}
	// A step without a check is unknown, not green.
	if s := zonesOf(r.Path)[1].Stations[2].Step; s == nil || s.View.Class != "unknown" {
		t.Errorf("the step to the endpoint is %+v", s)
	}
}

// Lines far from the statement are folded, and no line is lost.
func TestLongDocumentsAreFolded(t *testing.T) {
	var b strings.Builder
	b.WriteString("{\"Statement\": [\n")
	for i := range 40 {
		fmt.Fprintf(&b, "{\n\"Sid\": \"s%d\"\n}%s\n", i, map[bool]string{true: ",", false: ""}[i < 39])
	}
	b.WriteString("]}\n")
	for index, want := range map[int]string{
		0: "1-8 [9-122]", 20: "[1-57] 58-68 [69-122]", 39: "[1-114] 115-122", 1: "1-11 [12-122]",
	} {
		lines := linesOf(b.String())
		first, last := statementLines(b.String(), index)
		if !mark(lines, first, last, "fault") {
			t.Fatalf("statement %d is not found", index)
		}
		var got []string
		next := 1
		for _, p := range parts(lines) {
			text := fmt.Sprintf("%d-%d", p.First, p.Last)
			if p.Folded {
				text = "[" + text + "]"
			}
			got = append(got, text)
			for _, l := range p.Lines {
				if l.Number != next {
					t.Fatalf("line %d follows line %d", l.Number, next-1)
				}
				next++
			}
		}
		if next != len(lines)+1 {
			t.Errorf("%d of %d lines are shown", next-1, len(lines))
		}
		if d := strings.Join(got, " "); d != want {
			t.Errorf("statement %d: %s, want %s", index, d, want)
		}
	}
	if got := parts(linesOf(b.String())); len(got) != 1 || got[0].Folded {
		t.Errorf("a document without a mark is cut: %d parts", len(got))
	}
}

func TestTheDocumentIsTheOneTheCheckIsAbout(t *testing.T) {
	r := report.Report{Documents: []report.PolicyDocument{
		{Kind: report.DocumentIdentity, Name: "first", State: report.Known, Text: "1"},
		{Kind: report.DocumentIdentity, Name: "second", State: report.Known, Text: "2"},
		{Kind: report.DocumentKeyPolicy, State: report.Known, Text: "key"}, {Kind: report.DocumentTrust, State: report.Unreadable},
	}}
	at := func(kind, name string) report.Artefact { return report.Artefact{Kind: kind, Name: name} }
	for _, c := range []struct {
		name  string
		check report.Check
		want  string
	}{
		{"by its name", report.Check{Artefact: at(report.ArtefactIdentity, "second")}, "2"},
		{"by the fix", report.Check{Artefact: at(report.ArtefactIdentity, ""), Fix: report.Fix{Policy: "second"}}, "2"},
		{
			"by the nearest statement",
			report.Check{Artefact: at(report.ArtefactIdentity, ""), NearMisses: []report.NearMiss{{Policy: "second"}}}, "2",
		},
		{"the only one", report.Check{Artefact: at(report.ArtefactKeyPolicy, "")}, "key"},
		{"the only one has no name", report.Check{Artefact: at(report.ArtefactKeyPolicy, "default")}, "key"},
		{"one that was not given", report.Check{Artefact: at(report.ArtefactIdentity, "third")}, ""},
		{"one that could not be read", report.Check{Artefact: at(report.ArtefactTrust, "")}, ""},
		{"none", report.Check{}, ""},
	} {
		if got, _ := documentOf(r, c.check); got.Text != c.want {
			t.Errorf("%s: %q, want %q", c.name, got.Text, c.want)
		}
	}
}
