// Package limits compares docs/limits.md with the code.
package limits

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/config"
)

// row is one limit of the page.
type row struct {
	line          int
	limit, figure string
	source        string // of the figure
}

// rows reads the tables of the page.
func rows(t *testing.T) (out []row) {
	t.Helper()
	text, err := os.ReadFile("../../docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile("`([^`]+)`")
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "| ") || len(cells) != 5 || strings.TrimSpace(cells[1]) == "figure" {
			if strings.HasPrefix(line, "| ") && len(cells) != 5 {
				t.Errorf("line %d: got %d cells, want 5", n, len(cells))
			}
			continue
		}
		for i, c := range cells {
			if strings.TrimSpace(c) == "" {
				t.Errorf("line %d: cell %d is empty", n, i+1)
			}
		}
		r := row{line: n, limit: strings.TrimSpace(cells[0]), figure: strings.Trim(strings.TrimSpace(cells[1]), "*")}
		if m := quoted.FindStringSubmatch(cells[2]); m != nil {
			r.source = m[1]
		}
		if r.figure == "–" {
			continue // the limit of the host
		}
		out = append(out, r)
	}
	return out
}

// value reads a figure: seconds, bytes or a number.
func value(figure string) (float64, error) {
	number, unit, _ := strings.Cut(figure, " ")
	n, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, err
	}
	units := map[string]float64{"": 1, "ms": 0.001, "s": 1, "min": 60, "h": 3600, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
		"TiB": 1 << 40}
	factor, ok := units[unit]
	if !ok {
		return 0, fmt.Errorf("unknown unit %q", unit)
	}
	return n * factor, nil
}

func TestEveryFigureOfThePageIsThatOfTheCode(t *testing.T) {
	list := rows(t)
	if len(list) < 40 {
		t.Fatalf("got %d rows: the page was not read", len(list))
	}
	defaults := settings(t)
	packages := map[string]map[string]float64{}
	for _, r := range list {
		want, err := value(r.figure)
		if err != nil {
			t.Errorf("line %d, %s: the figure %q: %v", r.line, r.limit, r.figure, err)
			continue
		}
		got, known := defaults[r.source]
		if !known {
			dir, name, _ := cutLast(r.source, ".")
			if packages[dir] == nil {
				packages[dir] = constants(t, filepath.Join("../..", dir))
			}
			got, known = packages[dir][name]
		}
		if !known {
			t.Errorf("line %d, %s: there is no setting and no constant %q", r.line, r.limit, r.source)
		} else if got != want {
			t.Errorf("line %d, %s: the page has %s, %s has %v", r.line, r.limit, r.figure, r.source, got)
		}
	}
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// constants evaluates the constants of a package. Durations are seconds.
func constants(t *testing.T, dir string) map[string]float64 {
	t.Helper()
	fset := token.NewFileSet()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Errorf("%s: no Go files (%v)", dir, err)
		return map[string]float64{}
	}
	file := &ast.File{Name: ast.NewIdent("p"), Decls: []ast.Decl{&ast.GenDecl{
		Tok: token.IMPORT, Specs: []ast.Spec{&ast.ImportSpec{Path: &ast.BasicLit{Kind: token.STRING, Value: `"time"`}}},
	}}}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
				file.Decls = append(file.Decls, g)
			}
		}
	}
	info := &types.Info{Defs: map[*ast.Ident]types.Object{}}
	// A constant of a type of the package has no value here, and is no limit.
	cfg := types.Config{Importer: importer.ForCompiler(fset, "source", nil), Error: func(error) {}}
	_, _ = cfg.Check("p", fset, []*ast.File{file}, info)
	out := map[string]float64{}
	for id, obj := range info.Defs {
		c, ok := obj.(*types.Const)
		if !ok || c.Val() == nil || c.Val().Kind() != constant.Int && c.Val().Kind() != constant.Float {
			continue
		}
		v, _ := constant.Float64Val(c.Val())
		if c.Type().String() == "time.Duration" {
			v /= float64(time.Second)
		}
		out[id.Name] = v
	}
	return out
}

// settings are the defaults of the configuration, by the name in the file.
func settings(t *testing.T) map[string]float64 {
	t.Helper()
	c, err := config.Parse("x", []byte(`
destinations:
  logs:
    role: arn:aws:iam::111122223333:role/up
    bucket: tenant-logs
    owner: "444455556666"
    region: eu-west-1
    kms_key: arn:aws:kms:eu-west-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab
    key: logs/{name}-{id}
access:
  - {peer: {uid: "1"}, destinations: [logs], allow: [upload]}
watch:
  - {name: app, paths: [/var/log/app/*.gz], destination: logs}
`))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		section, ok := v.Type().Field(i).Tag.Lookup("yaml")
		if !ok || v.Field(i).Kind() != reflect.Struct {
			continue
		}
		for j := range v.Field(i).NumField() {
			name, ok := v.Field(i).Type().Field(j).Tag.Lookup("yaml")
			f := v.Field(i).Field(j)
			if !ok || !f.CanInt() {
				continue
			}
			n := float64(f.Int())
			if d, ok := f.Interface().(config.Duration); ok {
				n = d.Std().Seconds()
			}
			out[section+"."+name] = n
		}
	}
	w := c.Watch[0] // the defaults of an entry of the list
	out["watch.scan"], out["watch.finished.idle"] = w.Scan.Std().Seconds(), w.Finished.Idle.Std().Seconds()
	out["watch.concurrency"] = float64(w.Concurrency)
	return out
}
