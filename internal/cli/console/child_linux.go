package console

import "syscall"

// ChildAttributes make the kernel kill the daemon when brokerctl is killed, and put the
// daemon into its own process group, so that Ctrl-C reaches brokerctl only.
func ChildAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
