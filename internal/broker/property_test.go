package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/config"
)

// Random operations run in parallel while STS fails in random ways. In every case: no
// expired session is served, one call is in flight for a key, the cache keeps its size,
// every waiter returns, and once STS works again, every destination does.
func TestRandomOperationsKeepTheInvariants(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { randomly(t, seed) }) })
	}
}

func randomly(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 99))
	var all []*config.Destination
	for i := range 6 {
		d := through(fmt.Sprint("d", i), []string{"hub", "", "spoke"}[i%3])
		if i%3 == 1 {
			d.Chain = nil
		}
		all = append(all, d)
	}
	lives := []time.Duration{15 * time.Minute, 20 * time.Minute, time.Hour}
	choices := []answer{{takes: time.Second}, {takes: 20 * time.Second}, {err: errors.New("reset")}, {err: apiError{"AccessDenied"}},
		{err: apiError{"Throttling"}}, {empty: true}, {panic: true}, {}, {}, {}, {}}
	sts := &perRole{roles: map[string]answer{}}
	weather := func(pick func() answer) {
		sts.held.Lock()
		defer sts.held.Unlock()
		for _, role := range []string{"hub", "spoke", "d0", "d1", "d2", "d3", "d4", "d5"} {
			a := pick()
			if a.life == 0 {
				a.life = lives[rng.IntN(len(lives))]
			}
			sts.roles[roleOf(role)] = a
		}
	}
	weather(func() answer { return answer{} })
	b, err := newBroker(Options{Config: configured(all...), Rand: rand.New(rand.NewPCG(seed, 1))}, sts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()

	var waiters sync.WaitGroup
	check := func(s *Session, err error) {
		if (s == nil) == (err == nil) {
			t.Errorf("a session %v and an error %v", s, err)
		}
		if s != nil && !s.Expires.After(time.Now()) {
			t.Errorf("served a session that ended %s ago", time.Since(s.Expires))
		}
	}
	for range 400 {
		name, uid := fmt.Sprint("d", rng.IntN(7)), uint32(rng.IntN(300))
		patience := time.Duration(rng.IntN(40)) * time.Second
		switch rng.IntN(9) {
		case 0, 1, 2:
			waiters.Go(func() {
				c, cancel := context.WithTimeout(ctx, patience)
				defer cancel()
				s, err := b.Session(c, name)
				check(s, err)
			})
		case 3, 4:
			waiters.Go(func() { check(b.Vend(ctx, name, Peer{UID: uid})) })
		case 5:
			waiters.Go(func() { _, _ = b.Refresh(ctx, name) })
		case 6:
			if t := b.set.Load().targets[name]; t != nil {
				if cur := t.entry.cur.Load(); cur != nil {
					b.Invalidate(name, cur.AccessKeyID)
				}
			}
		case 7:
			weather(func() answer { return choices[rng.IntN(len(choices))] })
		case 8:
			kept := all[:1+rng.IntN(len(all))]
			reload(t, b, kept...)
		}
		if b.variants.Len() > variantCache {
			t.Fatalf("%d variants", b.variants.Len())
		}
		if rng.IntN(3) == 0 {
			time.Sleep(time.Duration(rng.ExpFloat64() * float64(2*time.Minute)))
		}
	}
	waiters.Wait() // synctest reports a deadlock when a waiter is lost
	weather(func() answer { return answer{} })
	reload(t, b, all...)
	time.Sleep(4 * time.Minute)
	for _, d := range all {
		s, err := b.Session(ctx, d.Name)
		check(s, err)
		if err != nil {
			t.Errorf("STS is well, %s is not: %v", d.Name, err)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if sts.worst > 1 {
		t.Errorf("%d calls at a time for one key", sts.worst)
	}
}
