package reason_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/brokerd/brokerd/internal/reason"
)

var update = flag.Bool("update", false, "write the tables of docs/error-codes.md")

const page = "../../docs/error-codes.md"

// The page holds each table between a pair of comments.
var section = regexp.MustCompile(`(?s)(<!-- reasons: ([a-z]+) -->\n).*?(<!-- end -->)`)

func TestThePageHasTheRowsOfTheTable(t *testing.T) {
	old, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[reason.Group]bool{}
	written := section.ReplaceAllFunc(old, func(m []byte) []byte {
		part := section.FindSubmatch(m)
		g := reason.Group(part[2])
		seen[g] = true
		return append(append(bytes.Clone(part[1]), markdown(g)...), part[3]...)
	})
	for _, row := range reason.All() {
		if !seen[row.Group] {
			t.Errorf("the page has no table for the group %q of %s", row.Group, row.Reason)
		}
	}
	if *update {
		if err := os.WriteFile(page, written, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(old, written) {
		t.Errorf("%s differs from the table: run go test ./internal/reason -update", page)
	}
}

// markdown is the table of one group.
func markdown(g reason.Group) string {
	var b strings.Builder
	if g == reason.AboutHTTP {
		b.WriteString("| code | HTTP status | meaning | remedy |\n|---|---|---|---|\n")
	} else {
		b.WriteString("| reason | gRPC code | retryable | meaning | remedy |\n|---|---|---|---|---|\n")
	}
	for _, r := range reason.All() {
		switch {
		case r.Group != g:
		case g == reason.AboutHTTP:
			fmt.Fprintf(&b, "| `%s` | %d | %s | %s |\n", r.Reason, r.HTTP, r.Text, r.Hint)
		default:
			again := "no"
			if r.Retryable {
				again = "yes"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", r.Reason, grpcName(r.Code), again, r.Text, r.Hint)
		}
	}
	return b.String()
}

// grpcName spells a code as the gRPC specification does.
func grpcName(c codes.Code) string {
	if c == codes.Canceled {
		return "CANCELLED"
	}
	return strings.ToUpper(regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(c.String(), "${1}_$2"))
}

func TestEveryConstantHasOneRow(t *testing.T) {
	declared := constants(t)
	if len(declared) < 40 {
		t.Fatalf("found %d constants: the test reads the source wrongly", len(declared))
	}
	rows := map[string]int{}
	for _, r := range reason.All() {
		rows[string(r.Reason)]++
	}
	for _, name := range declared {
		if rows[name] != 1 {
			t.Errorf("%s has %d rows, want 1", name, rows[name])
		}
		delete(rows, name)
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		t.Errorf("the row %s has no constant", name)
	}
}

// constants are the values of all constants of type Reason.
func constants(t *testing.T) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			v, ok := s.(*ast.ValueSpec)
			if !ok {
				continue
			}
			if typ, ok := v.Type.(*ast.Ident); !ok || typ.Name != "Reason" {
				continue
			}
			lit, ok := v.Values[0].(*ast.BasicLit)
			if !ok {
				t.Fatalf("%s is not a plain string", v.Names[0].Name)
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, text)
		}
	}
	return out
}

func TestRowsAreConsistent(t *testing.T) {
	spelling := regexp.MustCompile(`^[A-Z]+(_[A-Z]+)*$`)
	for _, r := range reason.All() {
		switch {
		case !spelling.MatchString(string(r.Reason)):
			t.Errorf("%s is not in upper snake case", r.Reason)
		case r.Text == "" || r.Hint == "":
			t.Errorf("%s: the row lacks a text or a hint", r.Reason)
		case strings.ContainsAny(r.Text+r.Hint, "|\n"):
			t.Errorf("%s: a bar or a newline breaks the table of the page", r.Reason)
		case r.Code == codes.OK || r.Code == codes.Unknown:
			t.Errorf("%s has the code %s, which tells a client nothing", r.Reason, r.Code)
		case r.Retryable && r.RefusedByAWS:
			t.Errorf("%s is retryable and a refusal that lasts", r.Reason)
		}
		temporary := r.Code == codes.Unavailable || r.Code == codes.ResourceExhausted
		if temporary && !r.Retryable {
			t.Errorf("%s has the code %s and is not retryable: clients take that code for temporary", r.Reason, r.Code)
		}
	}
}

func TestAReasonOfANewerDaemonIsFinal(t *testing.T) {
	if !reason.Reason("").Ambiguous() {
		t.Error("no reason at all says that the object does not exist")
	}
	r := reason.Reason("NOT_YET_INVENTED")
	if r.Retryable() || r.Ambiguous() || r.RefusedByAWS() || r.Code() != codes.Internal || r.HTTP() != 500 || reason.Of(r).Reason != r {
		t.Errorf("got %+v", reason.Of(r))
	}
}
