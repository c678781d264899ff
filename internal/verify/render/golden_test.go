package render

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/brokerd/brokerd/internal/verify/report"
)

var update = flag.Bool("update", false, "write the golden files again")

// texts prints a run as the command does.
func texts(w io.Writer, t *Text, r Run) error {
	t.W = w
	for _, d := range r.Results {
		if err := t.Begin(d.Destination); err != nil {
			return err
		}
		for _, c := range d.Checks {
			if err := t.Check(c); err != nil {
				return err
			}
		}
		if err := t.End(d); err != nil {
			return err
		}
	}
	return t.Done(r)
}

// SARIF and HTML hold the pages of codes; forms_test.go has their tests.
func TestGoldens(t *testing.T) {
	all, one := runOf(broken(), whole(), refused()), runOf(broken())
	for name, print := range map[string]func(io.Writer) error{
		"text.txt":    func(w io.Writer) error { return texts(w, &Text{Paint: Plain()}, all) },
		"verbose.txt": func(w io.Writer) error { return texts(w, &Text{Paint: Plain(), Verbose: true}, one) },
		"message.txt": func(w io.Writer) error { return texts(w, &Text{Paint: Plain(), Messages: true}, one) },
		"healthy.txt": func(w io.Writer) error { return texts(w, &Text{Paint: Plain()}, runOf(healthy())) },
		"whole.txt":   func(w io.Writer) error { return texts(w, &Text{Paint: Plain()}, runOf(whole())) },
		"short.txt": func(w io.Writer) error {
			for _, d := range all.Results {
				if err := Short(w, Plain(), 0, d); err != nil {
					return err
				}
			}
			return nil
		},
		"run.json": func(w io.Writer) error { return JSON(w, all, false) },
		"run.xml":  func(w io.Writer) error { return JUnit(w, all) },
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := print(&got); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got.String()); d != "" {
				t.Errorf("it is not %s any more; run with -update and read the difference:\n%s", path, d)
			}
		})
	}
}

// The output that most people see most often fits on a few lines, whatever the
// number of checks.
func TestAHealthyDestinationIsAtMostTenLines(t *testing.T) {
	var out strings.Builder
	if err := texts(&out, &Text{Paint: Plain()}, runOf(healthy())); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\n"); n > 10 {
		t.Errorf("%d lines, want at most 10:\n%s", n, out.String())
	}
	if strings.Contains(out.String(), "BRK-") {
		t.Errorf("a healthy destination shows a code:\n%s", out.String())
	}
}

// The text form shows a fix once, and no message unless it was asked for.
func TestEachFixIsPrintedOnce(t *testing.T) {
	for _, messages := range []bool{false, true} {
		r := broken()
		r.Checks[5].Fix.Command = "aws kms put-key-policy --policy '" + string(r.Checks[5].Fix.Patch) + "'"
		var out strings.Builder
		if err := texts(&out, &Text{Paint: Plain(), Messages: messages}, runOf(r)); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(out.String(), `"kms:ViaService"`); got != 1 {
			t.Errorf("messages %t: the statement is printed %d times, want 1:\n%s", messages, got, out.String())
		}
		if got := strings.Contains(out.String(), "for the administrators of account"); got != messages {
			t.Errorf("messages %t: the message is printed: %t", messages, got)
		}
	}
}

func TestShortDoesNotMentionADestinationWithoutProblems(t *testing.T) {
	var out strings.Builder
	if err := Short(&out, Plain(), 0, whole()); err != nil || out.Len() > 0 {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// The first line of a failure names the policy and the account.
func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		name string
		in   report.Check
		want string
	}{
		{
			"policy and account",
			report.Check{ID: "BRK-S3-002", Code: "BRK-S3-021", Result: report.Fail, Account: accountB,
				Artefact: report.Artefact{Kind: report.ArtefactBucketPolicy}},
			"Account 444455556666 (B), bucket policy: the bucket policy does not allow the write",
		},
		{
			"no account",
			report.Check{ID: "BRK-S3-002", Code: "BRK-NET-001", Result: report.Fail, Artefact: report.Artefact{Kind: report.ArtefactNetwork}},
			"Network of this host: there is no answer from an endpoint",
		},
		{"a check without a code of its own for the fault",
			report.Check{ID: "BRK-X-1", Code: "BRK-X-1", Title: "all is well", Result: report.Fail}, "This does not hold: all is well"},
		{"the same, undecided", report.Check{ID: "BRK-X-1", Code: "BRK-X-1", Title: "all is well", Result: report.Unknown},
			"Undecided: all is well"},
		{
			"an artefact of a newer daemon",
			report.Check{ID: "BRK-S3-002", Code: "BRK-S3-021", Result: report.Fail, Artefact: report.Artefact{Kind: "moon-policy", Name: "full"}},
			`Moon-policy "full": the bucket policy does not allow the write`,
		},
	} {
		if got := verdict(c.in); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestProblemsAreInTheOrderOfTheAccountsAndCountedOnce(t *testing.T) {
	r := broken().Report
	again := r.Checks[5] // by another check, repaired by the same change
	again.ID = "BRK-KMS-050"
	confirms := r.Checks[5]
	confirms.ID, confirms.Confirms = "BRK-KMS-051", "BRK-S3-002"
	r.Checks = append(r.Checks, again, confirms)
	var got []string
	for _, p := range Problems(r) {
		got = append(got, string(p.Result)+" "+p.Code)
	}
	want := []string{"fail BRK-KMS-011", "fail BRK-KMS-010", "fail BRK-KMS-010", "warn BRK-HOST-010", "unknown BRK-AWS-001"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if p := Problems(r)[2]; p.SameFixAs != 2 || p.Number != 3 {
		t.Errorf("the third is number %d with the fix of %d", p.Number, p.SameFixAs)
	}
	if got, want := summary(Problems(r)), "2 fixes needed: 1 in account 111122223333 (A: yours), 1 in account 444455556666 "+
		"(B: theirs)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := summary(Problems(whole().Report)); got != "" {
		t.Errorf("nothing to do is %q", got)
	}
}

func TestVerdictOfARun(t *testing.T) {
	unknown := Result{Report: report.Report{Checks: []report.Check{{Result: report.Unknown}}}}
	half := broken()
	half.Err = io.ErrUnexpectedEOF
	for _, c := range []struct {
		name    string
		results []Result
		want    report.Result
		ran     bool
	}{
		{"nothing", nil, report.Unknown, false},
		{"all pass", []Result{whole(), whole()}, report.Pass, true},
		{"one fails", []Result{whole(), broken(), unknown}, report.Fail, true},
		{"one is unknown", []Result{unknown, whole()}, report.Unknown, true},
		{"one could not be verified", []Result{whole(), refused()}, report.Unknown, false},
		{"one fails and one could not be verified", []Result{refused(), broken()}, report.Fail, true},
		{"one failed before it was cut off", []Result{half}, report.Fail, true},
		{"passes before it was cut off are no pass", []Result{{Report: whole().Report, Err: io.ErrUnexpectedEOF}}, report.Unknown, false},
	} {
		if got, ran := runOf(c.results...).Verdict(); got != c.want || ran != c.ran {
			t.Errorf("%s: %s, ran %t; want %s, %t", c.name, got, ran, c.want, c.ran)
		}
	}
}

// full is a writer that breaks after some bytes.
type full struct{ left int }

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.left {
		return 0, io.ErrShortWrite
	}
	f.left -= len(p)
	return len(p), nil
}

func TestTheErrorOfAWriterIsReturned(t *testing.T) {
	r := runOf(broken())
	for name, print := range map[string]func(io.Writer) error{
		"text":  func(w io.Writer) error { return texts(w, &Text{Paint: Plain()}, r) },
		"short": func(w io.Writer) error { return Short(w, Plain(), 0, r.Results[0]) },
		"json":  func(w io.Writer) error { return JSON(w, r, false) }, "junit": func(w io.Writer) error { return JUnit(w, r) },
		"sarif": func(w io.Writer) error { return SARIF(w, r) }, "html": func(w io.Writer) error { return HTML(w, r) },
	} {
		for _, n := range []int{0, 100} {
			if print(&full{n}) == nil {
				t.Errorf("%s: no error after %d bytes", name, n)
			}
		}
	}
}
