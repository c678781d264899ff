package hostile

import (
	"context"
	"syscall"
)

// identityAttacks claim to be another user than the kernel says.
func identityAttacks() []Attack {
	var out []Attack
	add := func(as Actor, calls []call) {
		for _, c := range calls {
			out = append(out, Attack{Area: "identity", Name: as.Name + " " + c.name, As: as, Try: func(ctx context.Context, t *Target) Outcome {
				return refused(c.do(ctx, t))
			}})
		}
	}
	bobsRoot := Actor{Name: "bob", MapFrom: bobUID, Groups: []uint32{connectGID}}.in("as root of his user namespace", syscall.CLONE_NEWUSER)
	add(bobsRoot, adminCalls()[3:9])
	return out
}
