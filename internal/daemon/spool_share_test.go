package daemon

import (
	"testing"

	"github.com/brokerd/brokerd/internal/config"
)

// No user fills a spool that several may use, unless the configuration says so.
func TestAUsersShareOfTheSpool(t *testing.T) {
	rule := func(p config.Peer, allow ...config.Permission) config.Rule { return config.Rule{Peer: p, Allow: allow} }
	for name, tc := range map[string]struct {
		set   config.Size
		rules []config.Rule
		want  int64
	}{
		"one user": {
			0, []config.Rule{rule(config.Peer{UID: "1"}, config.PermUpload), rule(config.Peer{UID: "2"}, config.PermVerify)}, 1000,
		},
		"one user, twice": {
			0, []config.Rule{rule(config.Peer{UID: "1"}, config.PermUpload), rule(config.Peer{UID: "1"}, config.PermUpload)}, 1000,
		},
		"two users": {
			0, []config.Rule{rule(config.Peer{UID: "1"}, config.PermUpload), rule(config.Peer{UID: "2"}, config.PermUpload)}, 500,
		},
		"a group":           {0, []config.Rule{rule(config.Peer{GID: "1"}, config.PermUpload)}, 500},
		"set in the file":   {900, []config.Rule{rule(config.Peer{GID: "1"}, config.PermUpload)}, 900},
		"nobody may upload": {0, nil, 1000},
	} {
		c := &config.Config{Access: tc.rules}
		c.Spool.Max, c.Spool.MaxPerUID = 1000, tc.set
		if got := mostOfAUser(c); got != tc.want {
			t.Errorf("%s: got %d, want %d", name, got, tc.want)
		}
	}
}
