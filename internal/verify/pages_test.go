package verify_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/docs/checks"
)

var codePattern = regexp.MustCompile(`^BRK-[A-Z0-9]+-[0-9]{3}$`)

// Every code in the source has a page, and every page a code: the source is read
// as text, so that no code is forgotten.
func TestEveryCodeHasAPageAndEveryPageACode(t *testing.T) {
	var codes []string
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil && codePattern.MatchString(s) {
					codes = append(codes, s)
				}
			}
			return true
		})
	}
	slices.Sort(codes)
	if unique := slices.Compact(slices.Clone(codes)); len(unique) != len(codes) || len(codes) < 100 {
		t.Errorf("%d codes, %d of them different", len(codes), len(unique))
	}
	pages := checks.Codes()
	for _, code := range codes {
		page, ok := checks.Page(code)
		if !ok {
			t.Errorf("%s has no page in docs/checks", code)
			continue
		}
		for _, part := range []string{"# " + code + ": ", "\n## Cause\n", "\n## How to see it\n", "\n## Fix\n", "\n## Sources\n"} {
			if !strings.Contains(page, part) {
				t.Errorf("the page of %s lacks %q", code, strings.TrimSpace(part))
			}
		}
	}
	for _, code := range pages {
		if !slices.Contains(codes, code) {
			t.Errorf("the page of %s belongs to no code", code)
		}
	}
}
