package quota

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestABalanceComesBackWithTimeAndWithWhatIsEarned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := NewBalances(10, 2)
		b := all.Of(Party{UID: 1, Group: 7})
		if !b.Spend(10) || b.Spend(1) {
			t.Fatal("want ten, and no more")
		}
		if all.Of(Party{UID: 2, Group: 7}).Spend(1) {
			t.Error("another user of the group has a balance of its own")
		}
		if !all.Of(Party{UID: 2}).Spend(10) {
			t.Error("another user has none")
		}
		b.Earn(3)
		if !b.Spend(3) || b.Spend(1) {
			t.Error("want the three that were earned")
		}
		time.Sleep(time.Second)
		if !b.Spend(2) || b.Spend(1) {
			t.Error("want the gain of a second, two")
		}
		b.Earn(100)
		if b.Spend(11) || !b.Spend(10) {
			t.Error("want the largest balance, ten")
		}
	})
}
