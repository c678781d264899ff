package pattern

import (
	"errors"
	"path"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestGlobsSelectFilesBelowTheirFixedBeginning(t *testing.T) {
	for name, tc := range map[string]struct {
		glob, base string
		yes, no    []string
	}{
		"two stars span directories": {
			"/var/log/app/**/*.log.[0-9]*.gz", "/var/log/app",
			[]string{"x.log.1.gz", "a/x.log.1.gz", "a/b/c/x.log.22.gz"}, []string{"x.log", "x.log.1", "a/x.log.gz"},
		},
		"one star stays in its segment": {"/srv/export/*.csv", "/srv/export", []string{"a.csv"}, []string{"d/a.csv", "a.csv.tmp"}},
		"a file without a wildcard":     {"/srv/export/a.csv", "/srv/export", []string{"a.csv"}, []string{"b.csv"}},
		"alternatives":                  {"/l/{a,b}/*.{gz,zst}", "/l", []string{"a/x.gz", "b/x.zst"}, []string{"c/x.gz", "a/x.bz2"}},
		"a wildcard directory":          {"/var/log/pods/*/*/*.log", "/var/log/pods", []string{"p/c/0.log"}, []string{"c/0.log", "p/c/d/0.log"}},
		"a class and its complement":    {"/l/x.[^0-9]", "/l", []string{"x.a"}, []string{"x.1"}},
		"an escaped wildcard":           {`/l/a\*`, "/l", []string{"a*"}, []string{"ab"}},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := ParseGlob(tc.glob)
			if err != nil {
				t.Fatal(err)
			}
			if g.Base() != tc.base {
				t.Errorf("base: got %q, want %q", g.Base(), tc.base)
			}
			for _, rel := range tc.yes {
				if !g.Match(rel) {
					t.Errorf("%q is not selected", rel)
				}
				if dir := path.Dir(rel); dir != "." && !g.Enter(dir) {
					t.Errorf("%q is selected, and its directory is not entered", rel)
				}
			}
			for _, rel := range tc.no {
				if g.Match(rel) {
					t.Errorf("%q is selected", rel)
				}
			}
		})
	}
}

func TestDirectoriesThatCannotHoldASelectedFileAreNotEntered(t *testing.T) {
	g, err := ParseGlob("/l/a*/b/*.gz")
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]bool{"": true, "ax": true, "ax/b": true, "x": false, "ax/c": false, "ax/b/c": false} {
		if g.Enter(dir) != want {
			t.Errorf("Enter(%q): got %v, want %v", dir, !want, want)
		}
	}
	deep, err := ParseGlob("/l/**/*")
	if err != nil {
		t.Fatal(err)
	}
	below := strings.TrimSuffix(strings.Repeat("d/", MaxDepth), "/")
	if !deep.Enter(below) || !deep.Match(below+"/f") || deep.Enter(below+"/d") || deep.Match(below+"/d/f") {
		t.Errorf("\"**\" is not bounded by %d directories", MaxDepth)
	}
}

func TestGlobsWithoutAFixedBeginningAreRefused(t *testing.T) {
	for _, bad := range []string{
		"", "a/*", "/a/../b/*", "/a/./b", "/a//b", "/a/", "/a/**", "/a/x**/b", "/a/[", "/a/{b/c,d}/e", "/a/[b/c]", "/a\x00b", `/a/\`,
		`/a\/b`, "/" + strings.Repeat("a", MaxGlob),
	} {
		if g, err := ParseGlob(bad); err == nil {
			t.Errorf("%q is accepted, with the base %q", bad, g.Base())
		}
	}
	for _, bad := range []string{"", "*.tmp", "a/b", "/a/[", "**/{"} {
		if _, err := ParseExclusion(bad); err == nil {
			t.Errorf("the exclusion %q is accepted", bad)
		}
	}
}

func TestExclusionsMatchFilesAndDirectoriesAnywhere(t *testing.T) {
	hidden, err := ParseExclusion("**/.*")
	if err != nil {
		t.Fatal(err)
	}
	one, err := ParseExclusion("/var/log/app/debug")
	if err != nil {
		t.Fatal(err)
	}
	if !hidden.Match("/var/log/.sent") || !hidden.Match("/.x") || hidden.Match("/var/log/a.b") {
		t.Error("**/.* does not match hidden names only")
	}
	if !one.Match("/var/log/app/debug") || one.Match("/var/log/app/debug2") {
		t.Error("an absolute exclusion does not match its path only")
	}
}

func TestTemplatesNameObjects(t *testing.T) {
	pods := regexp.MustCompile(`/pods/(?P<ns>[^_/]+)_(?P<pod>[^_/]+)_[^/]+/`)
	at := time.Date(2026, 11, 5, 7, 8, 9, 0, time.FixedZone("", 3600))
	for text, want := range map[string]string{
		"{dir}/{base}":                  "ns_web_uid/nginx/0.log.20261105.gz",
		"{stem}|{ext}":                  "0.log.20261105|gz",
		"{path.3}/{path.5}":             "pods/nginx",
		"{match.ns}/{match.pod}/{base}": "ns/web/0.log.20261105.gz",
		"{mtime.yyyy}/{mtime.mm}/{mtime.dd}T{mtime.HH}{mtime.MM}{mtime.SS}": "2026/11/05T060809",
		"fixed": "fixed",
	} {
		tpl, err := ParseTemplate(text, pods)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := tpl.Render(File{
			Path: "/var/log/pods/ns_web_uid/nginx/0.log.20261105.gz", Rel: "ns_web_uid/nginx/0.log.20261105.gz", ModTime: at,
		})
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestTemplatesOfOddNames(t *testing.T) {
	tpl, err := ParseTemplate("{dir}/{base}", nil)
	if err != nil {
		t.Fatal(err)
	}
	for rel, want := range map[string]string{
		"a": "a", "d/a": "d/a", "new\nline": "new%0Aline", "50%": "50%25", "\xff": "%FF", "é": "é",
	} {
		if got, err := tpl.Render(File{Path: "/l/" + rel, Rel: rel}); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", rel, got, err, want)
		}
	}
	stem, err := ParseTemplate("x/{ext}/{stem}", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := stem.Render(File{Path: "/l/...", Rel: "..."}); err != nil || got != "x/%2E%2E" {
		t.Errorf("a name of dots: got %q, %v", got, err)
	}
}

func TestTemplatesThatNameNoObjectAreRefused(t *testing.T) {
	for _, bad := range []string{
		"", "/x", "x/", "a//b", "a/../{base}", "./{base}", "{", "}", "{unknown}", "{path.0}", "{path.x}", "{match.x}", "a\nb", "{path.+1}",
		strings.Repeat("a", MaxTemplate+1),
	} {
		if _, err := ParseTemplate(bad, nil); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	short, err := ParseTemplate("{path.9}", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := short.Render(File{Path: "/a/b", Rel: "b"}); err == nil {
		t.Error("a segment that the path does not have is rendered")
	}
	other, err := ParseTemplate("{base}", regexp.MustCompile("^/x/"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Render(File{Path: "/a/b", Rel: "b"}); !errors.Is(err, ErrNoMatch) {
		t.Errorf("a path that does not match: got %v", err)
	}
}

// A directory that leads to a selected file is entered, and nothing outside is selected.
func FuzzGlob(f *testing.F) {
	f.Add("/var/log/**/*.gz", "a/b.gz")
	f.Add("/l/{a,b}*/[0-9]?", "ax/1y")
	f.Add(`/l/\*/**/x`, "*/y/x")
	f.Fuzz(func(t *testing.T, text, rel string) {
		g, err := ParseGlob(text)
		if err != nil {
			return
		}
		if g.Base() != path.Clean(g.Base()) || !strings.HasPrefix(text, strings.TrimSuffix(g.Base(), "/")+"/") {
			t.Fatalf("%q has the base %q", text, g.Base())
		}
		if rel == "" || path.IsAbs(rel) || path.Clean(rel) != rel || strings.HasPrefix(rel, "..") {
			return
		}
		if dir := path.Dir(rel); g.Match(rel) && dir != "." && !g.Enter(dir) {
			t.Fatalf("%q selects %q and does not enter %q", text, rel, dir)
		}
	})
}

// Every rendered name is relative, clean, UTF-8 and free of control characters.
func FuzzTemplate(f *testing.F) {
	f.Add("{dir}/{base}", "a/b.gz")
	f.Add("{stem}-{ext}/{path.2}", "..")
	f.Add("{match.x}.{mtime.yyyy}", "a\n\xff%")
	f.Fuzz(func(t *testing.T, text, rel string) {
		tpl, err := ParseTemplate(text, regexp.MustCompile(`(?s)(?P<x>.)`))
		if err != nil || rel == "" || path.Clean("/"+rel) != "/"+rel {
			return
		}
		name, err := tpl.Render(File{Path: "/l/" + rel, Rel: rel, ModTime: time.Unix(1e9, 0)})
		if err != nil {
			return
		}
		if !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) || strings.HasPrefix(name, "/") {
			t.Fatalf("%q names %q %q", text, rel, name)
		}
		for segment := range strings.SplitSeq(name, "/") {
			if name != "" && (segment == "" || segment == "." || segment == "..") {
				t.Fatalf("%q names %q %q", text, rel, name)
			}
		}
	})
}
