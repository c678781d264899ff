package config

import (
	"errors"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/watch/pattern"
)

// Watch names files that become objects when they are finished.
type Watch struct {
	Name        string   `yaml:"name"`         // label in metrics, logs and commands; unique
	Paths       []string `yaml:"paths"`        // absolute globs; "**" is any number of directories
	Exclude     []string `yaml:"exclude"`      // globs of files and directories to leave out
	Destination string   `yaml:"destination"`  // where the files go
	Owner       Peer     `yaml:"owner"`        // whose files are read; empty: the daemon's own user
	FollowLinks bool     `yaml:"follow_links"` // read through symbolic links too; for after: keep alone
	Finished    Finished `yaml:"finished"`
	After       string   `yaml:"after"`       // keep (default) | delete | move
	AfterState  string   `yaml:"after_state"` // stored (default) | spooled
	MoveTo      string   `yaml:"move_to"`     // for after: move
	FailedTo    string   `yaml:"failed_to"`   // where a file goes that can never be delivered; empty: it stays
	Match       string   `yaml:"match"`       // regular expression on the absolute path; its groups are {match.NAME}
	ObjectName  string   `yaml:"object_name"` // template of the object's name, default {dir}/{base}
	Order       string   `yaml:"order"`       // mtime (default) | name
	MaxAge      Duration `yaml:"max_age"`     // older files are left alone; 0 (default): no limit
	Since       string   `yaml:"since"`       // beginning (default) | start | a date
	Scan        Duration `yaml:"scan"`        // default 10s
	Concurrency int      `yaml:"concurrency"` // files in flight, default 4, 1..64

	// Globs, Exclusions and Template are Paths, Exclude and ObjectName, parsed.
	Globs      []pattern.Glob      `yaml:"-"`
	Exclusions []pattern.Exclusion `yaml:"-"`
	Template   *pattern.Template   `yaml:"-"`
	// Line is the line of the entry in the file, for messages.
	Line int `yaml:"-"`
}

// Finished says when a file is complete. All conditions that are given must hold.
type Finished struct {
	Idle    Duration `yaml:"idle"`     // default 30s: unchanged between two looks at least this far apart
	Closed  bool     `yaml:"closed"`   // no process has it open for writing
	Marker  string   `yaml:"marker"`   // this file exists in the same directory: "{path}.done"
	MinSize Size     `yaml:"min_size"` // default 1: empty files are left alone
}

// The values of Watch.After.
const (
	AfterKeep   = "keep"
	AfterDelete = "delete"
	AfterMove   = "move"
)

// The values of Watch.AfterState.
const (
	StateStored  = "stored"
	StateSpooled = "spooled"
)

// The values of Watch.Order.
const (
	OrderMtime = "mtime"
	OrderName  = "name"
)

// The words for Watch.Since. Any other value is a date.
const (
	SinceBeginning = "beginning"
	SinceStart     = "start"
)

func newWatch() Watch {
	return Watch{
		Finished: Finished{Idle: Duration(30 * time.Second), MinSize: 1}, After: AfterKeep, AfterState: StateStored,
		ObjectName: "{dir}/{base}", Order: OrderMtime, Since: SinceBeginning, Scan: Duration(10 * time.Second), Concurrency: 4,
	}
}

// Same reports whether two watches have equal values, wherever they are in their files.
func (w *Watch) Same(other *Watch) bool {
	a, b := *w, *other
	for _, w := range []*Watch{&a, &b} {
		w.Line, w.Globs, w.Exclusions, w.Template = 0, nil, nil, nil
	}
	return reflect.DeepEqual(a, b)
}

// SinceTime returns the time before which files are left alone. known is false for a word.
func (w *Watch) SinceTime() (t time.Time, known bool) {
	t, err := parseDate(w.Since)
	return t, err == nil
}

func parseDate(s string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("is not a date")
}

// MarkerOf returns the name of the marker of a file, in the file's directory.
func (f Finished) MarkerOf(base string) string {
	return strings.ReplaceAll(f.Marker, markerPath, base)
}

// markerPath is the placeholder in Finished.Marker. A marker is in the directory of its
// file, so that the path stands at the beginning or alone.
const markerPath = "{path}"

var watchName = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$`)
