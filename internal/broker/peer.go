package broker

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strconv"

	"github.com/brokerd/brokerd/internal/config"
)

// Peer is the receiver of a session, as the kernel attests it. Unit and Pod are empty
// when they are not known.
type Peer struct {
	UID  uint32
	Unit string // systemd unit
	Pod  string // UID of the Kubernetes pod
	// First, when set, is asked before STS fetches a session for a peer that has none. Its
	// error is that of Vend, and STS is not called.
	First func() error
}

func (p Peer) name() string { return "uid" + strconv.FormatUint(uint64(p.UID), 10) }

// claimable matches the values that a source identity and a tag can hold. A longer name
// is refused and never cut: two names could become equal.
var claimable = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{2,64}$`)

func (p Peer) fact(name string) (string, error) {
	value := ""
	switch name {
	case config.PeerUID:
		value = p.name()
	case config.PeerUnit:
		value = p.Unit
	case config.PeerPod:
		value = p.Pod
	}
	if value == "" {
		return "", fmt.Errorf(
			"session.peer requires the peer's %s, which the kernel does not report on this host; see session.peer in docs/config.md",
			name,
		)
	}
	if !claimable.MatchString(value) {
		return "", fmt.Errorf(
			"session.peer requires the peer's %s, and STS does not accept %q: it takes 2 to 64 characters of A-Z a-z 0-9 _ + = , . @ -",
			name,
			value,
		)
	}
	return value, nil
}

// requestFor returns the request for a session of the peer's own. Its name contains the
// peer's user id, so that the trail in account A tells peers apart; source identity and
// tags are as configured.
func (t *target) requestFor(p Peer) (Request, error) {
	r := t.entry.req
	if r.Role == "" {
		// The host's long-lived keys are not a session, and no peer gets them.
		return r, errors.New("the destination has no role, and the daemon's own source credentials are never given to a peer: configure a role")
	}
	suffix := "-" + p.name()
	r.SessionName = r.SessionName[:min(len(r.SessionName), 64-len(suffix))] + suffix
	if name := t.peer.SourceIdentity; name != "" {
		value, err := p.fact(name)
		if err != nil {
			return r, err
		}
		r.SourceIdentity = value
	}
	if len(t.peer.Tags) > 0 {
		r.Tags = maps.Clone(r.Tags)
		if r.Tags == nil {
			r.Tags = make(map[string]string, len(t.peer.Tags))
		}
		for key, name := range t.peer.Tags {
			value, err := p.fact(name)
			if err != nil {
				return r, err
			}
			r.Tags[key] = value
		}
	}
	return r, nil
}
