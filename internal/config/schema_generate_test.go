package config

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

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
		"PeerSession.tags":            {PeerUID, PeerUnit, PeerPod},
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
		"SpoolLimits.max_objects":       {0, 100_000_000},
	}
	schemaRequired = map[string][]string{
		"Config":      {"destinations"},
		"Destination": {"bucket", "key", "region"},
		"Rule":        {"allow", "peer"},
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
		out["pattern"] = `^([0-9]+d|0|\+?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$`
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
	if t == reflect.TypeFor[Rule]() { // admin alone needs no destination
		out["anyOf"] = []any{
			map[string]any{"required": []string{"destinations"}},
			map[string]any{"properties": map[string]any{"allow": map[string]any{"items": map[string]any{"const": string(PermAdmin)}}}},
		}
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
