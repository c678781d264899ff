// Prose counts two habits of writing that make a sentence hard to read: clauses
// that begin with "what", and pronouns where a noun belongs. It prints their
// density in Go comments and in Markdown, and fails when a density is above the
// limit that prose.txt records for it.
//
//	go -C tools run ./prose          # compare with the limits
//	go -C tools run ./prose -list    # print each place
//	go -C tools run ./prose -dirs    # print the counts of each folder
package main

import (
	"bufio"
	"flag"
	"fmt"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var habits = []struct {
	name string
	re   *regexp.Regexp
}{
	{"A", regexp.MustCompile(`(?i)\bwhat (is|was|are|were|it|they|the|has|had|a)\b`)},
	{"B", regexp.MustCompile(`(?i)\b(nobody|somebody|whoever|anew|for ever|stead)\b`)},
}

// count is what one kind of text holds: its size, and the hits of each habit.
type count struct {
	size int
	hits [2]int
}

func (c *count) add(o count) {
	c.size += o.size
	for i := range c.hits {
		c.hits[i] += o.hits[i]
	}
}

// density is the number of hits of habit i per 1,000 lines or words.
func (c count) density(i int) float64 {
	if c.size == 0 {
		return 0
	}
	return 1000 * float64(c.hits[i]) / float64(c.size)
}

func main() {
	root := flag.String("root", "..", "folder of the repository")
	list := flag.Bool("list", false, "print each place")
	dirs := flag.Bool("dirs", false, "print the counts of each folder")
	flag.Parse()
	if err := run(*root, *list, *dirs); err != nil {
		fmt.Fprintln(os.Stderr, "prose:", err)
		os.Exit(1)
	}
}

func run(root string, list, dirs bool) error {
	total := map[string]*count{"comments": {}, "docs": {}}
	folders := map[string]*count{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != root && (name == "testdata" || strings.HasPrefix(name, ".")) {
				return filepath.SkipDir
			}
			return nil
		}
		var kind string
		var c count
		switch {
		case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, ".pb.go"):
			kind = "comments"
			c, err = comments(path, list)
		case strings.HasSuffix(path, ".md"):
			kind = "docs"
			c, err = words(path, list)
		default:
			return nil
		}
		if err != nil {
			return err
		}
		total[kind].add(c)
		key := kind + "\t" + filepath.Dir(path)
		if folders[key] == nil {
			folders[key] = &count{}
		}
		folders[key].add(c)
		return nil
	})
	if err != nil {
		return err
	}
	if dirs {
		printFolders(folders)
	}
	return compare(total, filepath.Join(root, "tools", "prose", "prose.txt"))
}

func printFolders(folders map[string]*count) {
	var keys []string
	for k := range folders {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		c := folders[k]
		fmt.Printf("%s\tsize %d\tA %d\tB %d\n", k, c.size, c.hits[0], c.hits[1])
	}
}

// comments counts the lines of the comments in a Go file. Directives are no prose.
func comments(path string, list bool) (count, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return count{}, err
	}
	set := token.NewFileSet()
	file := set.AddFile(path, -1, len(src))
	var s scanner.Scanner
	s.Init(file, src, nil, scanner.ScanComments)
	var c count
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return c, nil
		}
		if tok != token.COMMENT || strings.HasPrefix(lit, "//go:") || strings.HasPrefix(lit, "//nolint") {
			continue
		}
		for i, line := range strings.Split(lit, "\n") {
			c.size++
			c.look(path, set.Position(pos).Line+i, line, list)
		}
	}
}

// words counts the words of a Markdown file, code blocks aside.
func words(path string, list bool) (count, error) {
	f, err := os.Open(path)
	if err != nil {
		return count{}, err
	}
	defer f.Close()
	var c count
	fenced := false
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		line := sc.Text()
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
			continue
		}
		if fenced {
			continue
		}
		c.size += len(strings.Fields(line))
		c.look(path, n, line, list)
	}
	return c, sc.Err()
}

func (c *count) look(path string, line int, text string, list bool) {
	for i, h := range habits {
		found := h.re.FindAllString(text, -1)
		c.hits[i] += len(found)
		if list && len(found) > 0 {
			fmt.Printf("%s:%d: %s: %s\n", path, line, h.name, strings.TrimSpace(text))
		}
	}
}

// compare prints each density beside its limit, and reports an error when one is above.
func compare(total map[string]*count, limits string) error {
	f, err := os.Open(limits)
	if err != nil {
		return err
	}
	defer f.Close()
	var above []string
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		line := strings.TrimSpace(sc.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var kind, name string
		var limit float64
		if _, err := fmt.Sscan(line, &kind, &name, &limit); err != nil {
			return fmt.Errorf("%s: %q: %w", limits, line, err)
		}
		i := slices.IndexFunc(habits, func(h struct {
			name string
			re   *regexp.Regexp
		}) bool {
			return h.name == name
		})
		c := total[kind]
		if i < 0 || c == nil {
			return fmt.Errorf("%s: no such measure: %q", limits, line)
		}
		fmt.Printf("%-8s %s %6.2f per 1,000 (limit %.2f)\n", kind, name, c.density(i), limit)
		if c.density(i) > limit {
			above = append(above, kind+" "+name)
		}
	}
	if err := sc.Err(); err != nil {
		return err
	}
	if len(above) > 0 {
		return fmt.Errorf("above the limit: %s; -list prints the places", strings.Join(above, ", "))
	}
	return nil
}
