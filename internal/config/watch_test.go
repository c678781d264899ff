package config

import (
	"strings"
	"testing"
	"time"
)

const watching = `watch:
  - name: app-archives
    paths: ["/var/log/app/**/*.log.[0-9]*.gz", "/srv/export/*.csv"]
    exclude: ["**/*.tmp", "**/.*"]
    destination: audit-logs
    owner: {uid: app}
    finished:
      idle: 45s
      closed: true
      marker: "{path}.done"
      min_size: 1
    after: move
    move_to: /var/log/app/.sent
    failed_to: /var/log/app/.failed
    match: "/(?P<app>[^/]+)/[^/]+$"
    object_name: "{match.app}/{dir}/{base}"
    order: name
    max_age: 30d
    since: 2026-01-31
    scan: 5s
`

func TestAWatchIsRead(t *testing.T) {
	c, err := Parse("f", []byte(good+watching))
	if err != nil {
		t.Fatal(err)
	}
	w := c.Watch[0]
	since, date := w.SinceTime()
	if w.MaxAge.Std() != 30*24*time.Hour || !date || since.Month() != time.January || len(w.Globs) != 2 ||
		w.Globs[1].Base() != "/srv/export" ||
		len(w.Exclusions) != 2 || w.Template == nil || w.Line != 18 || w.Concurrency != 4 || w.Finished.MarkerOf("a.gz") != "a.gz.done" {
		t.Errorf("got %+v", w)
	}
	short, err := Parse("f", []byte(good+"watch:\n  - {name: a, paths: [/l/*], destination: audit-logs}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if w := short.Watch[0]; w.After != AfterKeep || w.AfterState != StateStored ||
		w.Finished != (Finished{Idle: Duration(30 * time.Second), MinSize: 1}) ||
		w.Scan.Std() != 10*time.Second || w.Since != SinceBeginning || w.ObjectName != "{dir}/{base}" || w.Order != OrderMtime {
		t.Errorf("the defaults: got %+v", w)
	}
}

func TestTheSameWatchInAnotherLineIsUnchanged(t *testing.T) {
	a, err := Parse("f", []byte(good+watching))
	if err != nil {
		t.Fatal(err)
	}
	b, err := Parse("f", []byte(good+"\n\n"+watching))
	if err != nil {
		t.Fatal(err)
	}
	if !a.Watch[0].Same(&b.Watch[0]) {
		t.Error("a watch that moved in the file counts as changed")
	}
	b.Watch[0].Scan++
	if a.Watch[0].Same(&b.Watch[0]) {
		t.Error("another scan interval counts as unchanged")
	}
}

func TestFaultsOfAWatchNameTheirPlace(t *testing.T) {
	for name, tc := range map[string]struct{ old, with, want string }{
		"no name":              {"name: app-archives", "name: \"\"", "18:11: watch[0].name: "},
		"a name in capitals":   {"app-archives", "Archives", "watch[0].name: "},
		"a relative glob":      {"/srv/export/*.csv", "export/*.csv", "19:48: watch[0].paths[1]: a glob must be an absolute path"},
		"a glob from the root": {"/srv/export/*.csv", "/*.csv", "watch[0].paths[1]: the glob begins at the root"},
		"an unclosed class":    {"[0-9]*", "[0-9*", "watch[0].paths[0]: "},
		"no files": {`["/var/log/app/**/*.log.[0-9]*.gz", "/srv/export/*.csv"]`, "[]",
			"19:5: watch[0].paths: the watch names no files"},
		"an exclusion that matches none": {"**/*.tmp", "*.tmp", "watch[0].exclude[0]: "},
		"a misspelt destination": {"destination: audit-logs\n    owner", "destination: audit-log\n    owner",
			"did you mean audit-logs?"},
		"an owner that is none":         {"{uid: app}\n    finished", "{uid: \"a b\"}\n    finished", "watch[0].owner.uid: "},
		"a group without a user":        {"{uid: app}\n    finished", "{gid: app}\n    finished", "watch[0].owner: a group alone"},
		"a marker in another directory": {"{path}.done", "/tmp/{path}", "watch[0].finished.marker: "},
		"an unknown after":              {"after: move", "after: mov", "did you mean move?"},
		"move_to without move":          {"after: move", "after: delete", "watch[0].move_to: move_to is for after: move"},
		"move without move_to":          {"    move_to: /var/log/app/.sent\n", "", "watch[0].move_to: after: move needs a directory"},
		"a relative failed_to":          {"/var/log/app/.failed", "failed", "watch[0].failed_to: "},
		"a bad expression":              {`[^/]+$"`, `[^/+$"`, "watch[0].match: "},
		"an unknown placeholder":        {"{match.app}", "{match.pod}", "watch[0].object_name: {match.pod}"},
		"an unknown order":              {"order: name", "order: size", "watch[0].order: "},
		"a date that is none":           {"2026-01-31", "2026-31-01", "watch[0].since: "},
		"an age without a unit":         {"30d", "30", "watch[0].max_age: "},
		"a scan every nanosecond":       {"scan: 5s", "scan: 1ns", "watch[0].scan: "},
		"a spooled state without a spool": {"after: move", "after: move\n    after_state: spooled",
			"watch[0].after_state: the destination does not spool"},
		"files that are deleted via links": {"after: move", "after: move\n    follow_links: true", "watch[0].follow_links: "},
		"no rule of completion": {"idle: 45s\n      closed: true\n      marker: \"{path}.done\"", "idle: 0s",
			"watch[0].finished.idle: "},
		"an unknown key": {"scan: 5s", "scans: 5s", "did you mean scan?"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(watching, tc.old) {
				t.Fatalf("the watch has no %q", tc.old)
			}
			_, err := Parse("f", []byte(good+strings.Replace(watching, tc.old, tc.with, 1)))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	twice := strings.TrimPrefix(watching, "watch:\n")
	if _, err := Parse("f", []byte(good+watching+twice)); err == nil || !strings.Contains(err.Error(), "watch[1].name: another watch") {
		t.Errorf("two watches of one name: got %v", err)
	}
	fixed := strings.Replace(good, "{name}-{id}\n", "{name}\n    fixed_key: true\n", 1)
	if _, err := Parse("f", []byte(fixed+watching)); err == nil ||
		!strings.Contains(err.Error(), "watch[0].destination: the destination has fixed_key") {
		t.Errorf("a destination with a fixed key: got %v", err)
	}
}
