package quota

import (
	"errors"
	"math/rand/v2"
	"testing"
)

// takeAll takes until it is refused, and returns how often it was not.
func takeAll(t *testing.T, l *Ledger, p Party, r Resource) (out []*Charge) {
	t.Helper()
	for {
		c, err := l.Take(p, r)
		var exceeded *ExceededError
		if errors.As(err, &exceeded) {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
}

func TestEveryUserOfTheRulesHasItsPartWhateverTheOthersTake(t *testing.T) {
	l := NewLedger()
	l.SetTotal(Uploads, 192)
	l.SetParties(8)
	first := takeAll(t, l, Party{UID: 1}, Uploads)
	if n := len(first); n < 100 || n > 144 {
		t.Errorf("the first user has %d of 192, want most and at most 144", n)
	}
	for uid := uint32(2); uid < 9; uid++ {
		if got := len(takeAll(t, l, Party{UID: uid}, Uploads)); got < 192/4/9 {
			t.Errorf("user %d has %d, want at least its part of the quarter, %d", uid, got, 192/4/9)
		}
	}
	if got := len(takeAll(t, l, Party{UID: 0}, Uploads)); got < 192/4/9 {
		t.Errorf("the administrator has %d", got)
	}
	for _, c := range first {
		c.Release()
		c.Release() // counts once
	}
	if got := len(takeAll(t, l, Party{UID: 11}, Uploads)); got < 70 {
		t.Errorf("after the release the next user has %d, want most of the freed ones", got)
	}
}

func TestASoleUserMayHoldAllUploadSlotsButNotAllConnections(t *testing.T) {
	l := NewLedger()
	l.SetTotal(Uploads, 16)
	l.SetTotal(Connections, 16)
	l.SetParties(1)
	if got := len(takeAll(t, l, Party{UID: 1}, Uploads)); got != 16 {
		t.Errorf("got %d slots, want 16", got)
	}
	if got := len(takeAll(t, l, Party{UID: 1}, Connections)); got < 8 || got > 14 {
		t.Errorf("got %d connections, want most and not all of 16: an administrator must be able to connect", got)
	}
}

func TestManyUserIDsOfOneGroupAreOneShare(t *testing.T) {
	l := NewLedger()
	l.SetTotal(Connections, 192)
	l.SetParties(2)
	held := 0
	for uid := range uint32(300) { // a range of /etc/subuid
		held += len(takeAll(t, l, Party{UID: 100000 + uid, Group: 51}, Connections))
	}
	if held > 144 {
		t.Errorf("300 user ids of one group hold %d of 192, want at most 144", held)
	}
	if got := len(takeAll(t, l, Party{UID: 7}, Connections)); got == 0 {
		t.Error("another user found nothing free")
	}
}

func TestOneUserOfAGroupLeavesRoomForTheOthers(t *testing.T) {
	l := NewLedger()
	l.SetTotal(Calls, 192)
	l.SetParties(3)
	takeAll(t, l, Party{UID: 1, Group: 51}, Calls)
	if got := len(takeAll(t, l, Party{UID: 2, Group: 51}, Calls)); got == 0 {
		t.Error("the second user of the group found nothing free")
	}
	takeAll(t, l, Party{UID: 1, Pod: "a"}, Calls)
	if got := len(takeAll(t, l, Party{UID: 1, Pod: "b"}, Calls)); got == 0 {
		t.Error("the same user id in another pod found nothing free")
	}
}

// TestTheLedgerAgreesWithAModel takes and releases in a random order, and compares the
// ledger with a count.
func TestTheLedgerAgreesWithAModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	l := NewLedger()
	l.SetTotal(Uploads, 40)
	l.SetParties(4)
	parties := []Party{{UID: 1}, {UID: 2}, {UID: 3, Group: 9}, {UID: 4, Group: 9}, {UID: 1, Pod: "p"}, {UID: 5, Pod: "p"}}
	var held []*Charge
	byShare := map[share]int64{}
	for range 20000 {
		if len(held) > 0 && random.IntN(2) == 0 {
			i := random.IntN(len(held))
			byShare[held[i].p.share()]--
			held[i].Release()
			held = append(held[:i], held[i+1:]...)
			continue
		}
		p := parties[random.IntN(len(parties))]
		free := 40 - int64(len(held))
		c, err := l.Take(p, Uploads)
		if err == nil {
			held = append(held, c)
			byShare[p.share()]++
			if n := byShare[p.share()]; free < 1 || n > 30 {
				t.Fatalf("%s has %d with %d free before", p, n, free)
			}
		} else if byShare[p.share()] < 40/4/5 {
			t.Fatalf("%s has %d, %d are free, and it was refused: %v", p, byShare[p.share()], free, err)
		}
	}
	for _, c := range held {
		c.Release()
	}
	if u := l.Usage()[Uploads]; u.Used != 0 || u.Largest != 0 || len(l.shares) != 0 {
		t.Errorf("after the release of all: %+v, %d shares", u, len(l.shares))
	}
}
