package render

import (
	"encoding/json"
	"io"
	"time"

	"github.com/brokerd/brokerd/internal/verify/report"
)

// document is the form of JSON; docs/verify.schema.json describes it.
type document struct {
	Result       report.Result     `json:"result"`
	Version      string            `json:"version,omitempty"`
	Started      time.Time         `json:"started"`
	ElapsedNs    time.Duration     `json:"elapsed_ns"`
	Through      string            `json:"through,omitempty"`
	Destinations []jsonDestination `json:"destinations"`
}

type jsonDestination struct {
	Destination string           `json:"destination"`
	Result      report.Result    `json:"result"`
	Error       string           `json:"error,omitempty"`
	Summary     string           `json:"summary,omitempty"`
	Checks      []report.Check   `json:"checks"`
	Path        report.Path      `json:"path,omitzero"`
	Messages    []report.Message `json:"messages,omitempty"`
	Calls       int              `json:"calls"`
	ElapsedNs   time.Duration    `json:"elapsed_ns"`
}

// JSON prints the run as one document. It leaves out the policies that the caller
// supplied.
func JSON(w io.Writer, r Run, oneLine bool) error {
	result, _ := r.Verdict()
	doc := document{
		Result:       result,
		Version:      r.Version,
		Started:      r.Started,
		ElapsedNs:    r.Took,
		Through:      r.Through,
		Destinations: []jsonDestination{},
	}
	for _, d := range r.Results {
		out := jsonDestination{
			Destination: d.Destination, Result: d.Verdict(), Summary: summary(Problems(d.Report)), Checks: d.Checks,
			Path: d.Path, Messages: d.Messages, Calls: d.Calls, ElapsedNs: d.Took,
		}
		if d.Err != nil {
			out.Error = d.Err.Error()
		}
		if out.Checks == nil {
			out.Checks = []report.Check{}
		}
		doc.Destinations = append(doc.Destinations, out)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if !oneLine {
		enc.SetIndent("", "  ")
	}
	return enc.Encode(doc)
}
