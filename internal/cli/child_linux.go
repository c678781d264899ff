package cli

import "syscall"

// childAttributes see to it that the daemon does not outlive a killed
// brokerctl, and that a Ctrl-C reaches it through brokerctl only.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
