package main

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// home lists all pages for their readers; the navigation is made from it.
const home = "docs/README.md"

// page is one Markdown file.
type page struct {
	file    string // its path in the repository, with slashes
	title   string
	source  []byte
	doc     ast.Node
	anchors map[string]bool
	links   []link
	html    []int // lines with HTML, which is left out of the site
}

// link is a reference from a page, as it is written there.
type link struct {
	line   int
	target string
	text   string
	node   ast.Node
}

// site is everything that is read before a page is written.
type site struct {
	root  string
	pages map[string]*page
	order []string        // the files of pages, sorted
	extra map[string]bool // files and folders that pages link to, and that are no pages
}

var markdown = goldmark.New(
	goldmark.WithExtensions(extension.GFM),
	goldmark.WithParserOptions(parser.WithAutoHeadingID()),
)

// load reads every Markdown file of the documentation: those of docs and deploy,
// and those in the root.
func load(root string) (*site, error) {
	s := &site{root: root, pages: map[string]*page{}, extra: map[string]bool{}}
	tops, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{"docs", "deploy", "changes"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(file string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.HasSuffix(file, ".md") {
				tops = append(tops, file)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	for _, file := range tops {
		name, err := filepath.Rel(root, file)
		if err != nil {
			return nil, err
		}
		name = filepath.ToSlash(name)
		if path.Dir(name) == "changes" && name != "changes/README.md" {
			continue // fragments, not pages
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		s.pages[name] = parse(name, source)
		s.order = append(s.order, name)
	}
	slices.Sort(s.order)
	return s, nil
}

// parse reads one page: its title, the anchors of its headings and its links.
func parse(file string, source []byte) *page {
	ids := &githubIDs{used: map[string]int{}}
	doc := markdown.Parser().Parse(text.NewReader(source), parser.WithContext(parser.NewContext(parser.WithIDs(ids))))
	p := &page{file: file, source: source, doc: doc, anchors: map[string]bool{}}
	line := 1
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		if n.Type() == ast.TypeBlock && n.Lines().Len() > 0 {
			line = lineAt(source, n.Lines().At(0).Start)
		}
		switch n := n.(type) {
		case *ast.Heading:
			if id, ok := n.AttributeString("id"); ok {
				p.anchors[string(id.([]byte))] = true
			}
			if p.title == "" && n.Level == 1 {
				p.title = plain(n, source)
			}
		case *ast.Text:
			line = lineAt(source, n.Segment.Start)
		case *ast.HTMLBlock:
			if !strings.HasPrefix(string(n.Lines().Value(source)), "<!--") {
				p.html = append(p.html, line)
			}
		case *ast.RawHTML:
			if at := n.Segments.At(0); !strings.HasPrefix(string(at.Value(source)), "<!--") {
				p.html = append(p.html, lineAt(source, at.Start))
			}
		case *ast.Link:
			p.links = append(p.links, link{lineOf(n, source, line), string(n.Destination), plain(n, source), n})
		case *ast.Image:
			p.links = append(p.links, link{lineOf(n, source, line), string(n.Destination), plain(n, source), n})
		}
		return ast.WalkContinue, nil
	})
	if p.title == "" {
		p.title = path.Base(file)
	}
	return p
}

func lineAt(source []byte, offset int) int {
	return 1 + strings.Count(string(source[:offset]), "\n")
}

// lineOf returns the line of the first text in n, or that of the text before it.
func lineOf(n ast.Node, source []byte, before int) int {
	if t, ok := n.FirstChild().(*ast.Text); ok {
		return lineAt(source, t.Segment.Start)
	}
	return before
}

// plain returns the text of n without its marks.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			b.Write(n.Value(source))
			if n.SoftLineBreak() || n.HardLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.String:
			b.Write(n.Value)
		case *ast.AutoLink:
			b.Write(n.Label(source))
		case *ast.CodeBlock, *ast.FencedCodeBlock:
			b.Write(n.Lines().Value(source))
			b.WriteByte(' ')
		default:
			if n.Type() == ast.TypeBlock && b.Len() > 0 {
				b.WriteByte(' ')
			}
		}
		return ast.WalkContinue, nil
	})
	return strings.Join(strings.Fields(b.String()), " ")
}

// githubIDs gives a heading the anchor that GitHub gives it: lower case, without
// punctuation, spaces as hyphens, and a number from the second one on.
type githubIDs struct{ used map[string]int }

func (g *githubIDs) Generate(value []byte, _ ast.NodeKind) []byte {
	id := slug(string(value))
	n := g.used[id]
	g.used[id]++
	if n > 0 {
		id = fmt.Sprintf("%s-%d", id, n)
	}
	return []byte(id)
}

func (g *githubIDs) Put(value []byte) { g.used[string(value)]++ }
