package config

import (
	"fmt"
	"net"
	"slices"
	"strconv"
)

// vend refuses half an endpoint: an address without a token, and tokens without
// an address.
func (v *validator) vend(c *Config, names []string) {
	w := c.Vend
	if w.Address != "" {
		host, port, err := net.SplitHostPort(w.Address)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		ip := net.ParseIP(host)
		switch {
		case err != nil || ip == nil:
			v.fail("vend.address", fmt.Sprintf("%q is not an address", w.Address), "write IP:port, such as 127.0.0.1:9465; a name could be made to mean another machine")
		case !ip.IsLoopback():
			v.fail("vend.address", fmt.Sprintf("%s can be reached from other machines", host), "use 127.0.0.1 or [::1]: credentials travel in clear, and SDKs take them over plain http from loopback only")
		}
		if len(w.Tokens) == 0 {
			v.fail("vend.tokens", "nobody has a token for vend.address", "name a file and whose it is: tokens: [{file: /etc/brokerd/tokens/app, peer: {uid: app}, destinations: [name]}]")
		}
	} else if len(w.Tokens) > 0 {
		v.fail("vend.tokens", "tokens are for vend.address, which is not set", "set vend.address; on vend.socket the kernel says who asks")
	}
	if w.Socket != "" {
		v.socketPath("vend.socket", w.Socket)
		if w.Socket == c.Socket.Path {
			v.fail("vend.socket", "the API listens on this socket already", "give the endpoint another name, such as /run/brokerd/credentials.sock")
		}
	}
	for i, t := range w.Tokens {
		v.token(fmt.Sprintf("vend.tokens[%d]", i), t, w.Tokens[:i], names)
	}
}

func (v *validator) token(path string, t Token, before []Token, names []string) {
	if v.faulty[path] {
		return
	}
	if t.File == "" {
		v.fail(path+".file", "the file is missing", "write the absolute path of the file with the token")
	}
	v.file(path+".file", t.File)
	if t.File != "" && slices.ContainsFunc(before, func(b Token) bool { return b.File == t.File }) {
		v.fail(path+".file", "another entry has the same file", "a token stands for one peer: merge the entries, or make a second token")
	}
	if t.Peer.UID == "" && !v.faulty[path+".peer"] && !v.faulty[path+".peer.uid"] {
		v.fail(path+".peer.uid", "the token is nobody's", "write whose it is: peer: {uid: app}")
	}
	v.peer(path, t.Peer)
	if len(t.Destinations) == 0 {
		v.fail(path+".destinations", "the token is good for no destination", "write destinations: [name], or [\"*\"] for all that the access rules give this peer")
	}
	v.destinationsOf(path, t.Destinations, names)
}
