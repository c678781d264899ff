package vend

import (
	"net"
	"testing"
)

// The connection that costs its owner least goes first; a busy one never goes.
func TestWhichConnectionGoes(t *testing.T) {
	c := newConns(3)
	made := func() net.Conn { a, _ := net.Pipe(); return a }
	first, second, third, fourth := made(), made(), made(), made()
	for _, conn := range []net.Conn{first, second, third} {
		if gone := c.admit(conn).Conn; gone != nil {
			t.Fatal("one went although there was room")
		}
	}
	c.set(first, busy)
	c.set(second, busy)
	c.set(second, idle)
	if gone := c.admit(fourth).Conn; gone != third {
		t.Error("the silent one stayed")
	}
	c.set(fourth, busy)
	if gone := c.admit(third).Conn; gone != second {
		t.Error("the idle one stayed")
	}
	c.set(third, busy)
	if gone := c.admit(second).Conn; gone != second {
		t.Error("a busy one went")
	}
}
