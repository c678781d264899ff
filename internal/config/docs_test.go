package config

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// The documentation is part of the contract: its example must be accepted, and
// no key may be missing from it.
func TestDocumentation(t *testing.T) {
	raw, err := os.ReadFile("../../docs/config.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(raw)
	_, example, found := strings.Cut(doc, "```yaml\n")
	example, _, closed := strings.Cut(example, "```")
	if !found || !closed {
		t.Fatal("docs/config.md has no YAML example")
	}
	if _, err := Parse("docs/config.md", []byte(example)); err != nil {
		t.Errorf("the example is refused: %v", err)
	}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[Config](), reflect.TypeFor[Socket](), reflect.TypeFor[Metrics](), reflect.TypeFor[Log](), reflect.TypeFor[Shutdown](),
		reflect.TypeFor[Limits](), reflect.TypeFor[Memory](), reflect.TypeFor[AWS](), reflect.TypeFor[Endpoints](),
		reflect.TypeFor[Destination](), reflect.TypeFor[Session](), reflect.TypeFor[Hop](), reflect.TypeFor[Source](), reflect.TypeFor[Rule](),
		reflect.TypeFor[Peer](), reflect.TypeFor[Vend](), reflect.TypeFor[PeerSession](), reflect.TypeFor[Token](), reflect.TypeFor[Spool](),
		reflect.TypeFor[Verify](), reflect.TypeFor[SpoolLimits](), reflect.TypeFor[Setup](), reflect.TypeFor[RunsAs](),
		reflect.TypeFor[AccessLogs](), reflect.TypeFor[SetupEndpoints](),
		reflect.TypeFor[Watch](), reflect.TypeFor[Finished](),
	} {
		for key := range yamlFields(typ) {
			if !strings.Contains(doc, "`"+key+"`") && !strings.Contains(doc, "."+key+"`") && !strings.Contains(doc, "## "+key+"\n") {
				t.Errorf("docs/config.md does not document %s of %s", key, typ)
			}
		}
	}
	for _, p := range placeholders {
		if !strings.Contains(doc, "`{"+p+"}`") {
			t.Errorf("docs/config.md does not document {%s}", p)
		}
	}
}
