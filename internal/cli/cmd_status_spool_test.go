package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

func TestStatusOfASpool(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(now.Add(-d)) }
	for _, c := range []struct {
		name string
		dest *brokerdv1.Destination
		want []string
	}{
		{name: "direct, with an empty spool", dest: &brokerdv1.Destination{Durability: "direct",
			Spool: &brokerdv1.SpoolUsage{InFlightLimit: 16}}},
		{name: "direct after a change, with an object from before",
			dest: &brokerdv1.Destination{Durability: "direct",
				Spool: &brokerdv1.SpoolUsage{QueuedObjects: 1, QueuedBytes: 5, OldestTime: at(time.Hour), InFlightLimit: 16}},
			want: []string{"  spool\t1 object, 5 B, the oldest for 1h00m; 0 of at most 16 deliveries under way"}},
		{name: "empty", dest: &brokerdv1.Destination{Durability: "spool"}, want: []string{"  spool\tempty"}},
		{name: "parked, with dead ones", dest: &brokerdv1.Destination{Name: "d", Durability: "spool-wait", Spool: &brokerdv1.SpoolUsage{
			QueuedObjects: 2, QueuedBytes: 4096, OldestTime: at(10 * time.Second), ParkedReason: "SESSION_DENIED", ParkedTime: at(3 * time.Second),
			DeadObjects: 1, DeadBytes: 7,
		}}, want: []string{
			"  spool\t2 objects, 4.0 KiB, the oldest for 10s",
			"  parked\tSESSION_DENIED since 2026-01-02T03:04:02Z (3s)",
			"\tthe objects stay, and are delivered after the repair: brokerctl verify d",
			"  dead\t1 object, 7 B: brokerctl spool ls d --state dead",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			writeSpoolUsage(func(format string, args ...any) { got = append(got, fmt.Sprintf(format, args...)) },
				(&console.App{}).Palette(&strings.Builder{}),
				c.dest, now)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
