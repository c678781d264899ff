package render

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/docs/checks"
	"github.com/brokerd/brokerd/internal/verify/report"
)

const (
	sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	homepage    = "https://github.com/brokerd/brokerd"
)

// The part of SARIF 2.1.0 that a policy finding needs.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Artifacts   []sarifArtifact   `json:"artifacts,omitempty"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string       `json:"id"`
		ShortDescription sarifMessage `json:"shortDescription"`
		Help             sarifMessage `json:"help"`
		HelpURI          string       `json:"helpUri"`
	}
	sarifMessage struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifInvocation struct {
		ExecutionSuccessful bool         `json:"executionSuccessful"`
		StartTimeUTC        string       `json:"startTimeUtc"`
		EndTimeUTC          string       `json:"endTimeUtc"`
		Notifications       []sarifNotes `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotes struct {
		Level   string       `json:"level"`
		Message sarifMessage `json:"message"`
	}
	sarifArtifact struct {
		Location sarifURI      `json:"location"`
		Contents *sarifContent `json:"contents,omitempty"`
		MimeType string        `json:"mimeType,omitempty"`
	}
	sarifURI struct {
		URI   string `json:"uri"`
		Index *int   `json:"index,omitempty"`
	}
	sarifContent struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID              string            `json:"ruleId"`
		RuleIndex           int               `json:"ruleIndex"`
		Kind                string            `json:"kind"`
		Level               string            `json:"level"`
		Message             sarifMessage      `json:"message"`
		Locations           []sarifLocation   `json:"locations"`
		PartialFingerprints map[string]string `json:"partialFingerprints"`
		Properties          map[string]any    `json:"properties,omitempty"`
	}
	sarifLocation struct {
		Physical *sarifPhysical `json:"physicalLocation,omitempty"`
		Logical  []sarifLogical `json:"logicalLocations"`
	}
	sarifPhysical struct {
		ArtifactLocation sarifURI     `json:"artifactLocation"`
		Region           *sarifRegion `json:"region,omitempty"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
	}
	sarifLogical struct {
		Name               string `json:"name"`
		FullyQualifiedName string `json:"fullyQualifiedName"`
		Kind               string `json:"kind"`
	}
)

// SARIF prints the run for code scanners. Each problem is a result: a failure has
// the level error, a warning the level warning, and an undecided check the kind
// "open".
func SARIF(w io.Writer, r Run) error {
	const stamp = "2006-01-02T15:04:05.000Z"
	_, ran := r.Verdict()
	run := sarifRun{
		Tool: sarifTool{sarifDriver{Name: "brokerctl verify", Version: r.Version, InformationURI: homepage, Rules: []sarifRule{}}},
		Invocations: []sarifInvocation{
			{ExecutionSuccessful: ran, StartTimeUTC: r.Started.UTC().Format(stamp), EndTimeUTC: r.Started.Add(r.Took).UTC().Format(stamp)},
		},
		Results: []sarifResult{},
	}
	for _, d := range r.Results {
		if d.Err != nil {
			in := &run.Invocations[0]
			in.Notifications = append(in.Notifications, sarifNotes{"error", sarifMessage{Text: d.Destination + ": " + d.Err.Error()}})
		}
		for _, p := range Problems(d.Report) {
			run.add(d, p)
		}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(sarifLog{sarifSchema, "2.1.0", []sarifRun{run}})
}

func (r *sarifRun) add(d Result, p Problem) {
	kind, level := "fail", "error"
	switch p.Result {
	case report.Warn:
		level = "warning"
	case report.Unknown:
		kind, level = "open", "none" // SARIF requires the level none for kinds other than fail
	}
	sum := sha256.Sum256([]byte(d.Destination + "\x00" + p.ID + "\x00" + p.Code + "\x00" + p.Artefact.ARN))
	out := sarifResult{
		RuleID: p.Code, RuleIndex: r.rule(p.Check), Kind: kind, Level: level,
		Message:             sarifMessage{Text: d.Destination + ": " + plainProblem(p.Check)},
		Locations:           []sarifLocation{r.location(d, p.Check)},
		PartialFingerprints: map[string]string{"brokerdFinding/v1": hex.EncodeToString(sum[:])},
		Properties:          map[string]any{"destination": d.Destination, "check": p.ID, "category": p.Category},
	}
	for name, value := range map[string]string{"account": p.Account.ID, "side": string(p.Account.Side), "artefact": p.Artefact.Kind,
		"confidence": string(p.Confidence), "fixText": p.Fix.Text, "fixTarget": p.Fix.Target, "fixCommand": p.Fix.Command} {
		if value != "" {
			out.Properties[name] = value
		}
	}
	if len(p.Fix.Patch) > 0 {
		out.Properties["fixPatch"] = p.Fix.Patch
	}
	r.Results = append(r.Results, out)
}

// rule is the index of a code among the rules.
func (r *sarifRun) rule(c report.Check) int {
	rules := &r.Tool.Driver.Rules
	if i := slices.IndexFunc(*rules, func(s sarifRule) bool { return s.ID == c.Code }); i >= 0 {
		return i
	}
	page, ok := checks.Page(c.Code)
	if !ok {
		page = c.Title
	}
	title := checks.Title(c.Code)
	if title == "" {
		title = c.Title
	}
	uri := c.Docs
	if uri == "" {
		uri = homepage
	}
	*rules = append(
		*rules,
		sarifRule{ID: c.Code, ShortDescription: sarifMessage{Text: title}, Help: sarifMessage{Text: page, Markdown: page}, HelpURI: uri},
	)
	return len(*rules) - 1
}

// location names the artefact at fault and, where its document is known, the line
// in it. The document is embedded, because it is not a file of a repository.
func (r *sarifRun) location(d Result, c report.Check) sarifLocation {
	name := artefactText(c.Artefact)
	if name == "" {
		name = c.Title
	}
	full := c.Artefact.ARN
	if full == "" {
		full = d.Destination + "/" + name
	}
	out := sarifLocation{Logical: []sarifLogical{{Name: name, FullyQualifiedName: full, Kind: "resource"}}}
	doc, ok := documentOf(d.Report, c)
	if !ok {
		return out
	}
	uri := policyURI(d.Destination, doc)
	i := slices.IndexFunc(r.Artifacts, func(a sarifArtifact) bool { return a.Location.URI == uri })
	if i < 0 {
		i = len(r.Artifacts)
		r.Artifacts = append(
			r.Artifacts,
			sarifArtifact{Location: sarifURI{URI: uri}, Contents: &sarifContent{doc.Text}, MimeType: "application/json"},
		)
	}
	out.Physical = &sarifPhysical{ArtifactLocation: sarifURI{URI: uri, Index: &i}}
	if s := c.Artefact.Statement; s != nil && s.Line > 0 {
		out.Physical.Region = &sarifRegion{StartLine: s.Line, StartColumn: s.Column}
	}
	return out
}

func policyURI(destination string, d report.PolicyDocument) string {
	name := d.Kind
	if d.Name != "" {
		name += "-" + d.Name
	}
	return "policies/" + url.PathEscape(destination) + "/" + url.PathEscape(strings.ReplaceAll(name, "/", "-")) + ".json"
}
