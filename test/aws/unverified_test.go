package kit

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/test/misconfig"
	"github.com/brokerd/brokerd/test/recorded"
)

const page = "../../docs/unverified.md"

// named are the tests that the page names, for example `mistakes: 16 …`.
var named = regexp.MustCompile("`((?:delivery|verify|mistakes|recorded): [^`]+)`")

func TestThePageNamesTestsThatExist(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	exist := map[string]bool{"verify: an arrangement that works": true}
	for _, row := range recorded.All() {
		exist["recorded: "+row.ID()] = row.Local() == ""
	}
	for _, m := range misconfig.All() {
		exist["mistakes: "+m.String()] = m.Local == ""
	}
	for _, size := range sizes() {
		exist[deliveryName(size, streamed)] = true
	}
	found := named.FindAllStringSubmatch(string(text), -1)
	if len(found) < 30 {
		t.Errorf("the page names %d tests: is it still read right?", len(found))
	}
	for _, m := range found {
		if !exist[m[1]] {
			t.Errorf("the page names %q, which AWS is not asked", m[1])
		}
	}
}

// marked is how code and documents say that only AWS can settle something.
var marked = regexp.MustCompile(`\[unverified\]|(?i)not\s+(?://\s+)?verified\s+on\s+(?://\s+)?real\s+AWS`)

func TestEachMarkedAssumptionIsOnThePage(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{"../../internal", "../../docs", "../../client", "../../cmd"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || path == page || !strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, ".md") {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil || !marked.Match(data) {
				return err
			}
			link := strings.TrimPrefix(filepath.ToSlash(path), "../../")
			link = strings.TrimPrefix(strings.Replace("../"+link, "../docs/", "", 1), "")
			if !strings.Contains(string(text), "]("+link+")") {
				t.Errorf("%s says that something is not verified, and docs/unverified.md has no line with a link to it", path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
