package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/watch/pattern"
)

const (
	maxWatches    = 64
	maxWatchGlobs = 64
	leastScan     = 100 * time.Millisecond
)

// watches checks the watches, and parses their globs and templates.
func (v *validator) watches(c *Config, names []string) {
	if len(c.Watch) > maxWatches {
		v.fail("watch", fmt.Sprintf("%d watches; the limit is %d", len(c.Watch), maxWatches), "one watch may have several paths")
	}
	for i := range c.Watch {
		at := fmt.Sprintf("watch[%d]", i)
		if v.faulty[at] {
			continue
		}
		rules := watchRules{v: v, at: at, w: &c.Watch[i], names: names}
		rules.check()
		for _, other := range c.Watch[:i] {
			if other.Name == c.Watch[i].Name && other.Name != "" {
				v.fail(at+".name", fmt.Sprintf("another watch has the name %q", other.Name),
					"the name is part of every file's identity: give each watch its own")
			}
		}
	}
}

// watchRules checks one watch, and parses its globs and templates.
type watchRules struct {
	v     *validator
	at    string // the path of the watch in the file
	w     *Watch
	names []string // of the destinations
}

func (r *watchRules) check() {
	v, at, w := r.v, r.at, r.w
	if !watchName.MatchString(w.Name) {
		v.fail(at+".name", fmt.Sprintf("%q is not the name of a watch", w.Name),
			"1 to 64 characters of a-z 0-9 . _ -, beginning and ending with a letter or digit")
	}
	r.globs()
	switch d := v.cfg.Destinations[w.Destination]; {
	case w.Destination == "":
		v.fail(at+".destination", "the watch names no destination", "write destination: with the name of one")
	case d == nil:
		v.fail(at+".destination", fmt.Sprintf("unknown destination %q", w.Destination), didYouMean(w.Destination, "destinations", r.names))
	case d.FixedKey && !v.faulty[at+".destination"]:
		v.fail(at+".destination", "the destination has fixed_key, so that a file sent again would replace an object",
			"use a destination whose key has {id}")
	case w.AfterState == StateSpooled && !d.Spools():
		v.fail(at+".after_state", "the destination does not spool", "write after_state: stored, or give the destination durability spool")
	}
	r.owner()
	r.finished()
	r.after()
	r.objectName()
	r.word("after_state", w.AfterState, StateStored, StateSpooled)
	r.word("order", w.Order, OrderMtime, OrderName)
	if _, date := w.SinceTime(); !date && w.Since != SinceBeginning && w.Since != SinceStart {
		v.fail(at+".since", fmt.Sprintf("%q is not a time", w.Since), "write beginning, start, or a date: 2026-01-31, or 2026-01-31T12:00:00Z")
	}
	if w.MaxAge != 0 {
		v.durationWithin(at+".max_age", w.MaxAge, time.Minute, 10*365*24*time.Hour)
	}
	v.durationWithin(at+".scan", w.Scan, leastScan, time.Hour)
	if w.Concurrency < 1 || w.Concurrency > 64 {
		v.fail(at+".concurrency", fmt.Sprintf("%d is out of range", w.Concurrency), "from 1 to 64")
	}
}

// word checks that the value of a field is a known word.
func (r *watchRules) word(field, word string, known ...string) {
	if !slices.Contains(known, word) {
		r.v.fail(r.at+"."+field, fmt.Sprintf("unknown value %q", word), didYouMean(word, "values", known))
	}
}

const globHint = "for example /var/log/app/**/*.gz"

func (r *watchRules) globs() {
	v, at, w := r.v, r.at, r.w
	if len(w.Paths) == 0 {
		v.fail(at+".paths", "the watch names no files", "write paths: with a list of globs, "+globHint)
	}
	if n := max(len(w.Paths), len(w.Exclude)); n > maxWatchGlobs {
		v.fail(at+".paths", fmt.Sprintf("%d globs; the limit is %d", n, maxWatchGlobs), "use wildcards, or another watch")
		return
	}
	for i, text := range w.Paths {
		g, err := pattern.ParseGlob(text)
		if err != nil {
			v.fail(fmt.Sprintf("%s.paths[%d]", at, i), err.Error(), globHint)
		} else if g.Base() == "/" {
			v.fail(fmt.Sprintf("%s.paths[%d]", at, i), "the glob begins at the root of the file system", "begin with a directory, "+globHint)
		}
		w.Globs = append(w.Globs, g)
	}
	for i, text := range w.Exclude {
		e, err := pattern.ParseExclusion(text)
		if err != nil {
			v.fail(fmt.Sprintf("%s.exclude[%d]", at, i), err.Error(), "begin with **/ or with /, for example **/*.tmp")
		}
		w.Exclusions = append(w.Exclusions, e)
	}
}

func (r *watchRules) owner() {
	v, at, w := r.v, r.at, r.w
	if w.Owner.UID != "" && !validID(w.Owner.UID) {
		v.fail(at+".owner.uid", fmt.Sprintf("%q is not a user", w.Owner.UID), "write a user name or number")
	}
	if w.Owner.GID != "" && !validID(w.Owner.GID) {
		v.fail(at+".owner.gid", fmt.Sprintf("%q is not a group", w.Owner.GID), "write a group name or number")
	}
	if w.Owner.GID != "" && w.Owner.UID == "" {
		v.fail(at+".owner", "a group alone is no owner", "write owner: {uid: app}; gid narrows it further")
	}
	if w.FollowLinks && w.After != AfterKeep {
		v.fail(at+".follow_links", "files behind links are only read", "write after: keep, or leave follow_links out")
	}
	if w.FollowLinks && (w.Owner.UID == "root" || w.Owner.UID == "0") {
		v.fail(at+".follow_links", "with owner root, a link could name any file of root", "name the user that writes the files")
	}
}

func (r *watchRules) finished() {
	v, at, f := r.v, r.at+".finished", r.w.Finished
	if f.Idle != 0 {
		v.durationWithin(at+".idle", f.Idle, leastScan, 24*time.Hour)
	} else if !f.Closed && f.Marker == "" {
		v.fail(at+".idle", "without idle, closed or marker, a file that is still written would be sent", "write idle: 30s")
	}
	v.sizeWithin(at+".min_size", f.MinSize, 0, 5*TiB)
	if f.Marker == "" {
		return
	}
	rest, found := strings.CutPrefix(f.Marker, markerPath)
	if !found || rest == "" || strings.ContainsAny(rest, "/{}\x00") {
		v.fail(at+".marker", fmt.Sprintf("%q is not a marker", f.Marker), "write {path} and a suffix: \"{path}.done\"")
	}
}

func (r *watchRules) after() {
	v, at, w := r.v, r.at, r.w
	r.word("after", w.After, AfterKeep, AfterDelete, AfterMove)
	switch {
	case w.After == AfterMove && w.MoveTo == "":
		v.fail(at+".move_to", "after: move needs a directory", "write move_to: with an absolute path on the file system of the files")
	case w.After != AfterMove && w.MoveTo != "":
		v.fail(at+".move_to", "move_to is for after: move", "write after: move, or remove move_to")
	}
	for key, dir := range map[string]string{"move_to": w.MoveTo, "failed_to": w.FailedTo} {
		if dir != "" && (!filepath.IsAbs(dir) || filepath.Clean(dir) != dir || dir == "/" || strings.ContainsRune(dir, 0)) {
			v.fail(at+"."+key, fmt.Sprintf("%q is not a clean absolute path", dir), "for example /var/log/app/.sent")
		}
	}
}

func (r *watchRules) objectName() {
	v, at, w := r.v, r.at, r.w
	var match *regexp.Regexp
	if w.Match != "" {
		var err error
		if match, err = regexp.Compile(w.Match); err != nil {
			v.fail(at+".match", "this is not a regular expression: "+err.Error(), "the syntax is that of Go (RE2)")
			return
		}
	}
	t, err := pattern.ParseTemplate(w.ObjectName, match)
	if err != nil {
		v.fail(at+".object_name", err.Error(), "for example {dir}/{base}; known placeholders: "+strings.Join(pattern.Placeholders(), ", "))
		return
	}
	w.Template = t
}
