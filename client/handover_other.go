//go:build !linux

package client

import (
	"net"
	"os"
)

const canHandOver = false

func sendFile(*net.UnixConn, []byte, *os.File) error { return errNotTaken }
