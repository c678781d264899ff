package daemon

import (
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// until asks again and again until ok, and fails after a while.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.After(30 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-limit:
			t.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}

func (r *running) verification(t *testing.T) *brokerdv1.Verification {
	t.Helper()
	resp, err := r.Admin().ListDestinations(t.Context(), &brokerdv1.ListDestinationsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetDestinations()[0].GetVerification()
}

func (r *running) page(t *testing.T) string {
	t.Helper()
	url := regexp.MustCompile(`http://[^"]+/metrics`).FindString(r.log.String())
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// The role is taken out of the key policy while no client uploads: the daemon
// reports it by itself, everywhere, and takes it back when it is repaired.
func TestTheDaemonFindsBrokenAccessByItself(t *testing.T) {
	st := testbedtest.New(t)
	st.Config.Verify.Every = config.Duration(100 * time.Millisecond)
	st.Config.Metrics.Address = "127.0.0.1:0"
	sd := notifiedBy(t)
	d := start(t, st.Config)
	sd.hears(t, "READY=1")
	healthy := func() bool {
		h, err := d.Health().Check(t.Context(), &healthpb.HealthCheckRequest{Service: testbed.Destination})
		return err == nil && h.GetStatus() == healthpb.HealthCheckResponse_SERVING
	}
	result := func(want brokerdv1.CheckResult) func() bool {
		return func() bool { return d.verification(t).GetResult() == want }
	}
	until(t, "the first verification passes", result(brokerdv1.CheckResult_CHECK_RESULT_PASS))
	until(t, "the destination is healthy", healthy)
	if page := d.page(t); !strings.Contains(page, `brokerd_verify_result{destination="audit-logs",result="pass"} 1`) {
		t.Error("the metrics do not say that it passed")
	}

	broken, err := testbed.RemoveAllow(string(st.Docs.Key), testbed.RoleName)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.PutKeyPolicy(t.Context(), broken); err != nil {
		t.Fatal(err)
	}
	until(t, "it is found broken", result(brokerdv1.CheckResult_CHECK_RESULT_FAIL))
	until(t, "the destination is unhealthy", func() bool { return !healthy() })
	problems := d.verification(t).GetProblems()
	if len(problems) == 0 || problems[0].GetCode() != "BRK-KMS-010" || problems[0].GetAccount() != st.Sandbox.AccountB() ||
		problems[0].GetArtefact() != "key-policy" {
		t.Errorf("the status names %v", problems)
	}
	page := d.page(t)
	for _, want := range []string{
		`brokerd_verify_result{destination="audit-logs",result="fail"} 1`, `brokerd_verify_result{destination="audit-logs",result="pass"} 0`,
		`brokerd_verify_problem{code="BRK-KMS-010",destination="audit-logs",result="fail"} 1`,
		`brokerd_verify_last_run_timestamp_seconds{destination="audit-logs"}`,
		`brokerd_verify_runs_total{destination="audit-logs",result="pass"}`, `brokerd_verify_duration_seconds_count{destination="audit-logs"}`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in the metrics", want)
		}
	}

	if err := st.PutKeyPolicy(t.Context(), string(st.Docs.Key)); err != nil {
		t.Fatal(err)
	}
	until(t, "it is found whole again", result(brokerdv1.CheckResult_CHECK_RESULT_PASS))
	until(t, "the destination is healthy again", healthy)
	d.stop()
	if err := <-d.done; err != nil {
		t.Errorf("Run: %v", err)
	}
	var told []string
	for line := range strings.SplitSeq(d.log.String(), "\n") {
		if m := regexp.MustCompile(`"msg":"(access [^";]+)`).FindStringSubmatch(line); m != nil {
			told = append(told, m[1])
		}
	}
	// Many verifications, three lines: one for each change.
	if want := []string{"access verified", "access is broken", "access verified"}; !slices.Equal(told, want) {
		t.Errorf("the log says %q, want %q", told, want)
	}
	if open := st.Sandbox.MultipartUploads(testbed.Bucket); len(open) > 0 {
		t.Errorf("%d multipart uploads are left behind", len(open))
	}
}

func TestVerificationThatIsOffAsksAWSNothing(t *testing.T) {
	st := testbedtest.New(t)
	st.Config.Verify.Every = 0
	sd := notifiedBy(t)
	d := start(t, st.Config)
	sd.hears(t, "READY=1")
	if v := d.verification(t); v != nil {
		t.Errorf("the status has %v", v)
	}
	d.stop()
	if err := <-d.done; err != nil {
		t.Error(err)
	}
	if n := st.Sandbox.CountCalls("s3", "CreateMultipartUpload") + st.Sandbox.CountCalls("sts", "GetCallerIdentity"); n != 0 {
		t.Errorf("%d calls that nobody asked for", n)
	}
}
