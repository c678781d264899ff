package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/jsonschema-go/jsonschema"
)

var updateSchema = flag.Bool("update-schema", false, "write docs/brokerd.schema.json from the types")

const schemaFile = "../../docs/brokerd.schema.json"

func TestTheSchemaIsThatOfTheTypes(t *testing.T) {
	schema := schemaOf(reflect.TypeFor[Config](), "Config", reflect.ValueOf(*newConfig()), commentsOfTypes(t))
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "Configuration of brokerd"
	var want bytes.Buffer
	encoder := json.NewEncoder(&want)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(schema); err != nil {
		t.Fatal(err)
	}
	if *updateSchema {
		if err := os.WriteFile(schemaFile, want.Bytes(), 0o644); err != nil { //nolint:gosec // a page of the documentation
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("docs/brokerd.schema.json is not that of the types: run go test ./internal/config -run Schema -update-schema")
	}
}

func loadSchema(t *testing.T) func(text string) error {
	t.Helper()
	raw, err := os.ReadFile(schemaFile)
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
	return func(text string) error {
		t.Helper()
		var value, plain any
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			t.Fatal(err)
		}
		asJSON, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(asJSON, &plain); err != nil {
			t.Fatal(err)
		}
		return resolved.Validate(plain)
	}
}

// examplesOf returns the YAML blocks of the documentation that the parser accepts, as they
// are or with the destination and the rule of the good configuration, by file and number.
func examplesOf(t *testing.T) map[string]string {
	t.Helper()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, "../../README.md", "../../deploy/systemd/README.md")
	_, rest, _ := strings.Cut(good, "destinations:")
	rest = "\ndestinations:" + rest
	out := map[string]string{}
	for _, page := range pages {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range strings.Split(string(raw), "```yaml\n")[1:] {
			text, _, _ := strings.Cut(block, "```")
			for _, whole := range []string{text, text + rest} {
				if _, err := Parse(page, []byte(whole)); err == nil {
					out[fmt.Sprintf("%s, block %d", page, i+1)] = whole
					break
				}
			}
		}
	}
	return out
}

func TestTheSchemaAcceptsEveryExample(t *testing.T) {
	validate := loadSchema(t)
	examples := examplesOf(t)
	for _, page := range []string{"../../docs/config.md, block 1", "../../README.md, block 1"} {
		if examples[page] == "" {
			t.Errorf("%s is no example: the parser refuses it", page)
		}
	}
	examples["the good configuration"] = good
	examples["an administrator"] = good + "  - peer: {uid: root}\n    allow: [admin]\n"
	examples["durations as Go writes them"] = good + "verify: {every: +1h2m}\n"
	for name, text := range examples {
		if err := validate(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Logf("%d examples", len(examples))
}

func TestTheSchemaRefusesAsTheParserDoes(t *testing.T) {
	validate := loadSchema(t)
	for name, text := range map[string]string{
		"unknown key at the top":        good + "sockets: {}\n",
		"unknown key of a destination":  replace(t, "    session:\n", "    buckets: x\n    session:\n"),
		"key of another section":        replace(t, "    session:\n      external_id: tenant-7\n", "    external_id: tenant-7\n"),
		"unknown key of a rule":         replace(t, "    allow:", "    deny: []\n    allow:"),
		"no destinations":               "socket:\n  path: /run/brokerd/brokerd.sock\n",
		"empty destinations":            "destinations: {}\n",
		"destination without bucket":    replace(t, "    bucket: tenant-s3-test-bucket\n", ""),
		"destination without Region":    replace(t, "    region: eu-west-1\n", ""),
		"destination without key":       replace(t, "    key: logs/{host}/{yyyy}/{mm}/{dd}/{name}-{id}\n", ""),
		"name in capitals":              replace(t, "  audit-logs:\n", "  Audit:\n"),
		"rule without peer":             replace(t, "  - peer: {uid: app}\n    destinations", "  - destinations"),
		"rule without destinations":     replace(t, "    destinations: [audit-logs]\n", ""),
		"rule without rights":           replace(t, "    allow: [upload, verify]\n", ""),
		"text where a mapping belongs":  replace(t, "socket:\n  path: /run/brokerd/brokerd.sock\n", "socket: /run/brokerd.sock\n"),
		"list where text belongs":       replace(t, "tenant-s3-test-bucket", "[a, b]"),
		"text where a list belongs":     replace(t, "[upload, verify]", "upload"),
		"true where text belongs":       replace(t, "tenant-s3-test-bucket", "true"),
		"quoted boolean":                replace(t, "    session:\n", "    path_style: \"true\"\n    session:\n"),
		"quoted number":                 replace(t, "    session:\n", "    concurrency: \"4\"\n    session:\n"),
		"fraction":                      replace(t, "    session:\n", "    concurrency: 1.5\n    session:\n"),
		"duration without a unit":       good + "verify: {every: 15}\n",
		"duration as text without unit": good + "verify: {every: \"15\"}\n",
		"negative duration":             good + "verify: {every: -15m}\n",
		"size with an unknown unit":     good + "memory: {max: 64M}\n",
		"negative size":                 good + "memory: {max: -1}\n",
		"decimal mode":                  replace(t, "  path: /run", "  mode: \"660\"\n  path: /run"),
		"empty value":                   replace(t, "tenant-s3-test-bucket", ""),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse("f", []byte(text)); err == nil {
				t.Error("the parser accepts it")
			}
			if err := validate(text); err == nil {
				t.Error("the schema accepts it")
			}
		})
	}
}

// withValue returns the good configuration with a value at TYPE.KEY, and its path.
func withValue(t *testing.T, name, value string) (text, path string) {
	t.Helper()
	typ, key, _ := strings.Cut(name, ".")
	destination := func(line string) string { return replace(t, "    session:\n", line+"    session:\n") }
	const at = "destinations.audit-logs."
	switch typ {
	case "Destination":
		return destination("    " + key + ": " + value + "\n"), at + key
	case "Session":
		return replace(t, "    session:\n", "    session:\n      "+key+": "+value+"\n"), at + "session." + key
	case "PeerSession":
		if key == "tags" {
			value = "{caller: " + value + "}"
		}
		return replace(t, "    session:\n", "    session:\n      peer: {"+key+": "+value+"}\n"), at + "session.peer." + key
	case "Rule":
		return replace(t, "[upload, verify]", "["+value+"]"), "access[0]." + key
	case "Watch":
		watch := "watch:\n  - {name: w, paths: [\"/srv/*.csv\"], destination: audit-logs, owner: {uid: app}, " + key + ": " + value + "}\n"
		return good + watch, "watch[0]." + key
	case "Source":
		return good + "aws: {source: {" + key + ": " + value + "}}\n", "aws.source." + key
	case "SpoolLimits":
		return destination("    durability: spool\n    spool: {" + key + ": " + value + "}\n"), at + "spool." + key
	case "RunsAs":
		return good + "setup: {runs_as: {" + key + ": " + value + "}}\n", "setup.runs_as." + key
	}
	section := strings.ToLower(typ)
	return good + section + ": {" + key + ": " + value + "}\n", section + "." + key
}

// faultAt returns the fault of the parser at a path or below it, "" without one.
func faultAt(t *testing.T, text, path string) string {
	t.Helper()
	_, err := Parse("f", []byte(text))
	faults, _ := err.(Errors) //nolint:errorlint // Parse returns this type itself
	for _, f := range faults {
		if strings.HasPrefix(f.Path, path) {
			return f.Message
		}
	}
	return ""
}

func TestSchemaWordsAndRangesAreTheParsers(t *testing.T) {
	validate := loadSchema(t)
	for _, name := range slices.Sorted(maps.Keys(schemaWords)) {
		text, path := withValue(t, name, "nonsense")
		unknown := faultAt(t, text, path)
		if unknown == "" || validate(text) == nil {
			t.Errorf("%s: parser says %q, schema says %v of an unknown word", name, unknown, validate(text))
		}
		for _, word := range schemaWords[name] {
			text, path := withValue(t, name, fmt.Sprintf("%q", word))
			if fault := faultAt(t, text, path); fault != "" && fault == strings.ReplaceAll(unknown, "nonsense", word) {
				t.Errorf("%s: the schema allows %q, the parser says: %s", name, word, fault)
			}
			if err := validate(text); err != nil {
				t.Errorf("%s: %q: %v", name, word, err)
			}
		}
	}
	for name, r := range schemaRanges {
		for n, allowed := range map[int]bool{r[0] - 1: false, r[0]: true, r[1]: true, r[1] + 1: false} {
			text, path := withValue(t, name, fmt.Sprint(n))
			if fault := faultAt(t, text, path); (fault == "") != allowed {
				t.Errorf("%s: %d: the parser says %q", name, n, fault)
			}
			if err := validate(text); (err == nil) != allowed {
				t.Errorf("%s: %d: the schema says %v", name, n, err)
			}
		}
	}
}
