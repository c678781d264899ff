package main

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"
)

//go:embed assets
var assets embed.FS

var layout = template.Must(template.ParseFS(assets, "assets/page.html"))

// view is the data of the layout.
type view struct {
	Title string
	Base  string // the way from this page to the root of the site
	Nav   []section
	Body  template.HTML
	Name  string // the source file
}

// write makes the site in the folder out, which it replaces.
func (s *site) write(out string) error {
	if err := replaceable(out); err != nil {
		return err
	}
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	nav := s.navigation()
	for _, file := range s.order {
		p := s.pages[file]
		s.relink(p)
		var body bytes.Buffer
		if err := markdown.Renderer().Render(&body, p.source, p.doc); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := s.save(out, address(file), p.title, file, nav, body.String()); err != nil {
			return err
		}
	}
	for file := range s.extra {
		if picture(file) {
			if err := s.copyTo(out, file); err != nil {
				return err
			}
			continue
		}
		body, err := s.listing(file)
		if err != nil {
			return err
		}
		if err := s.save(out, s.addressOf(file), file, file, nav, body); err != nil {
			return err
		}
	}
	search := `<h1>Search</h1><p id="status">Search needs JavaScript.</p><ol id="results"></ol>`
	if err := s.save(out, "search.html", "Search", "", nav, search); err != nil {
		return err
	}
	index, err := s.index()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "index.js"), index, 0o644); err != nil {
		return err
	}
	for _, name := range []string{"site.css", "search.js"} {
		b, err := assets.ReadFile("assets/" + name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// replaceable refuses a folder that is not an earlier site.
func replaceable(out string) error {
	entries, err := os.ReadDir(out)
	if err != nil || len(entries) == 0 {
		return nil
	}
	if _, err := os.Stat(filepath.Join(out, "search.html")); err != nil {
		return fmt.Errorf("%s holds other files; name an empty folder", out)
	}
	return nil
}

func (s *site) save(out, at, title, name string, nav []section, body string) error {
	base := strings.Repeat("../", strings.Count(at, "/"))
	var b bytes.Buffer
	v := view{Title: title, Base: base, Nav: mark(nav, at), Body: template.HTML(body), Name: name}
	if err := layout.Execute(&b, v); err != nil {
		return err
	}
	file := filepath.Join(out, filepath.FromSlash(at))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

func (s *site) copyTo(out, file string) error {
	b, err := os.ReadFile(filepath.Join(s.root, filepath.FromSlash(file)))
	if err != nil {
		return err
	}
	to := filepath.Join(out, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

// address returns the place of a page in the site.
func address(file string) string {
	if path.Base(file) == "README.md" {
		return path.Join(path.Dir(file), "index.html")
	}
	return strings.TrimSuffix(file, ".md") + ".html"
}

// addressOf returns the place of any file or folder that a page links to.
func (s *site) addressOf(target string) string {
	switch {
	case s.pages[target] != nil:
		return address(target)
	case picture(target):
		return target
	case s.folder(target):
		return path.Join(target, "index.html")
	}
	return target + ".html"
}

func picture(file string) bool {
	return slices.Contains([]string{".svg", ".png"}, path.Ext(file))
}

func (s *site) folder(target string) bool {
	info, err := os.Stat(filepath.Join(s.root, filepath.FromSlash(target)))
	return err == nil && info.IsDir()
}

// relink turns the links of a page from files of the repository to places in the site.
func (s *site) relink(p *page) {
	for _, l := range p.links {
		u, err := url.Parse(l.target)
		if err != nil || u.Scheme != "" || u.Path == "" {
			continue
		}
		target, _ := resolve(p.file, u.Path)
		to := strings.Repeat("../", strings.Count(address(p.file), "/")) + s.addressOf(target)
		if u.Fragment != "" {
			to += "#" + u.Fragment
		}
		switch n := l.node.(type) {
		case *ast.Link:
			n.Destination = []byte(to)
		case *ast.Image:
			n.Destination = []byte(to)
		}
	}
}

// listing is the body of the page of a source file, or of a folder.
func (s *site) listing(target string) (string, error) {
	name := filepath.Join(s.root, filepath.FromSlash(target))
	var b strings.Builder
	fmt.Fprintf(&b, "<h1><code>%s</code></h1>\n", template.HTMLEscapeString(target))
	if !s.folder(target) {
		source, err := os.ReadFile(name)
		fmt.Fprintf(&b, "<pre><code>%s</code></pre>\n", template.HTMLEscapeString(string(source)))
		return b.String(), err
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		return "", err
	}
	b.WriteString("<ul>\n")
	for _, e := range entries {
		file := path.Join(target, e.Name())
		if p := s.pages[file]; p != nil {
			fmt.Fprintf(&b, "<li><a href=\"%s\">%s</a></li>\n", path.Base(address(file)), template.HTMLEscapeString(p.title))
		} else {
			fmt.Fprintf(&b, "<li><code>%s</code></li>\n", template.HTMLEscapeString(e.Name()))
		}
	}
	b.WriteString("</ul>\n")
	return b.String(), nil
}
