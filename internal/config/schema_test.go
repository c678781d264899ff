package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
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

// The rules below are those of the validator that a schema can express. Keys are
// TYPE.KEY. TestSchemaWordsAndRangesAreTheParsers compares each of them with the parser.
var (
	schemaWords = map[string][]string{
		"Log.level":                   {"debug", "info", "warn", "error"},
		"Source.type":                 sourceTypes(),
		"Destination.durability":      {DurabilityDirect, DurabilitySpool, DurabilitySpoolWait},
		"Destination.compression":     append([]string{""}, compressions...),
		"Destination.acl":             {"", "bucket-owner-full-control"},
		"Session.scope":               {ScopeAuto, ScopeOff},
		"PeerSession.source_identity": {"", PeerUID, PeerUnit, PeerPod},
		"RunsAs.type":                 append([]string{""}, runsAsTypes()...),
		"Rule.allow":                  {string(PermUpload), string(PermVerify), string(PermCredentials), string(PermAdmin)},
		"Watch.after":                 {AfterKeep, AfterDelete, AfterMove},
		"Watch.after_state":           {StateStored, StateSpooled},
		"Watch.order":                 {OrderMtime, OrderName},
	}
	schemaRanges = map[string][2]int{
		"Limits.credentials_per_second": {1, 1_000_000},
		"Spool.concurrency":             {1, 256},
		"Destination.concurrency":       {1, 64},
		"Watch.concurrency":             {1, 64},
	}
	schemaRequired = map[string][]string{
		"Config":      {"destinations"},
		"Destination": {"bucket", "key", "region"},
		"Rule":        {"allow", "destinations", "peer"},
		"Watch":       {"destination", "name", "paths"},
	}
)

// schemaOf returns the JSON schema of a type of the configuration. def is the default.
func schemaOf(t reflect.Type, name string, def reflect.Value, comments map[string]string) map[string]any {
	out := map[string]any{}
	switch {
	case t.Kind() == reflect.Pointer:
		return schemaOf(t.Elem(), name, elemOf(def), comments)
	case t == reflect.TypeFor[Duration]():
		out["type"] = "string"
		out["pattern"] = `^([0-9]+d|0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))*)$`
		out = map[string]any{"anyOf": []any{out, map[string]any{"const": 0}}}
	case t == reflect.TypeFor[Size]():
		text := map[string]any{"type": "string", "pattern": `^[0-9]+ ?(TiB|GiB|MiB|KiB|TB|GB|MB|KB|B)?$`}
		out["anyOf"] = []any{text, map[string]any{"type": "integer", "minimum": 0}}
	case t == reflect.TypeFor[FileMode]():
		text := map[string]any{"type": "string", "pattern": `^0o?[0-7]+$`}
		out["anyOf"] = []any{text, map[string]any{"type": "integer", "minimum": 0}}
	case t.Kind() == reflect.Bool:
		out["type"] = "boolean"
	case t.Kind() == reflect.Int:
		out["type"] = "integer"
		if r, bounded := schemaRanges[name]; bounded {
			out["minimum"], out["maximum"] = r[0], r[1]
		}
	case t.Kind() == reflect.String:
		if words, closed := schemaWords[name]; closed {
			out["enum"] = words
		} else { // an account or a user may be written as a bare number
			out["anyOf"] = []any{map[string]any{"type": "string"}, map[string]any{"type": "integer", "minimum": 0}}
		}
	case t.Kind() == reflect.Slice:
		out["type"] = []string{"array", "null"}
		item := reflect.Value{}
		switch t.Elem() {
		case reflect.TypeFor[Hop]():
			item = reflect.ValueOf(newHop())
		case reflect.TypeFor[Watch]():
			item = reflect.ValueOf(newWatch())
		}
		out["items"] = schemaOf(t.Elem(), name, item, comments)
	case t.Kind() == reflect.Map:
		out["type"] = []string{"object", "null"}
		if t == reflect.TypeFor[map[string]*Destination]() {
			usual := newDestination("NAME")
			usual.Session.Name = ""
			out["type"], out["minProperties"] = "object", 1
			out["propertyNames"] = map[string]any{"pattern": destinationName.String()}
			def = reflect.ValueOf(map[string]*Destination{"": usual}).MapIndex(reflect.ValueOf(""))
		} else {
			def = reflect.Value{}
		}
		out["additionalProperties"] = schemaOf(t.Elem(), name, def, comments)
		return out
	case t.Kind() == reflect.Struct:
		return schemaOfStruct(t, def, comments)
	default:
		panic(fmt.Sprintf("no schema for %s", t))
	}
	if def.IsValid() && !def.IsZero() && t.Kind() != reflect.Slice {
		switch v := def.Interface().(type) {
		case fmt.Stringer:
			out["default"] = v.String()
		default:
			out["default"] = v
		}
	}
	return out
}

func elemOf(v reflect.Value) reflect.Value {
	if v.IsValid() && !v.IsNil() {
		return v.Elem()
	}
	return reflect.Value{}
}

func schemaOfStruct(t reflect.Type, def reflect.Value, comments map[string]string) map[string]any {
	properties := map[string]any{}
	for key, i := range yamlFields(t) {
		var below reflect.Value
		if def.IsValid() {
			below = def.Field(i)
		}
		property := schemaOf(t.Field(i).Type, t.Name()+"."+key, below, comments)
		text := comments[t.Name()+"."+t.Field(i).Name]
		if text == "" {
			text = comments[t.Field(i).Type.Name()]
		}
		if text != "" {
			property["description"] = text
		}
		properties[key] = property
	}
	out := map[string]any{"type": []string{"object", "null"}, "additionalProperties": false, "properties": properties}
	if required := schemaRequired[t.Name()]; required != nil {
		out["type"], out["required"] = "object", required
	}
	return out
}

// commentsOfTypes returns the comments of the types and fields, by TYPE and TYPE.FIELD.
func commentsOfTypes(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	plain := func(g *ast.CommentGroup) string { return strings.Join(strings.Fields(g.Text()), " ") }
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			d, isDecl := n.(*ast.GenDecl)
			if !isDecl || d.Tok != token.TYPE {
				return true
			}
			for _, spec := range d.Specs {
				s := spec.(*ast.TypeSpec) //nolint:forcetypeassert // a type declaration holds no other specs
				out[s.Name.Name] = plain(d.Doc)
				fields, isStruct := s.Type.(*ast.StructType)
				if !isStruct {
					continue
				}
				for _, f := range fields.Fields.List {
					for _, name := range f.Names {
						out[s.Name.Name+"."+name.Name] = strings.TrimSpace(plain(f.Doc) + " " + plain(f.Comment))
					}
				}
			}
			return true
		})
	}
	return out
}

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
		return replace(t, "    session:\n", "    session:\n      peer: {"+key+": "+value+"}\n"), at + "session.peer." + key
	case "Rule":
		return replace(t, "[upload, verify]", "["+value+"]"), "access[0]." + key
	case "Watch":
		watch := "watch:\n  - {name: w, paths: [\"/srv/*.csv\"], destination: audit-logs, owner: {uid: app}, " + key + ": " + value + "}\n"
		return good + watch, "watch[0]." + key
	case "Source":
		return good + "aws: {source: {" + key + ": " + value + "}}\n", "aws.source." + key
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
