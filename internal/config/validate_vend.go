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
			v.fail(
				"vend.address",
				fmt.Sprintf("%q is not an address", w.Address),
				"write IP:port, such as 127.0.0.1:9465; a name could resolve to another host",
			)
		case !ip.IsLoopback():
			v.fail(
				"vend.address",
				fmt.Sprintf("%s can be reached from other hosts", host),
				"use 127.0.0.1 or [::1]: credentials are sent over plain http, and SDKs accept that from loopback only",
			)
		}
		if len(w.Tokens) == 0 {
			v.fail(
				"vend.tokens",
				"vend.address needs a token",
				"name a file and its peer: tokens: [{file: /etc/brokerd/tokens/app, peer: {uid: app}, destinations: [name]}]",
			)
		}
	} else if len(w.Tokens) > 0 {
		v.fail("vend.tokens", "tokens are for vend.address, which is not set",
			"set vend.address; on vend.socket the kernel identifies the caller")
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
		v.fail(path+".peer.uid", "the token has no peer", "write peer: {uid: app}")
	}
	v.peer(path, t.Peer)
	if len(t.Destinations) == 0 {
		v.fail(
			path+".destinations",
			"the token is valid for no destination",
			"write destinations: [name], or [\"*\"] for all that the access rules give this peer",
		)
	}
	v.destinationsOf(path, t.Destinations, names)
}
