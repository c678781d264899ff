package uploader

import (
	"fmt"

	"github.com/brokerd/brokerd/internal/config"
)

// Prepare makes the clients of another configuration's destinations. Deliveries
// in flight end as they began, also after Commit.
func (u *Uploader) Prepare(c *config.Config) (config.Change, error) {
	u.reloading.Lock()
	defer u.reloading.Unlock()
	next := make(map[string]*destination, len(c.Destinations))
	for name, d := range c.Destinations {
		to, err := u.newDestination(c, d)
		if err != nil {
			return nil, fmt.Errorf("destination %q: %w", name, err)
		}
		next[name] = to
	}
	return &change{u, next}, nil
}

// change is a prepared reload of the uploader.
type change struct {
	u            *Uploader
	destinations map[string]*destination
}

// Commit implements config.Change.
func (c *change) Commit() { c.u.destinations.Store(&c.destinations) }

// Discard implements config.Change. A transport that Prepare made has opened no
// connection, and stays for the next reload.
func (*change) Discard() {}
