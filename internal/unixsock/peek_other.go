//go:build !linux

package unixsock

import (
	"errors"
	"net"
)

// startPeeking fails: files are handed over on Linux alone.
func startPeeking(*net.UnixConn) error { return errors.ErrUnsupported }

func peek(*net.UnixConn, []byte) (int, error) { return 0, errors.ErrUnsupported }
