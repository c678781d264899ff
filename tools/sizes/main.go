// Sizes counts the methods of each type and the lines of each package, without
// tests and generated code. It fails when a count is above its limit: 40 methods a
// type, 6,000 lines a package. sizes.txt has the higher limits of the types and packages
// that are not split yet.
//
//	go -C tools run ./sizes          # compare with the limits
//	go -C tools run ./sizes -list    # print the largest types and packages
package main

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	mostMethods = 40
	mostLines   = 6000
	listed      = 12 // rows of each kind that -list prints
)

// row is the count of one type or package.
type row struct {
	kind  string // "methods" or "lines"
	name  string // folder, or folder.Type
	count int
}

func (r row) limit() int {
	if r.kind == "methods" {
		return mostMethods
	}
	return mostLines
}

func main() {
	root := flag.String("root", "..", "folder of the repository")
	list := flag.Bool("list", false, "print the largest types and packages")
	flag.Parse()
	if err := run(*root, *list); err != nil {
		fmt.Fprintln(os.Stderr, "sizes:", err)
		os.Exit(1)
	}
}

func run(root string, list bool) error {
	rows, err := measure(root)
	if err != nil {
		return err
	}
	if list {
		printLargest(rows)
		return nil
	}
	text, err := os.ReadFile("sizes/sizes.txt")
	if err != nil {
		return err
	}
	exceptions, err := parseExceptions(string(text))
	if err != nil {
		return err
	}
	return compare(rows, exceptions)
}

// measure counts every type and package below root.
func measure(root string) ([]row, error) {
	methods := map[string]map[string]bool{} // a method of two files with build tags counts once
	lines := map[string]int{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name := entry.Name(); path != root && (strings.HasPrefix(name, ".") || name == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			return err
		}
		if ast.IsGenerated(file) {
			return nil
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		folder = filepath.ToSlash(folder)
		lines[folder] += bytes.Count(text, []byte("\n"))
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv != nil {
				name := folder + "." + receiver(f.Recv.List[0].Type)
				if methods[name] == nil {
					methods[name] = map[string]bool{}
				}
				methods[name][f.Name.Name] = true
			}
		}
		return nil
	})
	var rows []row
	for name, set := range methods {
		rows = append(rows, row{"methods", name, len(set)})
	}
	for name, n := range lines {
		rows = append(rows, row{"lines", name, n})
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(b.kind, a.kind), cmp.Compare(b.count, a.count), cmp.Compare(a.name, b.name))
	})
	return rows, err
}

// receiver returns the name of a receiver's type, without pointer and type parameters.
func receiver(e ast.Expr) string {
	switch t := e.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.IndexListExpr:
		return receiver(t.X)
	case *ast.ParenExpr:
		return receiver(t.X)
	case *ast.Ident:
		return t.Name
	}
	return ""
}

func printLargest(rows []row) {
	printed := map[string]int{}
	for _, r := range rows {
		if printed[r.kind]++; printed[r.kind] <= listed {
			fmt.Printf("%s %s %d\n", r.kind, r.name, r.count)
		}
	}
}

// parseExceptions reads lines of the form "methods internal/x.T 55". A line that
// begins with # is a comment.
func parseExceptions(text string) ([]row, error) {
	var out []row
	for i, l := range strings.Split(text, "\n") {
		if l = strings.TrimSpace(l); l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		f := strings.Fields(l)
		if len(f) != 3 || f[0] != "methods" && f[0] != "lines" {
			return nil, fmt.Errorf("sizes.txt:%d: %q is not of the form: methods|lines NAME COUNT", i+1, l)
		}
		n, err := strconv.Atoi(f[2])
		if err != nil {
			return nil, fmt.Errorf("sizes.txt:%d: %w", i+1, err)
		}
		out = append(out, row{f[0], f[1], n})
	}
	return out, nil
}

// compare returns an error for each count above its limit, and for each exception
// of a type or package that does not exist.
func compare(rows, exceptions []row) error {
	var failed error
	for _, e := range exceptions {
		if !slices.ContainsFunc(rows, func(r row) bool { return r.kind == e.kind && r.name == e.name }) {
			failed = errors.Join(failed, fmt.Errorf("%s does not exist; delete its line in sizes.txt", e.name))
		}
	}
	for _, r := range rows {
		most := r.limit()
		for _, e := range exceptions {
			if e.kind != r.kind || e.name != r.name {
				continue
			}
			if most = e.count; r.count <= r.limit() {
				fmt.Printf("%s is within the limit of %d; delete its line in sizes.txt\n", r.name, r.limit())
			}
		}
		if r.count > most {
			part := map[string]string{"methods": "type", "lines": "package"}[r.kind]
			failed = errors.Join(failed, fmt.Errorf("%s has %d %s, limit %d; move a part with its own job to its own %s",
				r.name, r.count, r.kind, most, part))
		}
	}
	return failed
}
