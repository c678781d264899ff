package trail_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/brokerd/brokerd/internal/sandbox/cloudtrail/trail"
)

func named(names ...string) []trail.Event {
	var out []trail.Event
	for i, n := range names {
		out = append(out, trail.Event{EventName: n, RecipientAccountID: "111122223333", EventTime: time.Unix(int64(i), 0)})
	}
	return out
}

func names(events []trail.Event) []string {
	var out []string
	for _, e := range events {
		out = append(out, e.EventName)
	}
	return out
}

func TestTheOldestGoFirst(t *testing.T) {
	l := trail.New(100)
	for i := range 1000 {
		l.Append(named(fmt.Sprint(i))...)
	}
	events, next, _ := l.Since(0)
	if n := len(events); n < 100 || n > 125 {
		t.Errorf("%d events are kept, want about 100", n)
	}
	if next != 1000 || events[len(events)-1].EventName != "999" {
		t.Errorf("next is %d and the newest is %s", next, events[len(events)-1].EventName)
	}
}

func TestAFollowerMissesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := trail.New(1000)
		got := make(chan []string)
		go func() {
			var seen []string
			var seq uint64
			for len(seen) < 50 {
				events, next, more := l.Since(seq)
				seen, seq = append(seen, names(events)...), next
				if len(events) == 0 {
					<-more
				}
			}
			got <- seen
		}()
		var want []string
		for i := range 50 {
			if i%7 == 0 {
				synctest.Wait() // the follower waits, so it has to be woken
			}
			want = append(want, fmt.Sprint(i))
			l.Append(named(fmt.Sprint(i))...)
		}
		if d := cmp.Diff(want, <-got); d != "" {
			t.Error(d)
		}
	})
}

func TestLookup(t *testing.T) {
	l := trail.New(100)
	l.Append(named("PutObject", "AssumeRole", "PutObject", "GetCallerIdentity", "PutObject")...)
	l.Append(trail.Event{EventName: "PutObject", RecipientAccountID: "444455556666", EventTime: time.Unix(9, 0),
		UserIdentity: trail.Identity{Type: "AssumedRole", PrincipalID: "AROA1:brokerd"},
		Resources:    []trail.Resource{{Type: "AWS::S3::Bucket", ARN: "arn:aws:s3:::b"}}})
	rows := []struct {
		name string
		q    trail.Query
		want []string
	}{
		{"all of an account, newest first", trail.Query{Account: "111122223333"},
			[]string{"PutObject", "GetCallerIdentity", "PutObject", "AssumeRole", "PutObject"}},
		{"by name", trail.Query{Account: "111122223333", Attribute: "EventName", Value: "AssumeRole"}, []string{"AssumeRole"}},
		{"by the session's name", trail.Query{Account: "444455556666", Attribute: "Username", Value: "brokerd"}, []string{"PutObject"}},
		{"by resource", trail.Query{Account: "444455556666", Attribute: "ResourceName", Value: "b"}, []string{"PutObject"}},
		{"another resource", trail.Query{Account: "444455556666", Attribute: "ResourceName", Value: "c"}, nil},
		{"a span of time", trail.Query{Account: "111122223333", Start: time.Unix(1, 0), End: time.Unix(2, 0)},
			[]string{"PutObject", "AssumeRole"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var got []string
			var before uint64
			for { // in pages of two
				page, next := l.Lookup(row.q, 2, before)
				got = append(got, names(page)...)
				if before = next; next == 0 {
					break
				}
			}
			if d := cmp.Diff(row.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
