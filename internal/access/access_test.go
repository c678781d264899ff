package access

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/brokerd/brokerd/internal/config"
)

var errNoSuchName = errors.New("no such name")

func resolver() Resolver {
	ids := map[string]uint32{"app": 1000, "ops": 1001, "loggers": 50}
	lookup := func(name string) (uint32, error) {
		if id, ok := ids[name]; ok {
			return id, nil
		}
		return 0, errNoSuchName
	}
	name := func(id uint32) string {
		for n, i := range ids {
			if i == id {
				return n
			}
		}
		return ""
	}
	return Resolver{LookupUser: lookup, LookupGroup: lookup, UserName: name, GroupName: name}
}

func policy(t *testing.T) *Policy {
	t.Helper()
	c, err := config.Parse("f", []byte(strings.ReplaceAll(`destinations:
  logs: {compatible: true, bucket: aaa, region: r, key: "logs/{id}"}
  dumps: {compatible: true, bucket: aaa, region: r, key: "dumps/{id}"}
access:
  - {peer: {uid: app}, destinations: [logs], allow: [upload, verify]}
  - {peer: {gid: loggers}, destinations: ["*"], allow: [upload]}
  - {peer: {uid: ops, gid: loggers}, destinations: [dumps], allow: [credentials]}
  - {peer: {uid: 2000}, allow: [admin]}
`, "\t", "")))
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(c, Host{DaemonUID: 990}, resolver())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDecide(t *testing.T) {
	p := policy(t)
	for name, c := range map[string]struct {
		peer        Peer
		perm        config.Permission
		destination string
		rule        int // 0: refused, -1: allowed without a rule
	}{
		"a user by name":                          {Peer{UID: 1000}, config.PermUpload, "logs", 5},
		"a right the rule does not give":          {Peer{UID: 1000}, config.PermCredentials, "logs", 0},
		"a destination the rule does not name":    {Peer{UID: 1000}, config.PermUpload, "dumps", 0},
		"a group by name, all destinations":       {Peer{UID: 7, GID: 50}, config.PermUpload, "dumps", 6},
		"both user and group match":               {Peer{UID: 1001, GID: 50}, config.PermCredentials, "dumps", 7},
		"the user matches, the group does not":    {Peer{UID: 1001, GID: 1}, config.PermCredentials, "dumps", 0},
		"the group matches, the user does not":    {Peer{UID: 7, GID: 50}, config.PermCredentials, "dumps", 0},
		"a stranger":                              {Peer{UID: 7, GID: 7}, config.PermUpload, "logs", 0},
		"a user id is not a group id":             {Peer{UID: 50, GID: 1000}, config.PermUpload, "logs", 0},
		"admin by rule":                           {Peer{UID: 2000}, config.PermAdmin, "", 8},
		"admin by rule does not upload":           {Peer{UID: 2000}, config.PermUpload, "logs", 0},
		"a supplementary group":                   {Peer{UID: 7, GID: 7, Groups: []uint32{9, 50}}, config.PermUpload, "dumps", 6},
		"user and supplementary group":            {Peer{UID: 1001, GID: 7, Groups: []uint32{50}}, config.PermCredentials, "dumps", 7},
		"another supplementary group":             {Peer{UID: 7, GID: 7, Groups: []uint32{49, 51}}, config.PermUpload, "dumps", 0},
		"root administers":                        {Peer{SameNamespaces: true}, config.PermAdmin, "", -1},
		"root of a container does not administer": {Peer{}, config.PermAdmin, "", 0},
		"the daemon's number in a container":      {Peer{UID: 990}, config.PermAdmin, "", 0},
		"admin by rule, from a container":         {Peer{UID: 2000}, config.PermAdmin, "", 8},
		"root does not upload without a rule":     {Peer{}, config.PermUpload, "logs", 0},
		"root does not verify without a rule":     {Peer{}, config.PermVerify, "logs", 0},
		"the daemon's user administers":           {Peer{UID: 990, SameNamespaces: true}, config.PermAdmin, "", -1},
		"the daemon's user gets no credentials":   {Peer{UID: 990}, config.PermCredentials, "logs", 0},
		"others do not administer":                {Peer{UID: 1000}, config.PermAdmin, "", 0},
		"a destination named * is no destination": {Peer{UID: 1000}, config.PermUpload, "*", 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := p.Decide(c.peer, c.perm, c.destination)
			if d.Allowed != (c.rule != 0) || (c.rule >= 0 && d.Rule != c.rule) {
				t.Errorf("got %+v", d)
			}
			if allows := p.Allows(c.peer, c.perm, c.destination); allows != (d.Rule != 0) {
				t.Errorf("without its reasons the answer is %v", allows)
			}
			if d.Reason == "" || (d.Suggestion == "") != d.Allowed {
				t.Errorf("reason or suggestion: %+v", d)
			}
			c.peer.PID = 4711
			if diff := cmp.Diff(d, p.Decide(c.peer, c.perm, c.destination)); diff != "" {
				t.Errorf("the pid changed the decision: %s", diff)
			}
		})
	}
}

func TestRefusalsExplainThemselves(t *testing.T) {
	p := policy(t)
	want := Decision{
		Reason: `no access rule allows uid=1000(app) gid=9 to have the credentials of "logs"; the rule in line 5 matches, ` +
			`but allows upload, verify only`,
		Suggestion: "- peer: {uid: \"app\"}\n  destinations: [\"logs\"]\n  allow: [credentials]\n",
	}
	if diff := cmp.Diff(want, p.Decide(Peer{UID: 1000, GID: 9}, config.PermCredentials, "logs")); diff != "" {
		t.Error(diff)
	}
}

// The suggestion is not only text: put into the file, it allows the call.
func TestSuggestionsWork(t *testing.T) {
	p := policy(t)
	for _, perm := range []config.Permission{config.PermUpload, config.PermVerify, config.PermCredentials, config.PermAdmin} {
		for _, peer := range []Peer{{UID: 3333, GID: 1}, {UID: 1001, GID: 2}} {
			d := p.Decide(peer, perm, "logs")
			in := "destinations:\n  logs: {compatible: true, bucket: aaa, region: r, key: \"logs/{id}\"}\naccess:\n" + d.Suggestion
			c, err := config.Parse("f", []byte(in))
			if err != nil {
				t.Fatalf("%v in\n%s", err, in)
			}
			fixed, err := New(c, Host{DaemonUID: 990}, resolver())
			if err != nil {
				t.Fatal(err)
			}
			if !fixed.Decide(peer, perm, "logs").Allowed {
				t.Errorf("%s for %v is still refused with\n%s", perm, peer, d.Suggestion)
			}
			if fixed.Decide(Peer{UID: 9}, perm, "logs").Allowed {
				t.Errorf("the suggestion lets strangers in:\n%s", d.Suggestion)
			}
		}
	}
}

func TestKnownAndDestinations(t *testing.T) {
	p, names := policy(t), []string{"dumps", "logs"}
	for name, c := range map[string]struct {
		peer  Peer
		known bool
		sees  []string
	}{
		"an application": {Peer{UID: 1000}, true, []string{"logs"}},
		"a group":        {Peer{UID: 7, GID: 50}, true, names},
		"an admin":       {Peer{UID: 2000}, true, names},
		"root":           {Peer{SameNamespaces: true}, true, names},
		"a container":    {Peer{}, false, nil},
		"a stranger":     {Peer{UID: 7, GID: 7}, false, nil},
	} {
		if got := p.Known(c.peer); got != c.known {
			t.Errorf("%s: known is %v", name, got)
		}
		if diff := cmp.Diff(c.sees, p.Destinations(c.peer, names)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestNewRefusesNamesThatDoNotExist(t *testing.T) {
	for _, peer := range []config.Peer{{UID: "nobody-here"}, {GID: "nobody-here"}} {
		_, err := New(&config.Config{Access: []config.Rule{{Peer: peer, Line: 12}}}, Host{}, resolver())
		if !errors.Is(err, errNoSuchName) || !strings.Contains(err.Error(), "line 12") {
			t.Errorf("got %v", err)
		}
	}
}

func TestARuleWithoutAPeerMatchesNobody(t *testing.T) {
	rules := []config.Rule{{Destinations: []string{"*"}, Allow: []config.Permission{config.PermUpload}}}
	p, err := New(&config.Config{Access: rules}, Host{}, resolver())
	if err != nil {
		t.Fatal(err)
	}
	if p.Decide(Peer{UID: 5}, config.PermUpload, "logs").Allowed {
		t.Error("allowed")
	}
}

func TestSystemResolverKnowsRoot(t *testing.T) {
	if _, err := os.Stat("/etc/passwd"); err != nil {
		t.Skip("no user database")
	}
	r := SystemResolver()
	uid, err := r.LookupUser("root")
	if err != nil || uid != 0 || r.UserName(0) != "root" || r.UserName(0) != "root" {
		t.Errorf("got %d, %v, %q", uid, err, r.UserName(0))
	}
	if _, err := r.LookupUser("no-such-user-here"); err == nil {
		t.Error("a user that does not exist was found")
	}
}

func TestOwnerIsAdminFollowsTheSettingAndTheContainer(t *testing.T) {
	yes, no := true, false
	root := Peer{SameNamespaces: true}
	for name, c := range map[string]struct {
		set       *bool
		container bool
		want      bool
	}{
		"on a host":                     {nil, false, true},
		"in a container":                {nil, true, false},
		"on a host, switched off":       {&no, false, false},
		"in a container, switched on":   {&yes, true, true},
		"in a container, set to its no": {&no, true, false},
	} {
		p, err := New(&config.Config{Socket: config.Socket{OwnerIsAdmin: c.set}}, Host{DaemonUID: 990, Container: c.container}, resolver())
		if err != nil {
			t.Fatal(err)
		}
		for _, peer := range []Peer{root, {UID: 990, SameNamespaces: true}} {
			if got := p.Decide(peer, config.PermAdmin, "").Allowed; got != c.want {
				t.Errorf("%s, uid %d: admin is %v, want %v", name, peer.UID, got, c.want)
			}
		}
		if p.Decide(Peer{UID: 990}, config.PermAdmin, "").Allowed {
			t.Errorf("%s: another namespace administers", name)
		}
	}
}

// The overflow number, and a number outside of the map, stand for strangers.
func TestAUserNamespaceHasNoRuleForStrangers(t *testing.T) {
	partial := Host{DaemonUID: 0, Users: IDMap{{0, 1}, {1000, 100}}, Groups: IDMap{{0, 1}}}
	rule := func(peer config.Peer) *config.Config {
		allow := []config.Permission{config.PermUpload}
		return &config.Config{Access: []config.Rule{{Peer: peer, Line: 3, Destinations: []string{"*"}, Allow: allow}}}
	}
	for _, c := range []struct {
		peer    config.Peer
		host    Host
		refused bool
	}{
		{config.Peer{UID: "65534"}, partial, true},
		{config.Peer{GID: "65534"}, partial, true},
		{config.Peer{UID: "2000"}, partial, true},
		{config.Peer{UID: "1050"}, partial, false},
		{config.Peer{UID: "65534"}, Host{}, false},
		{config.Peer{UID: "99"}, Host{Users: IDMap{{0, 100}}, OverflowUID: 99}, true},
	} {
		_, err := New(rule(c.peer), c.host, resolver())
		if (err != nil) != c.refused {
			t.Errorf("rule for %v: got %v, want a refusal: %v", c.peer, err, c.refused)
		}
	}
	p, err := New(rule(config.Peer{GID: "0"}), partial, resolver())
	if err != nil {
		t.Fatal(err)
	}
	if d := p.Decide(Peer{UID: 65534, GID: 0}, config.PermUpload, "logs"); d.Allowed || !strings.Contains(d.Reason, "user namespace") {
		t.Errorf("a stranger uploads by its group: %+v", d)
	}
	if !p.Decide(Peer{UID: 1001, GID: 0}, config.PermUpload, "logs").Allowed {
		t.Error("a mapped user is refused")
	}
}

func TestParseIDMap(t *testing.T) {
	for text, want := range map[string]IDMap{
		"         0          0 4294967295\n": nil,
		"0 1000 1\n":                         {{0, 1}},
		"0 1000 1\n1 100000 65535\n":         {{0, 1}, {1, 65535}},
		"":                                   {},
	} {
		got, err := ParseIDMap(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" || got.Whole() != (want == nil) {
			t.Errorf("%q: %s", text, diff)
		}
	}
	if _, err := ParseIDMap("0 x 1"); err == nil {
		t.Error("a map that is none was read")
	}
	m := IDMap{{10, 5}}
	for id, want := range map[uint32]bool{9: false, 10: true, 14: true, 15: false} {
		if m.Contains(id) != want {
			t.Errorf("Contains(%d) is %v", id, !want)
		}
	}
}

func TestContainersAreRecognisedByTheirMarks(t *testing.T) {
	if inContainer(func(string) string { return "" }) {
		t.Error("a host is taken for a container")
	}
	for _, name := range []string{"KUBERNETES_SERVICE_HOST", "container"} {
		if !inContainer(func(n string) string { return map[string]string{name: "x"}[n] }) {
			t.Errorf("%s is no mark", name)
		}
	}
}
