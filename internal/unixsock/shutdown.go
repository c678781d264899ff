package unixsock

import (
	"errors"
	"net"
)

// shutdown ends both directions of a connection.
func shutdown(conn *net.UnixConn) error { return errors.Join(conn.CloseWrite(), conn.CloseRead()) }
