package s3client

import (
	"context"
	"net"
)

// Leading is a transport whose connections all lead to a test's own servers:
// plain for port 80, secure, unchecked, for any other.
func Leading(plain, secure string) *Transport {
	t := NewTransport(TransportOptions{})
	t.dial.tcp = leading{plain, secure}
	t.dial.tls.InsecureSkipVerify = true
	return t
}

type leading struct{ plain, secure string }

func (l leading) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	to := l.secure
	if _, port, _ := net.SplitHostPort(address); port == "80" {
		to = l.plain
	}
	var d net.Dialer
	return d.DialContext(ctx, network, to)
}
