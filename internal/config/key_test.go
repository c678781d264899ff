package config

import (
	"strings"
	"testing"
	"time"
)

func template(t *testing.T, s string) *KeyTemplate {
	t.Helper()
	k, err := ParseKeyTemplate(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestRender(t *testing.T) {
	at := time.Date(2026, 1, 2, 0, 30, 0, 0, time.FixedZone("CET", 3600)) // the day before, in UTC
	for name, c := range map[string]struct {
		template string
		values   KeyValues
		want     string
	}{
		"every placeholder": {"l/{host}/{yyyy}/{mm}/{dd}/{HH}/{uid}/{name}-{id}",
			KeyValues{Host: "web1", Name: "a/b.log", ID: "01J", UID: 1000}, "l/web1/2026/01/01/23/1000/a/b.log-01J"},
		"a host that wants to climb":      {"l/{host}/{id}", KeyValues{Host: "..", ID: "x"}, "l/%2E%2E/x"},
		"a host with a slash":             {"l/{host}/{id}", KeyValues{Host: "../../etc", ID: "x"}, "l/..%2F..%2Fetc/x"},
		"a dot beside a literal dot":      {"l/.{host}/{id}", KeyValues{Host: ".", ID: "x"}, "l/.%2E/x"},
		"blanks and percent":              {"l/{name}-{id}", KeyValues{Name: "a b%2F", ID: "x"}, "l/a%20b%252F-x"},
		"letters of any script":           {"l/{name}-{id}", KeyValues{Name: "résumé/日本", ID: "x"}, "l/résumé/日本-x"},
		"wildcards and quotes are safe":   {"l/{name}-{id}", KeyValues{Name: `a*?"<&`, ID: "x"}, "l/a%2A%3F%22%3C%26-x"},
		"bytes that are no UTF-8 in host": {"l/{host}/{id}", KeyValues{Host: "a\xff", ID: "x"}, "l/a%FF/x"},
	} {
		t.Run(name, func(t *testing.T) {
			c.values.Time = at
			got, err := template(t, c.template).Render(c.values)
			if err != nil || got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestRenderRefuses(t *testing.T) {
	k := template(t, "l/{host}/{name}-{id}")
	ok := KeyValues{Host: "h", Name: "n", ID: "i", Time: time.Now()}
	for name, change := range map[string]func(*KeyValues){
		"no host":               func(v *KeyValues) { v.Host = "" },
		"no id":                 func(v *KeyValues) { v.ID = "" },
		"a climbing name":       func(v *KeyValues) { v.Name = "../x" },
		"a key over 1024 bytes": func(v *KeyValues) { v.Name = strings.Repeat("*", 400) },
	} {
		v := ok
		change(&v)
		if got, err := k.Render(v); err == nil {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if _, err := k.Render(ok); err != nil {
		t.Error(err)
	}
}

func TestPrefix(t *testing.T) {
	for in, want := range map[string]string{"logs/app-{id}": "logs/", "a/b/{id}": "a/b/", "{id}": "", "x-{id}": ""} {
		if got := template(t, in).Prefix(); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

func TestValidateName(t *testing.T) {
	for name, c := range map[string]struct {
		in string
		ok bool
	}{
		"a plain name":           {"app.log", true},
		"a path":                 {"a/b/c.log", true},
		"hidden files":           {".a/..b/c..", true},
		"512 bytes":              {strings.Repeat("x", 512), true},
		"nothing":                {"", false},
		"513 bytes":              {strings.Repeat("x", 513), false},
		"2 KiB":                  {strings.Repeat("x", 2048), false},
		"a line break":           {"a\nb", false},
		"a NUL":                  {"a\x00", false},
		"a C1 control":           {"a\u0085b", false},
		"a parent segment":       {"a/../b", false},
		"a dot segment":          {"./a", false},
		"a leading slash":        {"/a", false},
		"a trailing slash":       {"a/", false},
		"two slashes":            {"a//b", false},
		"bytes that are no text": {"a\xff", false},
	} {
		if err := ValidateName(c.in); (err == nil) != c.ok {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// FuzzKeyTemplate holds the promise of the package: whatever a client and a
// host name say, the key stays below the prefix and is one that S3 takes.
func FuzzKeyTemplate(f *testing.F) {
	f.Add("logs/{host}/{yyyy}/{name}-{id}", "h", "a/b", "01J", "", "", "")
	f.Add("a/.{host}/{id}", ".", "..", "/", "", "", "")
	f.Add("{id}", "", "\xff", "%", "", "", "")
	f.Add("p/{unit}.{pod}/{meta.k}/{uid}.{gid}/{id}", "", "n", "01J", "..", ".", "../../x")
	f.Fuzz(func(t *testing.T, tmpl, host, name, id, unit, pod, meta string) {
		k, err := ParseKeyTemplate(tmpl)
		if err != nil {
			return
		}
		if !strings.HasPrefix(tmpl, k.Prefix()) || strings.ContainsAny(k.Prefix(), "*?${}") {
			t.Fatalf("prefix %q of %q", k.Prefix(), tmpl)
		}
		v := KeyValues{Host: host, Name: name, ID: id, Time: time.Unix(1e9, 0), Unit: unit, Pod: pod, Meta: map[string]string{"k": meta}}
		key, err := k.Render(v)
		if err != nil {
			return
		}
		if !strings.HasPrefix(key, k.Prefix()) || len(key) > maxKey ||
			strings.ContainsFunc(key, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
			t.Fatalf("key %q of %q", key, tmpl)
		}
		for segment := range strings.SplitSeq(key, "/") {
			if segment == "" || segment == "." || segment == ".." {
				t.Fatalf("segment %q in key %q of %q", segment, key, tmpl)
			}
		}
		v.ID += "0"
		if other, err := k.Render(v); err == nil && other == key {
			t.Fatalf("two ids give one key %q", key)
		}
	})
}

func FuzzValidateName(f *testing.F) {
	f.Add("a/b")
	f.Add("../x")
	k, err := ParseKeyTemplate("p/{name}/{id}")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if ValidateName(name) != nil {
			return
		}
		key, err := k.Render(KeyValues{Name: name, ID: "x"})
		if err != nil {
			return // too long
		}
		if strings.Count(key, "/") != strings.Count(name, "/")+2 {
			t.Fatalf("name %q became key %q", name, key)
		}
	})
}
