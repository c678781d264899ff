//go:build !linux

package console

import "syscall"

// ChildAttributes puts a child process into a group of its own.
func ChildAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
