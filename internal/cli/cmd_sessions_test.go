package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

func TestSessionsAsAPersonSeesThem(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(now.Add(d)) }
	var out strings.Builder
	err := writeSessions(&console.App{Streams: console.Streams{Out: &out}}, []*brokerdv1.Session{
		{Destination: "audit-logs", State: brokerdv1.SessionState_SESSION_STATE_FRESH,
			AssumedRoleArn: "arn:aws:sts::111122223333:assumed-role/up/brokerd-audit-logs", Generation: 3, StsCalls: 4,
			IssueTime: at(-12 * time.Minute), ExpireTime: at(48 * time.Minute), RefreshTime: at(25 * time.Minute), Clamped: true,
			Scope: "left out: too long", ServedFresh: 20, ServedDue: 3, Vended: 5},
		{Destination: "b", State: brokerdv1.SessionState_SESSION_STATE_CRITICAL, IssueTime: at(-time.Hour), ExpireTime: at(41 * time.Second),
			RefreshTime: at(-20 * time.Minute), Generation: 1, StsCalls: 9,
			LastErrorReason: "SESSION_DENIED", LastError: "AccessDenied: no", ServedCritical: 2, Waiters: 3},
		{Destination: "new", State: brokerdv1.SessionState_SESSION_STATE_EMPTY},
	}, now)
	if err != nil {
		t.Fatal(err)
	}
	want := `DESTINATION  STATE     AGE     ENDS IN  REFRESH IN  GEN  STS  SERVED  VENDED
audit-logs   fresh     12m00s  48m00s   25m00s      3    4    23      5
  arn:aws:sts::111122223333:assumed-role/up/brokerd-audit-logs
  session.duration is limited to 1h: AWS's maximum for a role that is assumed by a role
  not limited to the destination; left out: too long
b            critical  1h00m   41s      now         1    9    2       0
  used 2 times with less than a minute left: a refresh failed
  3 callers wait for it
  SESSION_DENIED: AccessDenied: no
new          empty     -       -        -           0    0    0       0
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
}
