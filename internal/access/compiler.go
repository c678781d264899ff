package access

import (
	"fmt"
	"github.com/brokerd/brokerd/internal/config"
)

// Compiler makes the Policy of a configuration. Every part that decides by access
// rules compiles them itself, so that its rules and its configuration always agree.
type Compiler struct {
	Host
	Resolver Resolver
}

// SystemCompiler compiles with the users and groups of this machine, for the
// user that this process runs as.
func SystemCompiler() Compiler {
	return Compiler{Host: SystemHost(), Resolver: SystemResolver()}
}

// Compile resolves the names in the access rules of c. A name that does not exist
// is an error.
func (m Compiler) Compile(c *config.Config) (*Policy, error) {
	return New(c, m.Host, m.Resolver)
}

// TokenPeers returns the peer of each token in vend.tokens, in their order.
func (m Compiler) TokenPeers(c *config.Config) ([]Peer, error) {
	out := make([]Peer, len(c.Vend.Tokens))
	for i, t := range c.Vend.Tokens {
		var err error
		if out[i], err = PeerOf(t.Peer, m.Resolver); err != nil {
			return nil, fmt.Errorf("vend.tokens[%d].peer: %w", i, err)
		}
	}
	return out, nil
}
