package uploader

import (
	"fmt"

	"github.com/brokerd/brokerd/internal/config"
)

// Prepare makes the clients of another configuration's destinations. Deliveries
// under way end as they began, also after Commit.
func (u *Uploader) Prepare(c *config.Config) (config.Change, error) {
	u.reloading.Lock()
	defer u.reloading.Unlock()
	lanes := make(map[string]*lane, len(c.Destinations))
	for name, d := range c.Destinations {
		l, err := u.newLane(c, d)
		if err != nil {
			return nil, fmt.Errorf("destination %q: %w", name, err)
		}
		lanes[name] = l
	}
	return &change{u, lanes}, nil
}

// change is a prepared reload of the uploader.
type change struct {
	u     *Uploader
	lanes map[string]*lane
}

// Commit implements config.Change.
func (c *change) Commit() { c.u.lanes.Store(&c.lanes) }

// Discard implements config.Change. A transport that Prepare made has opened no
// connection, and stays for the next reload.
func (*change) Discard() {}
