package watch

import (
	"fmt"
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/watch/pattern"
	"github.com/brokerd/brokerd/internal/watch/safefile"
)

// setting is a watch of the configuration, with its owner as numbers.
type setting struct {
	*config.Watch
	uid        uint32
	gid        *uint32 // nil: any group
	beginnings []*beginning
}

func newSetting(w *config.Watch, owner Owner) *setting {
	s := &setting{Watch: w, uid: owner.UID, gid: owner.GID}
	for i, g := range w.Globs {
		at := slices.IndexFunc(s.beginnings, func(b *beginning) bool { return b.dir == g.Base() })
		if at < 0 {
			at = len(s.beginnings)
			s.beginnings = append(s.beginnings, &beginning{dir: g.Base()})
		}
		s.beginnings[at].globs = append(s.beginnings[at].globs, i)
	}
	return s
}

// selects reports whether a glob of the beginning selects rel.
func (s *setting) selects(b *beginning, rel string) bool {
	return slices.ContainsFunc(b.globs, func(i int) bool { return s.Globs[i].Match(rel) })
}

// enters reports whether a selected file may be below the directory rel.
func (s *setting) enters(b *beginning, rel string) bool {
	return slices.ContainsFunc(b.globs, func(i int) bool { return s.Globs[i].Enter(rel) })
}

// excludes reports whether an absolute path is left out. The directories of delivered and
// failed files always are.
func (s *setting) excludes(absolute string) bool {
	if absolute == s.MoveTo || absolute == s.FailedTo {
		return true
	}
	return slices.ContainsFunc(s.Exclusions, func(e pattern.Exclusion) bool { return e.Match(absolute) })
}

// forbidden returns the rule that forbids to read a file, and the reason for people; ""
// when none does.
func (s *setting) forbidden(i safefile.Info, device uint64) (rule, why string) {
	switch {
	case i.Link:
		return RuleLinks, "it is a symbolic link"
	case !i.Regular:
		return RuleKind, "it is not a regular file"
	case i.Device != device:
		return RuleOutside, "it is on another file system than the beginning of its glob"
	case i.UID != s.uid:
		return RuleOwner, fmt.Sprintf("it belongs to uid %d, and owner is uid %d", i.UID, s.uid)
	case s.gid != nil && i.GID != *s.gid:
		return RuleOwner, fmt.Sprintf("it belongs to gid %d, and owner is gid %d", i.GID, *s.gid)
	case i.Links != 1:
		return RuleLinks, fmt.Sprintf("it has %d names (hard links)", i.Links)
	}
	return "", ""
}

// judge decides about a file that may be read. It returns the time of the next look that
// can change the decision; zero when only the next scan can.
//
// Files that are delivered, dead, skipped or in flight keep their state.
func (s *setting) judge(f *file, now, started time.Time, marker func() bool) (look time.Time) {
	switch f.state {
	case InFlight, DeadFile, Kept, Skipped, Refused:
		return time.Time{}
	}
	if f.disk != "" {
		f.hold(Waiting, RuleTurn, now) // it was delivered before a crash
		return s.later(f, now)
	}
	if state, rule := s.leaves(f, now, started); rule != "" && f.stored == nil {
		f.hold(state, rule, now)
		return time.Time{}
	}
	if idle := s.Finished.Idle.Std(); f.stored == nil && (now.Sub(f.stable) < idle || idle > 0 && !now.After(f.stable)) {
		f.hold(Waiting, RuleIdle, now)
		return f.stable.Add(idle)
	}
	if f.stored == nil && s.Finished.Marker != "" && !marker() {
		f.hold(Waiting, RuleMarker, now)
		return time.Time{}
	}
	return s.later(f, now)
}

// later decides about a file that is ready but for its own pause.
func (s *setting) later(f *file, now time.Time) time.Time {
	switch {
	case now.Before(f.next) && f.rule == RuleClosed:
		f.hold(Waiting, RuleClosed, now)
	case now.Before(f.next) && f.stored != nil:
		f.hold(Removing, RuleRemove, now)
	case now.Before(f.next):
		f.hold(Retrying, RuleRetry, now)
	default:
		f.hold(Waiting, RuleTurn, now)
		return time.Time{}
	}
	return f.next
}

// leaves returns the rule by which a file stays as it is; "" when none does.
func (s *setting) leaves(f *file, now, started time.Time) (State, string) {
	written := time.Unix(0, f.info.Mtime)
	switch {
	case s.Since == config.SinceStart && written.Before(started):
		return Left, RuleSince
	case s.MaxAge > 0 && now.Sub(written) > s.MaxAge.Std():
		return Left, RuleMaxAge
	case f.info.Size < int64(s.Finished.MinSize):
		return Left, RuleMinSize
	case !s.Template.Matches(f.path()):
		return Left, RuleMatch
	}
	if since, date := s.SinceTime(); date && written.Before(since) {
		return Left, RuleSince
	}
	return "", ""
}
