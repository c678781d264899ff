package unixsock

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestPeerHasItsGroupsAndNamespaces(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = accepted.Close() }()
	p, err := Peer(accepted)
	if err != nil {
		t.Fatal(err)
	}
	if p.UID != uint32(os.Geteuid()) || p.GID != uint32(os.Getegid()) || !p.SameNamespaces {
		t.Errorf("got %+v for a connection of this process", p)
	}
	own, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range own {
		if !slices.Contains(p.Groups, uint32(g)) {
			t.Errorf("the groups %v lack %d", p.Groups, g)
		}
	}
	if len(p.Groups) != len(own) {
		t.Errorf("got the groups %v, want %v", p.Groups, own)
	}
}

func TestOnlyPID(t *testing.T) {
	for name, c := range map[string]struct{ info, want string }{
		"the same namespace":       {"pos:\t0\nflags:\t02000002\nPid:\t42\nNSpid:\t42\n", "42"},
		"a nested namespace":       {"Pid:\t42\nNSpid:\t42\t1\n", ""},
		"an ended process":         {"Pid:\t-1\nNSpid:\t-1\n", ""},
		"outside of the namespace": {"Pid:\t0\nNSpid:\t0\n", ""},
		"a kernel without it":      {"Pid:\t42\n", ""},
		"nothing":                  {"", ""},
	} {
		if got := onlyPID(c.info); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
