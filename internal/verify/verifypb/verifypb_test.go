package verifypb_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/brokerd/brokerd/internal/verify/report"
	"github.com/brokerd/brokerd/internal/verify/verifypb"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// fill sets every field of a value to something that is not zero, so that a field
// that a change adds and does not carry fails here.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			v.SetBytes([]byte(`{"Sid":"x"}`))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.String:
		v.SetString("a " + v.Type().Name())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	}
}

func through[M proto.Message](t *testing.T, in, out M) M {
	t.Helper()
	data, err := proto.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(data, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEveryFieldOfACheckArrives(t *testing.T) {
	var want report.Check
	fill(reflect.ValueOf(&want).Elem())
	want.Result, want.Elapsed = report.Warn, 3*time.Millisecond
	got := verifypb.ToCheck(through(t, verifypb.FromCheck("d", want), &brokerdv1.VerifyAccessResponse{}))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEveryFieldOfASummaryArrives(t *testing.T) {
	var want report.Report
	fill(reflect.ValueOf(&want).Elem())
	want.Path.Edges[0].Result = report.Fail
	got := report.Report{Destination: want.Destination, Checks: want.Checks, Documents: want.Documents}
	verifypb.Complete(&got, through(t, verifypb.FromReport(want), &brokerdv1.VerifyAccessResponse{}).GetSummary())
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEveryFieldOfARequestArrives(t *testing.T) {
	var want report.RunOptions
	fill(reflect.ValueOf(&want).Elem())
	want.Policies.Documents[0].State = report.Absent
	want.Cheap = false // the daemon's own
	got, err := verifypb.FromRequest(through(t, verifypb.ToRequest("d", want), &brokerdv1.VerifyAccessRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNotKnownIsNoPass(t *testing.T) {
	if c := verifypb.ToCheck(&brokerdv1.VerifyAccessResponse{Result: 99}); c.Result != report.Unknown {
		t.Errorf("a result of a newer daemon is %s", c.Result)
	}
	if m := verifypb.FromCheck("d", report.Check{Result: "new"}); m.GetResult() != brokerdv1.CheckResult_CHECK_RESULT_UNKNOWN {
		t.Errorf("a new result is sent as %s", m.GetResult())
	}
	o, err := verifypb.FromRequest(&brokerdv1.VerifyAccessRequest{Policies: []*brokerdv1.PolicyDocument{{Kind: "trust"}}})
	if err != nil || o.Policies.Documents[0].State != report.Unreadable {
		t.Errorf("a document without a state is %v, %v", o.Policies, err)
	}
}

func TestAnOlderDaemonIsUnderstood(t *testing.T) {
	c := verifypb.ToCheck(&brokerdv1.VerifyAccessResponse{
		Code: "BRK-KMS-010", Fix: "add it", FixStatement: "{}", AwsCode: "AccessDenied", RequestId: "r",
	})
	if c.ID != "BRK-KMS-010" || c.Fix.Text != "add it" || string(c.Fix.Patch) != "{}" || len(c.Evidence) != 1 ||
		c.Evidence[0].RequestID != "r" {
		t.Errorf("got %+v", c)
	}
}

func TestTooManyPoliciesAreRefused(t *testing.T) {
	big := &brokerdv1.PolicyDocument{Text: strings.Repeat(" ", report.MaxPolicyBytes/2+1)}
	if _, err := verifypb.FromRequest(&brokerdv1.VerifyAccessRequest{Policies: []*brokerdv1.PolicyDocument{big, big}}); !errors.Is(err,
		verifypb.ErrTooLarge) {
		t.Errorf("error %v", err)
	}
}
