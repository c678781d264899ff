//go:build linux

package hostile

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/brokerd/brokerd/client"
)

// Attack is one try to get more than the rules give.
type Attack struct {
	Area, Name string
	As         Actor
	// Try attacks, as a process of As, and returns the outcome.
	Try func(ctx context.Context, t *Target) Outcome
	// Config changes the text of the configuration file. The attack has a daemon of its
	// own then. Nil: the attacks of an area share a daemon.
	Config func(text string) string
	// Daemon changes how the daemon's process starts. Like Config, it asks for a daemon of
	// its own.
	Daemon func(attr *syscall.SysProcAttr)
	// Environment is added to the daemon's. It asks for a daemon of its own as well.
	Environment []string
	// Prepare runs as root before Try, and Check after it, while the daemon still runs.
	// Check returns a sentence when it finds that the attack got in. Both may be nil.
	Prepare func(t *testing.T, a *arena)
	Check   func(t *testing.T, a *arena) string
	// Slow attacks run with BROKERD_HOSTILE=all only.
	Slow bool
}

// alone reports whether the attack needs a daemon of its own.
func (a Attack) alone() bool { return a.Config != nil || a.Daemon != nil || a.Environment != nil }

// Actor is the user that attacks.
type Actor struct {
	Name     string
	UID, GID uint32
	Groups   []uint32
	// Namespaces are CLONE_NEW* flags of new namespaces.
	Namespaces uintptr
	// MapFrom is the user outside that uid 0 of a new user namespace is. MapSize users
	// from there are mapped; 0 stands for 1.
	MapFrom, MapSize int
}

// Fixed numbers that no real user of a build machine has.
const (
	daemonUID  = 64100
	aliceUID   = 64101
	bobUID     = 64102
	malloryUID = 64103
	eveUID     = 64104
	connectGID = 64110 // the group of the socket
	loggersGID = 64111 // a group that a rule names
	manyUIDs   = 64200 // the first of a range of bob's (as in /etc/subuid)
)

var (
	alice   = Actor{Name: "alice", UID: aliceUID, GID: aliceUID, Groups: []uint32{connectGID}}
	bob     = Actor{Name: "bob", UID: bobUID, GID: bobUID, Groups: []uint32{connectGID}}
	mallory = Actor{Name: "mallory", UID: malloryUID, GID: malloryUID, Groups: []uint32{connectGID}}
	eve     = Actor{Name: "eve", UID: eveUID, GID: eveUID}
)

// in returns the actor in new namespaces.
func (a Actor) in(name string, namespaces uintptr) Actor {
	a.Name += " " + name
	a.Namespaces = namespaces
	return a
}

// attributes are those of the actor's process.
func (a Actor) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: a.UID, Gid: a.GID, Groups: a.Groups},
		Cloneflags: a.Namespaces,
		Pdeathsig:  syscall.SIGKILL,
	}
	if a.Namespaces&syscall.CLONE_NEWUSER != 0 {
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: a.MapFrom, Size: max(a.MapSize, 1)}}
		attr.GidMappings = []syscall.SysProcIDMap{
			{ContainerID: 0, HostID: a.MapFrom, Size: max(a.MapSize, 1)},
			{ContainerID: connectGID, HostID: connectGID, Size: 1},
		}
		attr.GidMappingsEnableSetgroups = true
	}
	return attr
}

// Outcome is the result of an attack.
type Outcome struct {
	Happened string `json:"happened"`
	GotIn    bool   `json:"got_in"`
	// Skipped is the reason why the attack could not be tried here; empty when it was.
	Skipped string `json:"skipped,omitempty"`
}

func held(format string, args ...any) Outcome { return Outcome{Happened: fmt.Sprintf(format, args...)} }
func gotIn(format string, args ...any) Outcome {
	return Outcome{Happened: fmt.Sprintf(format, args...), GotIn: true}
}
func skipped(format string, args ...any) Outcome {
	return Outcome{Skipped: fmt.Sprintf(format, args...)}
}

// refused judges the answer to a call that the attacker has no right to: held when it is a
// refusal with one of the codes (PermissionDenied when none is given).
func refused(err error, want ...codes.Code) Outcome {
	if len(want) == 0 {
		want = []codes.Code{codes.PermissionDenied}
	}
	got := codeOf(err)
	for _, w := range want {
		if got == w {
			return held("%s", short(err))
		}
	}
	if err == nil {
		return gotIn("the call was answered")
	}
	return gotIn("want %v, got %s", want, short(err))
}

// codeOf is the gRPC code of an error, also of one that the client translated.
func codeOf(err error) codes.Code {
	var e *client.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return status.Code(err)
}

// short is the beginning of an error's text.
func short(err error) string {
	text := fmt.Sprintf("%v: %s", codeOf(err), status.Convert(err).Message())
	if len(text) > 110 {
		text = text[:110] + "…"
	}
	return text
}
