package spool_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/brokerd/brokerd/internal/spool"
)

func TestQuotasRefuseBeforeTheBodyOrAtTheByteThatCrosses(t *testing.T) {
	const unit = 100 << 10
	cases := map[string]struct {
		total, perUID int64
		limits        spool.Limits
		want          spool.Quota
	}{
		"all bytes":               {total: 3 * unit, want: spool.QuotaTotal},
		"one user's bytes":        {perUID: 3 * unit, want: spool.QuotaUser},
		"a destination's bytes":   {limits: spool.Limits{Bytes: 3 * unit}, want: spool.QuotaDestinationBytes},
		"a destination's objects": {limits: spool.Limits{Files: 2}, want: spool.QuotaDestinationFiles},
	}
	for name, c := range cases {
		for _, size := range []int64{2 * unit, -1} {
			t.Run(name, func(t *testing.T) {
				o := optionsOf(t, newStore())
				o.Total, o.PerUID, o.Destinations = c.total, c.perUID, map[string]spool.Limits{"logs": c.limits}
				s := open(t, o)
				accept(t, s, headerOf(1), bytesOf(1, unit))
				accept(t, s, headerOf(2), bytesOf(2, unit/2))
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = open(t, o) // what is on disk counts after a restart too
				h := headerOf(3)
				h.Size = size
				var body io.Reader = bytes.NewReader(bytesOf(3, 2*unit))
				if size >= 0 {
					body = unread{t}
				}
				_, _, err := s.Accept(t.Context(), h, unstated{body})
				var full *spool.FullError
				if !errors.As(err, &full) || full.Which != c.want || full.RetryAfter <= 0 {
					t.Fatalf("%+v, want %s", err, c.want)
				}
				if left := names(t, o.Dir); len(left) != 2 {
					t.Errorf("on disk: %v", left)
				}
				running(t, s)
				if err := s.Drained(t.Context()); err != nil {
					t.Fatal(err)
				}
				accept(t, s, headerOf(4), bytesOf(4, 2*unit)) // there is room again
			})
		}
	}
}

func TestAnObjectLargerThanItsLimitIsNotAskedToWait(t *testing.T) {
	o := optionsOf(t, newStore())
	o.Total = 10
	s := open(t, o)
	h := headerOf(1)
	h.Size = 11
	var full *spool.FullError
	if _, _, err := s.Accept(t.Context(), h, unstated{unread{t}}); !errors.As(err, &full) || full.RetryAfter != 0 {
		t.Errorf("%v", err)
	}
}

func TestTheFloorOfFreeSpaceIsKept(t *testing.T) {
	o := optionsOf(t, newStore())
	o.MinFree = 1 << 62
	s := open(t, o)
	var full *spool.FullError
	if _, _, err := s.Accept(t.Context(), headerOf(1), unstated{unread{t}}); !errors.As(err, &full) || full.Which != spool.QuotaFree {
		t.Errorf("%v", err)
	}
	o.Dir, o.FS, o.MinFree = "/spool", newModelFS(), 1<<40-1000
	s = open(t, o)
	h := headerOf(1)
	h.Size = 1001
	if _, _, err := s.Accept(t.Context(), h, unstated{unread{t}}); !errors.As(err, &full) || full.Which != spool.QuotaFree {
		t.Errorf("an announced size that would cross the floor: %v", err)
	}
	h.Size = 1000
	accept(t, s, h, make([]byte, 1000))
}
