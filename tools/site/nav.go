package main

import (
	"encoding/json"
	"net/url"
	"slices"

	"github.com/yuin/goldmark/ast"
)

// section is one kind of reader in the navigation.
type section struct {
	Title string
	Open  bool
	Items []item
}

// item is one page in the navigation.
type item struct {
	Title string
	To    string
	Here  bool
}

// navigation reads the second-level headings of the home page, and the links below each.
func (s *site) navigation() []section {
	p := s.pages[home]
	var nav []section
	for n := p.doc.FirstChild(); n != nil; n = n.NextSibling() {
		if h, ok := n.(*ast.Heading); ok && h.Level == 2 {
			nav = append(nav, section{Title: plain(h, p.source)})
		}
		if len(nav) == 0 {
			continue
		}
		last := &nav[len(nav)-1]
		_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
			l, ok := n.(*ast.Link)
			if !ok || !entering {
				return ast.WalkContinue, nil
			}
			u, err := url.Parse(string(l.Destination))
			if err == nil && u.Scheme == "" && u.Path != "" {
				if target, ok := resolve(home, u.Path); ok {
					last.Items = append(last.Items, item{Title: plain(l, p.source), To: s.addressOf(target)})
				}
			}
			return ast.WalkContinue, nil
		})
	}
	return nav
}

// mark returns nav with the page at open: its sections are unfolded.
func mark(nav []section, at string) []section {
	out := slices.Clone(nav)
	for i := range out {
		out[i].Items = slices.Clone(out[i].Items)
		for j := range out[i].Items {
			if out[i].Items[j].To == at {
				out[i].Items[j].Here, out[i].Open = true, true
			}
		}
	}
	return out
}

// entry is one section of a page in the index of the search.
type entry struct {
	Page    string `json:"p"`
	Heading string `json:"h"`
	To      string `json:"u"`
	Text    string `json:"t"`
}

// index returns the script that gives the search its entries. It is a script
// because a page that was opened as a file cannot fetch another file.
func (s *site) index() ([]byte, error) {
	var all []entry
	for _, file := range s.order {
		p := s.pages[file]
		now := entry{Page: p.title, Heading: p.title, To: address(file)}
		for n := p.doc.FirstChild(); n != nil; n = n.NextSibling() {
			h, ok := n.(*ast.Heading)
			if !ok {
				now.Text += plain(n, p.source) + " "
				continue
			}
			if now.Text != "" {
				all = append(all, now)
			}
			now = entry{Page: p.title, Heading: plain(h, p.source), To: address(file)}
			if id, ok := h.AttributeString("id"); ok && h.Level > 1 {
				now.To += "#" + string(id.([]byte))
			}
		}
		all = append(all, now)
	}
	b, err := json.Marshal(all)
	return append(append([]byte("window.searchIndex="), b...), ";\n"...), err
}
