package quota

import "fmt"

// Party is the user that a resource is charged to. It is comparable.
type Party struct {
	UID uint32
	// Pod is the UID of the Kubernetes pod; empty: none, or not known.
	Pod string
	// Group is one more than the group id of the rule that lets the user in, where no
	// rule names the user itself; 0: a rule names the user.
	Group uint64
}

// Unidentified returns the party of all callers whose user is not known, such as those of
// a TCP port who show no token.
func Unidentified() Party { return Party{UID: unidentified} }

// unidentified is no user: the kernel has it for "none".
const unidentified = 1<<32 - 1

// share is the part of a Party that competes with others: a user, a pod or a group.
type share struct {
	uid   uint32
	pod   string
	group uint64
}

func (p Party) share() share {
	switch {
	case p.Pod != "":
		return share{pod: p.Pod}
	case p.Group != 0:
		return share{group: p.Group}
	}
	return share{uid: p.UID}
}

// alone reports whether a share holds one user only.
func (s share) alone() bool { return s.pod == "" && s.group == 0 }

// String names the share for people: "uid 1001", "group 50" or "pod 0123…".
func (p Party) String() string {
	switch {
	case p.Pod != "":
		return "pod " + p.Pod
	case p.Group != 0:
		return fmt.Sprintf("group %d", p.Group-1)
	case p.UID == unidentified:
		return "callers that are not identified"
	}
	return fmt.Sprintf("uid %d", p.UID)
}
