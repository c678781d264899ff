package cli

import "syscall"

// endWithParent makes the kernel send SIGTERM to the command when the thread that started
// it ends. With brokerctl, the command's credentials endpoint is gone.
func endWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
