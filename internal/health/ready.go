package health

// Session is the part of a role session's state that readiness depends on.
type Session struct {
	Usable bool   // it is valid, and not about to expire
	Error  string // of the last refresh; may be empty
}

// Ready reports whether a destination takes uploads, and else why not. parked says why
// the spool holds its objects back; empty when it does not.
func (s *Stats) Ready(destination string, session Session, parked string) (ok bool, why string) {
	switch broken := s.Counts(destination).Broken; {
	case !session.Usable && session.Error != "":
		return false, "no session: " + session.Error
	case !session.Usable:
		return false, "no session yet"
	case parked != "":
		return false, parked
	case broken != "":
		return false, broken
	}
	return true, ""
}
