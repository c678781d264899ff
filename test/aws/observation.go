package kit

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/test/recorded"
)

// Observation is the result of one request, delivery or check.
type Observation struct {
	Part  string            // "delivery", "verify", "mistakes" or "recorded"
	Name  string            // unique in its part
	Facts map[string]string // without anything that differs from run to run
	Wrong string            // the difference from the table's answer; empty for none
}

// secrets are fields that are never kept.
var secrets = regexp.MustCompile(`SecretAccessKey|SessionToken|Plaintext|CanonicalRequest|StringToSign|SignatureProvided`)

// volatile are headers that differ from answer to answer.
var volatile = map[string]bool{
	"date": true, "server": true, "x-amz-id-2": true, "x-amz-request-id": true, "x-amzn-requestid": true, "content-length": true,
	"transfer-encoding": true, "last-modified": true, "keep-alive": true,
}

// patterns are replaced after the names, in this order.
var patterns = []struct {
	form *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), "UUID"},
	{regexp.MustCompile(`\b\d{4}-?\d\d-?\d\dT\d\d:?\d\d:?\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT`), "TIME"},
	{regexp.MustCompile(`\b1\.\d{9}E9\b|\b1\d{9}(\.\d+)?\b`), "TIME"},
	{regexp.MustCompile(`\b(AKIA|ASIA|AROA|AIDA|AGPA|ANPA|AIPA)[A-Z0-9]{12,}\b`), "${1}ID"},
	{regexp.MustCompile(`\b[0-9a-fA-F]{16,}\b`), "HEX"},
	{regexp.MustCompile(`[A-Za-z0-9+/_.~%-]{24,}={0,2}`), "TOKEN"},
}

// hidden replaces accounts, names and ids in a text.
func hidden(text string, names map[string]string) string {
	keys := slices.SortedFunc(maps.Keys(names), func(a, b string) int {
		if n := cmp.Compare(len(names[b]), len(names[a])); n != 0 {
			return n // the longest first: others are parts of it
		}
		return cmp.Compare(a, b)
	})
	for _, k := range keys {
		if v := names[k]; len(v) > 3 {
			text = strings.ReplaceAll(text, v, "$"+k)
		}
	}
	for _, p := range patterns {
		text = p.form.ReplaceAllString(text, p.by)
	}
	return text
}

// answerFacts are the facts of an answer on the wire.
func answerFacts(a *recorded.Answer, names map[string]string) map[string]string {
	facts := map[string]string{}
	for path, value := range a.Fields {
		if strings.HasPrefix(path, "#") || path == "RequestId" || path == "HostId" || strings.HasPrefix(path,
			"ResponseMetadata.") || secrets.MatchString(path) {
			continue
		}
		facts[path] = hidden(value, names)
	}
	for _, h := range a.Headers {
		if name := strings.ToLower(h.Name); !volatile[name] {
			facts["header "+name] = hidden(h.Value, names)
		}
	}
	return facts
}
