//go:build !linux

package s3client

import "syscall"

// sendQueue returns 0: the length of the send queue is not known here.
func sendQueue(syscall.RawConn) int64 { return 0 }
