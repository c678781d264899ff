//go:build !linux

package safefile

import "golang.org/x/sys/unix"

func renameNoReplace(int, string, int, string) error { return unix.ENOSYS }
