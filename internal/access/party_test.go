package access

import (
	"testing"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/quota"
)

func TestAPeerIsChargedToItsRule(t *testing.T) {
	upload := []config.Permission{config.PermUpload}
	p, err := New(&config.Config{Access: []config.Rule{
		{Line: 1, Peer: config.Peer{GID: "50"}, Destinations: []string{"*"}, Allow: upload},
		{Line: 2, Peer: config.Peer{UID: "7"}, Destinations: []string{"a"}, Allow: upload},
		{Line: 3, Peer: config.Peer{UID: "7", GID: "50"}, Destinations: []string{"b"}, Allow: upload},
		{Line: 4, Peer: config.Peer{UID: "8"}, Destinations: []string{"b"}, Allow: upload},
	}}, Host{DaemonUID: 4242}, Resolver{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		peer Peer
		want quota.Party
	}{
		"a rule for the user":             {Peer{UID: 8, GID: 1}, quota.Party{UID: 8}},
		"rules for the user and a group":  {Peer{UID: 7, GID: 50}, quota.Party{UID: 7}},
		"a rule for the group alone":      {Peer{UID: 100001, GID: 50}, quota.Party{UID: 100001, Group: 51}},
		"a pod":                           {Peer{UID: 8, GID: 1, Pod: "x"}, quota.Party{UID: 8, Pod: "x"}},
		"an administrator without a rule": {Peer{UID: 0}, quota.Party{UID: 0}},
	} {
		if got := p.Party(c.peer); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
	if got := p.Parties(); got != 4 {
		t.Errorf("got %d parties, want 2 users and a group, which counts as 2", got)
	}
}
