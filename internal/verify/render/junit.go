package render

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/verify/report"
)

// The elements of JUnit that CI systems have in common.
type (
	junitSuites struct {
		XMLName  xml.Name `xml:"testsuites"`
		Name     string   `xml:"name,attr"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Errors   int      `xml:"errors,attr"`
		Skipped  int      `xml:"skipped,attr"`
		Time     string   `xml:"time,attr"`
		Suites   []junitSuite
	}
	junitSuite struct {
		XMLName   xml.Name `xml:"testsuite"`
		Name      string   `xml:"name,attr"`
		Tests     int      `xml:"tests,attr"`
		Failures  int      `xml:"failures,attr"`
		Errors    int      `xml:"errors,attr"`
		Skipped   int      `xml:"skipped,attr"`
		Time      string   `xml:"time,attr"`
		Timestamp string   `xml:"timestamp,attr"`
		Cases     []junitCase
	}
	junitCase struct {
		XMLName   xml.Name      `xml:"testcase"`
		Name      string        `xml:"name,attr"`
		ClassName string        `xml:"classname,attr"`
		Time      string        `xml:"time,attr"`
		Failure   *junitOutcome `xml:"failure"`
		Error     *junitOutcome `xml:"error"`
		Skipped   *junitSkipped `xml:"skipped"`
		Out       string        `xml:"system-out,omitempty"`
	}
	junitOutcome struct {
		Type    string `xml:"type,attr"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
	junitSkipped struct {
		Message string `xml:"message,attr"`
	}
)

// JUnit prints the run for CI systems: a suite for each destination, a case for
// each check. An undecided check is an error. It is skipped when no result depends
// on it, as is a check that was not run.
func JUnit(w io.Writer, r Run) error {
	all := junitSuites{Name: "brokerctl verify", Time: seconds(r.Took)}
	for _, d := range r.Results {
		s := junitSuite{Name: clean(d.Destination), Time: seconds(d.Took), Timestamp: r.Started.UTC().Format("2006-01-02T15:04:05")}
		for _, c := range d.Checks {
			s.add(junitCaseOf(d.Destination, c))
		}
		if d.Err != nil {
			text := clean(d.Err.Error())
			s.add(
				junitCase{
					Name:      "the destination was verified to the end",
					ClassName: className(d.Destination, "run"),
					Time:      "0.000",
					Error:     &junitOutcome{Type: "could-not-run", Message: text, Text: text},
				},
			)
		}
		all.Tests, all.Failures, all.Errors, all.Skipped = all.Tests+s.Tests, all.Failures+s.Failures, all.Errors+s.Errors, all.Skipped+s.Skipped
		all.Suites = append(all.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (s *junitSuite) add(c junitCase) {
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
	s.Cases = append(s.Cases, c)
}

func junitCaseOf(destination string, c report.Check) junitCase {
	out := junitCase{Name: clean(c.ID + " " + c.Title), ClassName: className(destination, c.Category), Time: seconds(c.Elapsed)}
	switch c.Result {
	case report.Pass:
		out.Out = clean(c.Why)
	case report.Warn:
		out.Out = clean("warning: " + plainProblem(c))
	case report.Fail:
		out.Failure = &junitOutcome{Type: c.Code, Message: clean(verdict(c)), Text: clean(plainProblem(c))}
	case report.Skip:
		out.Skipped = &junitSkipped{clean(c.Why)}
	default:
		if advisory(c) {
			out.Skipped = &junitSkipped{clean("undecided, and no result depends on it: " + c.Why)}
		} else {
			out.Error = &junitOutcome{Type: "unknown", Message: clean(verdict(c)), Text: clean(plainProblem(c))}
		}
	}
	return out
}

// plainProblem returns a problem as the text form prints it.
func plainProblem(c report.Check) string {
	var b strings.Builder
	t := Text{W: &b, Paint: Plain()}
	t.problem(Problem{Check: c})
	return b.String()
}

func className(destination, category string) string {
	return clean("brokerd." + destination + "." + strings.ReplaceAll(category, " ", "-"))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
