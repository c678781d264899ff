package broker

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// scenarios is a table: the life of a session, a time after it was issued, the outcome of
// its refreshes, and the result for a caller. A life over an hour is from a source that
// is not a role.
//
//	life  at  outcome of refreshes  result
const scenarios = `
15m    0s       fine        old
15m    6m       fine        old
15m    6m       network     old
15m    8m       fine        new
15m    8m       network     old
15m    8m       server      old
15m    8m       throttled   old
15m    8m       denied      old
15m    8m       torn        old
15m    8m       ended       old
15m    8m       seconds     old
15m    8m       shorter     old
15m    8m       hangs       old
15m    8m       panics      old
15m    13m59s   network     old
15m    14m30s   network     old
15m    14m30s   throttled   old
15m    14m30s   denied      old
15m    14m30s   hangs       old
15m    14m59s   network     old
15m    14m59s   hangs       old
15m    15m      network     unavailable
15m    15m      server      unavailable
15m    15m      throttled   unavailable
15m    15m      denied      denied
15m    15m      policy      denied
15m    15m      large       denied
15m    15m      region      denied
15m    15m      claim       denied
15m    15m      token       denied
15m    15m      invalid     denied
15m    15m      provider    unavailable
15m    15m      strange     unavailable
15m    15m      source      unavailable
15m    15m      torn        unavailable
15m    15m      ended       unavailable
15m    15m      seconds     unavailable
15m    15m      hangs       unavailable
15m    15m      panics      unavailable
15m    3h       fine        new
20m    8m       fine        old
20m    11m      fine        new
20m    19m30s   network     old
20m    19m30s   denied      old
20m    20m      network     unavailable
1h     34m      fine        old
1h     34m      denied      old
1h     41m      fine        new
1h     41m      network     old
1h     41m      denied      old
1h     41m      large       old
1h     41m      source      old
1h     59m30s   server      old
1h     59m30s   policy      old
1h     1h       network     unavailable
1h     1h       denied      denied
1h     90m      network     unavailable
1h     90m      denied      denied
1h     24h      fine        new
4h     2h30m    fine        old
4h     3h1m     fine        new
4h     3h59m    network     old
4h     3h59m    hangs       old
4h     4h       network     unavailable
12h    10h49m   fine        old
12h    11h1m    fine        new
12h    11h59m   denied      old
12h    11h59m   throttled   old
12h    12h      denied      denied
12h    12h      throttled   unavailable
`

func outcomes(life time.Duration) map[string]answer {
	code := func(c string) answer { return answer{err: apiError{c}} }
	return map[string]answer{
		"fine": {life: life}, "network": {err: errors.New("connection reset by peer")}, "server": code("InternalFailure"),
		"throttled": code("Throttling"), "denied": code("AccessDenied"), "policy": code("MalformedPolicyDocument"),
		"large": code("PackedPolicyTooLarge"), "region": code("RegionDisabledException"), "claim": code("IDPRejectedClaim"),
		"token": code("InvalidIdentityToken"), "provider": code("IDPCommunicationError"), "invalid": code("ValidationError"),
		"strange": code("SomethingNew"), "source": code("ExpiredToken"), "torn": {empty: true}, "ended": {life: -time.Minute},
		"seconds": {life: 30 * time.Second}, "shorter": {life: 90 * time.Second}, "hangs": {takes: time.Hour}, "panics": {panic: true},
	}
}

func TestScenarios(t *testing.T) {
	rows := strings.Split(strings.TrimSpace(scenarios), "\n")
	if len(rows) < 60 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		f := strings.Fields(row)
		t.Run(strings.Join(f, " "), func(t *testing.T) {
			life, err := time.ParseDuration(f[0])
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.ParseDuration(f[1])
			if err != nil {
				t.Fatal(err)
			}
			then, known := outcomes(life)[f[2]]
			if !known {
				t.Fatalf("no outcome %q", f[2])
			}
			sts := &scripted{answers: []answer{{life: life}, then}}
			running(t, sts, func(t *testing.T, b *Broker) {
				first := b.set.Load().targets["logs"].entry.cur.Load()
				time.Sleep(time.Until(first.Issued.Add(at)))
				s, err := b.Session(t.Context(), "logs")
				got := ""
				switch {
				case err != nil && ReasonOf(errors.Unwrap(err)) == "SESSION_DENIED":
					got = "denied"
				case err != nil:
					got = "unavailable"
				case s == first:
					got = "old"
				default:
					got = "new"
				}
				if got != f[3] {
					t.Fatalf("got %s (%v)", got, err)
				}
				if s != nil && !s.Expires.After(time.Now()) {
					t.Errorf("it ended %s ago", time.Since(s.Expires))
				}
				if failed := f[2] != "fine" && sts.count() > 1; failed && b.Statuses()[0].LastError == "" && f[2] != "hangs" {
					t.Error("the failure is not to be seen")
				}
			})
		})
	}
}
