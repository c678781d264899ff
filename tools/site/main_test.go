package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// tree writes files into a repository of the test, and returns its root.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"docs", "deploy", "changes"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestTheAnchorsAreThoseOfGitHub(t *testing.T) {
	for heading, want := range map[string]string{
		"What happens when …":           "what-happens-when-",
		"`credentials`, exec":           "credentials-exec",
		"Four steps, to a delivery":     "four-steps-to-a-delivery",
		"1. Review the request":         "1-review-the-request",
		"runs_as":                       "runs_as",
		"[Set up](guide.md) & two-step": "set-up--two-step",
	} {
		if got := slug(heading); got != want {
			t.Errorf("%q: %q, want %q", heading, got, want)
		}
	}
	p := parse("a.md", []byte("# A\n\n## Same\n\n## Same\n"))
	if !p.anchors["same"] || !p.anchors["same-1"] {
		t.Errorf("two equal headings: %v", p.anchors)
	}
}

func TestEveryFaultIsNamedWithItsLine(t *testing.T) {
	root := tree(t, map[string]string{
		"README.md": "# R\n\n[gone](docs/gone.md)\n[up](../x.md)\n[plain](http://example.com)\n[good](https://example.com)\n",
		"docs/README.md": "# D\n\n## Reader\n\ntext\n[no such heading](a.md#none) and\n" +
			"| t |\n|---|\n| [cell](missing.png) |\n\n[good](a.md#two) ![p](none.svg)\n[proto](../p.proto)\n",
		"docs/a.md":      "# A\n\n## Two\n\n```sh\n[in code](nowhere.md)\n```\n",
		"docs/orphan.md": "# O\n\n<!-- a comment -->\n\n<div>\n\nx <b>y</b>\n",
		"p.proto":        "syntax",
	})
	s, err := load(root)
	if err != nil {
		t.Fatal(err)
	}
	got := s.check()
	want := []string{
		"README.md:3: link to docs/gone.md: no such file",
		"README.md:4: link to ../x.md: outside of the repository",
		"README.md:5: link to http://example.com: use https",
		"docs/README.md:11: link to none.svg: no such file",
		"docs/README.md:6: link to a.md#none: docs/a.md has no heading with this anchor",
		"docs/README.md:9: link to missing.png: no such file",
		"docs/orphan.md: no page that docs/README.md leads to has a link to it",
		"docs/orphan.md:5: HTML is not rendered; write Markdown",
		"docs/orphan.md:7: HTML is not rendered; write Markdown",
		"docs/orphan.md:7: HTML is not rendered; write Markdown",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if err := run(root, "out"); err == nil {
		t.Error("a site with faults was built")
	}
}

// built makes the site of the repository itself.
func built(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "site")
	if err := run("../..", out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTheSiteOfThisRepository(t *testing.T) {
	out := built(t)
	files, refs := 0, 0
	err := filepath.WalkDir(out, func(file string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".html") {
			return err
		}
		files++
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		html := string(b)
		for _, bad := range []string{`src="http`, `<link rel="stylesheet" href="http`} {
			if strings.Contains(html, bad) {
				t.Errorf("%s holds %q: a page loads only files of the site", file, bad)
			}
		}
		for _, attr := range []string{` href="`, ` src="`, ` action="`} {
			for _, rest := range strings.Split(html, attr)[1:] {
				target, _, _ := strings.Cut(rest, `"`)
				target, _, _ = strings.Cut(target, "#")
				if target == "" || strings.Contains(target, ":") {
					continue
				}
				refs++
				if _, err := os.Stat(filepath.Join(filepath.Dir(file), target)); err != nil {
					t.Errorf("%s: %s is not in the site", file, target)
				}
			}
		}
		return nil
	})
	if err != nil || files < 100 || refs < 1000 {
		t.Fatalf("%d pages, %d references, %v", files, refs, err)
	}
}

func TestTheSameSourcesGiveTheSameBytes(t *testing.T) {
	a, b := built(t), built(t)
	if out, err := exec.Command("diff", "-r", a, b).CombinedOutput(); err != nil {
		t.Errorf("two builds differ: %v\n%s", err, out)
	}
}

func TestOnlyAnEarlierSiteIsReplaced(t *testing.T) {
	root := tree(t, map[string]string{"docs/README.md": "# D\n", "out/mine.txt": "x"})
	if err := run(root, "out"); err == nil {
		t.Error("a folder with other files was replaced")
	}
	if _, err := os.Stat(filepath.Join(root, "out/mine.txt")); err != nil {
		t.Error("a file of the user is gone")
	}
}

// The search runs in a real browser, from files and without a server.
func TestTheSearchFindsFromFiles(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed")
	}
	out := built(t)
	dump := func(query string) string {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(),
			"--virtual-time-budget=10000", "--dump-dom", "file://"+filepath.Join(out, "search.html")+"?q="+query)
		dom, err := cmd.Output()
		if err != nil {
			t.Fatalf("chromium: %v", err)
		}
		return string(dom)
	}
	dom := dump("BRK-S3-049")
	_, results, _ := strings.Cut(dom, `id="results"`)
	first, _, _ := strings.Cut(results, "</a>")
	if !strings.Contains(first, "docs/checks/BRK-S3-049.html") {
		t.Errorf("the first result for a code is not its page: %.300s", first)
	}
	if dom := dump("zxqvnotthere"); !strings.Contains(dom, "0 sections for") {
		t.Error("an absent word has results")
	}
	if dom := dump("%3Cimg%20src%3Dx%3E"); strings.Contains(dom, "<img") {
		t.Error("the query became a part of the page")
	}
}
