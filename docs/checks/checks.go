// Package checks holds the pages that explain the codes of verify, one Markdown
// file a code, so that `brokerctl explain` works offline.
package checks

import (
	"embed"
	"slices"
	"strings"
)

//go:embed BRK-*.md
var pages embed.FS

// Codes lists all codes that have a page, sorted.
func Codes() []string {
	entries, err := pages.ReadDir(".")
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		out = append(out, strings.TrimSuffix(e.Name(), ".md"))
	}
	slices.Sort(out)
	return out
}

// Page is the page of a code.
func Page(code string) (string, bool) {
	data, err := pages.ReadFile(code + ".md")
	return string(data), err == nil
}

// Title is the first heading of a page, without the code.
func Title(code string) string {
	page, _ := Page(code)
	line, _, _ := strings.Cut(page, "\n")
	return strings.TrimPrefix(line, "# "+code+": ")
}
