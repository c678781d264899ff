package s3client

import (
	"context"
	"net"
)

// Leading returns a transport whose connections all go to a test's own servers: to
// plain for port 80, and to secure, without a check of its certificate, for the others.
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
