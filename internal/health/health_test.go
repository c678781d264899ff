package health

import (
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// A role with too many rights, or a document that was not read, does not make a
// destination unready: uploads arrive.
func TestOnlyTheDeliveryDecidesOverHealth(t *testing.T) {
	for name, c := range map[string]struct {
		check report.Check
		want  bool
	}{
		"the delivery":       {report.Check{Category: "delivery"}, true},
		"a policy":           {report.Check{Category: "policy"}, false},
		"least privilege":    {report.Check{Category: "least privilege"}, false},
		"audit":              {report.Check{Category: "audit"}, false},
		"advice":             {report.Check{Category: "host", Advisory: true}, false},
		"of an older daemon": {report.Check{Category: "encryption"}, true},
	} {
		if got := concernsDelivery(c.check); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestReadiness(t *testing.T) {
	good := Session{Usable: true}
	fail := report.Check{Category: report.CategoryDelivery, Result: report.Fail, Code: "BRK-S3-001", Why: "no"}
	for name, tc := range map[string]struct {
		do      func(*Stats)
		session Session
		parked  string
		want    string // why it is not ready; empty: it is
	}{
		"nothing happened yet":    {func(*Stats) {}, good, "", ""},
		"no session":              {func(*Stats) {}, Session{}, "", "no session yet"},
		"a refused session":       {func(*Stats) {}, Session{Error: "denied"}, "", "no session: denied"},
		"parked":                  {func(*Stats) {}, good, "parked with 2 objects", "parked with 2 objects"},
		"AWS refused":             {func(s *Stats) { s.Failed("d", reason.AccessDenied, "refused") }, good, "", "refused"},
		"an outage is no refusal": {func(s *Stats) { s.Failed("d", reason.AWSUnavailable, "503") }, good, "", ""},
		"a success heals": {func(s *Stats) { s.Failed("d", reason.AccessDenied, "refused"); s.Stored("d", 1, time.Now()) },
			good, "", ""},
		"a failed verification": {func(s *Stats) { s.Verified("d", verdict(fail)) }, good, "", "BRK-S3-001: no"},
		"a proof heals": {func(s *Stats) { s.Failed("d", reason.AccessDenied, "refused"); s.Verified("d", verdict()) },
			good, "", ""},
		"an undecided one does not": {func(s *Stats) { s.Failed("d", reason.AccessDenied, "refused"); s.Verified("d", verdict(undecided)) },
			good, "", "refused"},
		"a failure beats undecided":   {func(s *Stats) { s.Verified("d", verdict(undecided, fail)) }, good, "", "BRK-S3-001: no"},
		"another destination's error": {func(s *Stats) { s.Failed("other", reason.AccessDenied, "refused") }, good, "", ""},
	} {
		s := NewStats([]string{"d", "other"})
		tc.do(s)
		if ok, why := s.Ready("d", tc.session, tc.parked); why != tc.want || ok != (tc.want == "") {
			t.Errorf("%s: got %v, %q, want %q", name, ok, why, tc.want)
		}
	}
}

var undecided = report.Check{Category: report.CategoryDelivery, Result: report.Unknown}

func verdict(checks ...report.Check) (v Verdict) {
	for _, c := range checks {
		v.Add(c)
	}
	return v
}

func TestARemovedDestinationIsForgotten(t *testing.T) {
	s := NewStats([]string{"d"})
	s.Stored("d", 5, time.Now())
	s.Add("d")
	if got := s.Counts("d"); got.Objects != 1 || got.Bytes != 5 {
		t.Errorf("a reload that keeps the destination lost its counts: %+v", got)
	}
	s.Remove("d")
	s.Stored("d", 5, time.Now()) // a delivery that ended after the reload
	if got := s.Counts("d"); got != (Counts{}) {
		t.Errorf("got %+v, want nothing", got)
	}
}
