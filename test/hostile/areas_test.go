//go:build linux

package hostile

import "slices"

// areas returns all attacks. An area is a function in a file of its own.
func areas() []Attack {
	return slices.Concat(
		apiAttacks(),
		identityAttacks(),
		socketAttacks(),
		nameAttacks(),
		processAttacks(),
		keyAttacks(),
		sharesAttacks(),
		fileAttacks(),
	)
}
