package broker

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/config"
)

func through(name string, hops ...string) *config.Destination {
	d := elsewhere(name, name)
	for _, h := range hops {
		d.Chain = append(d.Chain, config.Hop{Role: roleOf(h), Duration: config.Duration(time.Hour)})
	}
	return d
}

func (p *perRole) callsOf(role string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.calls {
		if r.Role == roleOf(role) {
			n++
		}
	}
	return n
}

func TestManyChildrenCauseOneCallForTheirParent(t *testing.T) {
	sts := &perRole{roles: map[string]answer{roleOf("hub"): {life: time.Hour, takes: time.Second}}}
	var dests []*config.Destination
	for i := range 12 {
		name := fmt.Sprint("leaf", i)
		dests = append(dests, through(name, "hub"))
		sts.roles[roleOf(name)] = answer{life: time.Hour}
	}
	runningWith(t, sts, func(t *testing.T, b *Broker) {
		time.Sleep(20 * time.Second)
		for _, d := range dests {
			if _, err := b.Session(t.Context(), d.Name); err != nil {
				t.Error(err)
			}
		}
		if n := sts.callsOf("hub"); n != 1 {
			t.Errorf("%d calls for the role that twelve share", n)
		}
		sts.mu.Lock()
		defer sts.mu.Unlock()
		for i, r := range sts.calls {
			if (r.Role == roleOf("hub")) != (sts.vias[i] == nil) {
				t.Errorf("%s was assumed with %v", r.Role, sts.vias[i])
			}
		}
	}, dests...)
}

func TestParentWithLessThanFiveMinutesIsRefreshedFirst(t *testing.T) {
	sts := &perRole{roles: map[string]answer{roleOf("hub"): {life: time.Hour}, roleOf("leaf"): {life: time.Hour}}}
	runningWith(t, sts, func(t *testing.T, b *Broker) {
		parent := b.set.Load().targets["leaf"].entry.parent
		old := parent.cur.Load()
		dying := *old
		dying.Expires = time.Now().Add(parentLife - time.Second)
		parent.cur.Store(&dying)
		if _, err := b.Refresh(t.Context(), "leaf"); err != nil {
			t.Fatal(err)
		}
		sts.mu.Lock()
		defer sts.mu.Unlock()
		if via := sts.vias[len(sts.vias)-1]; via.AccessKeyID == old.AccessKeyID {
			t.Error("the session was made of one with less than five minutes left")
		}
	}, through("leaf", "hub"))
}

func TestFailureOfAParentNamesItsRole(t *testing.T) {
	sts := &perRole{roles: map[string]answer{roleOf("hub"): {err: apiError{"AccessDenied"}}, roleOf("leaf"): {life: time.Hour}}}
	runningWith(t, sts, func(t *testing.T, b *Broker) {
		_, err := b.Session(t.Context(), "leaf")
		if err == nil || !strings.Contains(err.Error(), "role/hub") || ReasonOf(err) != "SESSION_DENIED" {
			t.Errorf("got %v", err)
		}
	}, through("leaf", "hub"))
}

func TestRejectedParentIsReplacedOnce(t *testing.T) {
	sts := &perRole{roles: map[string]answer{roleOf("hub"): {life: time.Hour}, roleOf("leaf"): {err: apiError{"ExpiredToken"}}}}
	runningWith(t, sts, func(t *testing.T, b *Broker) {
		time.Sleep(500 * time.Millisecond)
		if hub, leaf := sts.callsOf("hub"), sts.callsOf("leaf"); hub != 2 || leaf != 2 {
			t.Errorf("%d calls for the parent, %d for the child; want two of each", hub, leaf)
		}
		if sts.forgot != 0 {
			t.Error("the source was dropped, though the parent's session was refused")
		}
	}, through("leaf", "hub"))
}

func TestReloadKeepsTheParentOfAKeptSession(t *testing.T) {
	sts := &perRole{
		roles: map[string]answer{roleOf("hub"): {life: time.Hour}, roleOf("leaf"): {life: time.Hour}, roleOf("twig"): {life: time.Hour}},
	}
	runningWith(t, sts, func(t *testing.T, b *Broker) {
		time.Sleep(time.Second)
		reload(t, b, through("leaf", "hub"), through("twig", "hub"))
		time.Sleep(time.Second)
		if n := sts.callsOf("hub"); n != 1 {
			t.Errorf("%d calls for the shared parent", n)
		}
		reload(t, b, elsewhere("leaf", "leaf"))
		time.Sleep(3 * time.Hour)
		if n := sts.callsOf("hub"); n != 1 {
			t.Errorf("an unused parent is still refreshed: %d calls", n)
		}
	}, through("leaf", "hub"))
}
