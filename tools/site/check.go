package main

import (
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// check returns a line for each link without a target, and for each page that
// no reader finds. It notes the linked files that are no pages.
func (s *site) check() []string {
	var faults []string
	for _, file := range s.order {
		p := s.pages[file]
		for _, line := range p.html {
			faults = append(faults, fmt.Sprintf("%s:%d: HTML is not rendered; write Markdown", file, line))
		}
		for _, l := range p.links {
			if why := s.fault(p, l); why != "" {
				faults = append(faults, fmt.Sprintf("%s:%d: link to %s: %s", file, l.line, l.target, why))
			}
		}
	}
	if s.pages[home] == nil {
		return append(faults, home+" is missing: the navigation is made from it")
	}
	reached := s.reachable(home)
	for _, file := range s.order {
		if strings.HasPrefix(file, "docs/") && !reached[file] {
			faults = append(faults, fmt.Sprintf("%s: no page that %s leads to has a link to it", file, home))
		}
	}
	slices.Sort(faults)
	return faults
}

// fault says why l has no target; it is empty for a good link.
func (s *site) fault(p *page, l link) string {
	u, err := url.Parse(l.target)
	if err != nil {
		return "not a URL"
	}
	if u.Scheme != "" {
		if u.Scheme != "https" && u.Scheme != "mailto" {
			return "use https"
		}
		return ""
	}
	if l.target == "" {
		return "empty"
	}
	target, ok := resolve(p.file, u.Path)
	if !ok {
		return "outside of the repository"
	}
	if to := s.pages[target]; to != nil {
		if u.Fragment != "" && !to.anchors[u.Fragment] {
			return fmt.Sprintf("%s has no heading with this anchor", target)
		}
		return ""
	}
	info, err := os.Stat(filepath.Join(s.root, filepath.FromSlash(target)))
	if err != nil {
		return "no such file"
	}
	if info.IsDir() && s.pages[path.Join(target, "README.md")] != nil {
		return "link to its README.md"
	}
	if u.Fragment != "" {
		return "an anchor in a file that is no page"
	}
	s.extra[target] = true
	return ""
}

// resolve returns the path in the repository that a link in file means.
func resolve(file, link string) (string, bool) {
	if link == "" {
		return file, true
	}
	if path.IsAbs(link) {
		return "", false
	}
	target := path.Join(path.Dir(file), link)
	return target, target != ".." && !strings.HasPrefix(target, "../")
}

// reachable returns the pages that links lead to from a page. A link to a folder
// leads to the pages in it.
func (s *site) reachable(from string) map[string]bool {
	seen := map[string]bool{from: true}
	for todo := []string{from}; len(todo) > 0; {
		p := s.pages[todo[0]]
		todo = todo[1:]
		for _, l := range p.links {
			u, err := url.Parse(l.target)
			if err != nil || u.Scheme != "" {
				continue
			}
			target, _ := resolve(p.file, u.Path)
			for _, file := range s.order {
				if !seen[file] && (file == target || path.Dir(file) == target) {
					seen[file] = true
					todo = append(todo, file)
				}
			}
		}
	}
	return seen
}
