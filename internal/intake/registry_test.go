package intake

import (
	"fmt"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/quota"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/uploader"
)

// run registers an upload under a key, and ends it.
func run(t *testing.T, u *UploadRegistry, uid uint32, key string, failure *reason.Error) record {
	t.Helper()
	r := record{uid: uid, party: quota.Party{UID: uid}, destination: "logs", name: "n", started: time.Now()}
	u.identify(&r, key, time.Now())
	c, err := u.claim(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	defer c.release()
	if c.earlier != nil {
		return *c.earlier
	}
	u.end(c.record, uploader.Stored{Key: "logs/" + r.id}, failure)
	return r
}

func TestKeysOfOneUserOutliveThoseOfAnother(t *testing.T) {
	u := newUploadRegistry()
	const alice, bob = 1, 2
	failed := reason.New(reason.Canceled, "the sender left")
	first := run(t, u, alice, "job-42", nil)
	broken := run(t, u, alice, "job-43", failed)
	for i := range Remembered + 100 {
		run(t, u, bob, fmt.Sprint("failed-", i), failed)
	}
	for i := range Remembered + 100 {
		run(t, u, bob, fmt.Sprint("stored-", i), nil)
	}
	if again := run(t, u, alice, "job-42", nil); again.id != first.id || again.stored.Key == "" {
		t.Errorf("the same key names upload %s, want %s, stored before", again.id, first.id)
	}
	// S3 may have stored an upload that failed here: the next try has the same id.
	if again := run(t, u, alice, "job-43", failed); again.id != broken.id {
		t.Errorf("after a failure the same key names upload %s, want %s", again.id, broken.id)
	}
	if r, ok := u.get(broken.id); !ok || r.failure == nil {
		t.Errorf("the failed upload: %+v, %t", r, ok)
	}
	if other := run(t, u, bob, "job-42", nil); other.id == first.id {
		t.Error("two users have one upload")
	}
}

func TestFailedUploadsMakeNoStoredOneForgotten(t *testing.T) {
	u := newUploadRegistry()
	stored := run(t, u, 1, "job-42", nil)
	for i := range Remembered + 100 {
		run(t, u, 1, fmt.Sprint("failed-", i), reason.New(reason.Canceled, "the sender left"))
	}
	if r, ok := u.get(stored.id); !ok || !r.ended || r.failure != nil {
		t.Errorf("the stored upload: %+v, %t", r, ok)
	}
	if again := run(t, u, 1, "job-42", nil); again.id != stored.id {
		t.Errorf("the same key names upload %s, want %s", again.id, stored.id)
	}
}

func TestAnUploadThatTheSpoolKeepsHasItsKey(t *testing.T) {
	u := newUploadRegistry()
	r := record{uid: 1, destination: "logs"}
	u.identify(&r, "job-42", time.Now())
	u.forget(r)
	if _, ok := u.get(r.id); ok {
		t.Error("the registry still has it")
	}
	again := record{uid: 1, destination: "logs"}
	u.identify(&again, "job-42", time.Now().Add(time.Hour))
	if again.id != r.id {
		t.Errorf("the same key names upload %s, want %s", again.id, r.id)
	}
}
