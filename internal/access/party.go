package access

import "github.com/brokerd/brokerd/internal/quota"

// Party returns the account that the resources of a peer are charged to. A peer that
// only rules for its group let in shares with that group.
func (p *Policy) Party(peer Peer) quota.Party {
	out := quota.Party{UID: peer.UID, Pod: peer.Pod}
	for _, r := range p.rules {
		switch {
		case !r.matches(peer, p.host):
		case r.uid != nil:
			out.Group = 0
			return out
		case out.Group == 0:
			out.Group = 1 + uint64(*r.gid)
		}
	}
	return out
}

// Parties returns how many users and groups the rules let in. A group counts as two, as
// it can have more members than one.
func (p *Policy) Parties() int {
	users, groups := map[uint32]bool{}, map[uint32]bool{}
	for _, r := range p.rules {
		switch {
		case len(r.allow) == 0:
		case r.uid != nil:
			users[*r.uid] = true
		case r.gid != nil:
			groups[*r.gid] = true
		}
	}
	return len(users) + 2*len(groups)
}
