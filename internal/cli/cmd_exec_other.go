//go:build !linux

package cli

import "syscall"

// endWithParent returns nil: only Linux can end a command with its parent.
func endWithParent() *syscall.SysProcAttr { return nil }
