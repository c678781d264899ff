package broker

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strconv"

	"github.com/brokerd/brokerd/internal/config"
)

// Peer is who a session is handed to, as the kernel attests it. Unit and Pod are
// empty when they are not known.
type Peer struct {
	UID  uint32
	Unit string // systemd unit
	Pod  string // UID of the Kubernetes pod
}

func (p Peer) name() string { return "uid" + strconv.FormatUint(uint64(p.UID), 10) }

// claimable is what fits into a source identity, and into a tag value as well. A
// name is never cut: two could become the same.
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
		return "", fmt.Errorf("its session is to name the peer's %s, and the kernel does not tell it here; see session.peer in docs/config.md", name)
	}
	if !claimable.MatchString(value) {
		return "", fmt.Errorf("its session is to name the peer's %s, and STS does not take %q: 2 to 64 characters of A-Z a-z 0-9 _ + = , . @ -", name, value)
	}
	return value, nil
}

// requestFor is the request for a session of the peer's own: named after it, so
// that the trail in account A tells peers apart, and saying what is configured.
func (t *target) requestFor(p Peer) (Request, error) {
	r := t.entry.req
	if r.Role == "" {
		// Long-lived keys of the host are not a session, and never leave.
		return r, errors.New("there is no role to make a session of, and the daemon's own source credentials are never handed out")
	}
	suffix := "-" + p.name()
	r.SessionName = r.SessionName[:min(len(r.SessionName), 64-len(suffix))] + suffix
	if what := t.peer.SourceIdentity; what != "" {
		value, err := p.fact(what)
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
		for key, what := range t.peer.Tags {
			value, err := p.fact(what)
			if err != nil {
				return r, err
			}
			r.Tags[key] = value
		}
	}
	return r, nil
}
