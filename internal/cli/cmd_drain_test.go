package cli

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

type draining = grpc.ServerStreamingServer[brokerdv1.DrainResponse]

func TestDrain(t *testing.T) {
	const closed = "the daemon refuses uploads until it is restarted, or until you run `brokerctl drain --resume`\n"
	for _, c := range []struct {
		name    string
		args    []string
		answers []*brokerdv1.DrainResponse
		code    int
		out     string
		errs    string
		timeout time.Duration // that was asked for
	}{
		{name: "all delivered", timeout: 30 * time.Second, answers: []*brokerdv1.DrainResponse{
			{OpenUploads: 1, QueuedObjects: 12, QueuedBytes: 2048}, {QueuedObjects: 1, QueuedBytes: 5}, {QueuedObjects: 1,
				QueuedBytes: 5}, {Done: true},
		}, out: "drained: all deliverable objects are delivered\n" + closed,
			errs: "draining: 1 upload open, 12 objects (2.0 KiB) to deliver\ndraining: 1 object (5 B) to deliver\n"},
		{name: "parked and dead ones stay, and that is no failure", args: []string{"--timeout", "0"},
			answers: []*brokerdv1.DrainResponse{{Done: true, ParkedObjects: 1, DeadObjects: 2}},
			out: "drained: all deliverable objects are delivered\n1 object of parked destinations stays in the spool: `brokerctl status` shows " +
				"why\n2 dead objects stay in the spool: `brokerctl spool ls --state dead`\n" + closed},
		{name: "the time is over", args: []string{"--timeout", "2s"}, timeout: 2 * time.Second, code: console.ExitTemporary,
			answers: []*brokerdv1.DrainResponse{{Done: true, QueuedObjects: 2, QueuedBytes: 5, ParkedObjects: 3, DeadObjects: 1}},
			out: "not drained: 2 objects (5 B) to deliver; undelivered objects stay in the spool\n3 objects of parked destinations stay in the " +
				"spool: `brokerctl status` shows why\n1 dead object stays in the spool: `brokerctl spool ls --state dead`\n" + closed},
		{name: "for scripts", args: []string{"-o", "json"}, timeout: 30 * time.Second, code: console.ExitTemporary,
			answers: []*brokerdv1.DrainResponse{{Done: true, OpenUploads: 1}},
			out:     `{"drained":false,"open_uploads":1,"queued_objects":0,"queued_bytes":0,"parked_objects":0,"dead_objects":0}` + "\n"},
		{name: "objects that the daemon cannot read are a failure, with the repair", timeout: 30 * time.Second, code: console.ExitFailed,
			answers: []*brokerdv1.DrainResponse{{Done: true,
				Problems: &brokerdv1.SpoolProblems{UnreadableObjects: 1, QuarantinedObjects: 2, Detail: "run: chown 998 /x"}}},
			out: "not drained: the daemon cannot read all accepted objects\n" +
				"1 accepted object cannot be read by the daemon: `brokerctl spool ls --state unreadable`\n" +
				"2 damaged files in quarantine: `brokerctl spool ls --state quarantined`\nrun: chown 998 /x\n" + closed},
		{name: "damaged files stay, and that is no failure", timeout: 30 * time.Second,
			answers: []*brokerdv1.DrainResponse{{Done: true, Problems: &brokerdv1.SpoolProblems{QuarantinedObjects: 1}}},
			out: "drained: all deliverable objects are delivered\n1 damaged file in quarantine: `brokerctl spool ls --state quarantined`\n" +
				closed},
		{name: "taken again", args: []string{"--resume"}, answers: []*brokerdv1.DrainResponse{{Done: true, QueuedObjects: 4}},
			out: "uploads are accepted again\n"},
		{name: "a stream that ends early", timeout: 30 * time.Second, code: console.ExitFailed,
			errs: "brokerctl: the daemon ended the call without a result; run it again\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &fakeAdmin{drain: func(req *brokerdv1.DrainRequest, stream draining) error {
				if got := req.GetTimeout().AsDuration(); got != c.timeout {
					t.Errorf("asked for %v, want %v", got, c.timeout)
				}
				for _, a := range c.answers {
					if err := stream.Send(a); err != nil {
						return err
					}
				}
				return nil
			}}
			code, out, errs := run(t.Context(), f.serve(t), append([]string{"drain"}, c.args...)...)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if d := cmp.Diff(c.out, out) + cmp.Diff(c.errs, errs); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDrainThatIsInterruptedSaysWhatGoesOn(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	f := &fakeAdmin{drain: func(_ *brokerdv1.DrainRequest, stream draining) error {
		if err := stream.Send(&brokerdv1.DrainResponse{OpenUploads: 1}); err != nil {
			return err
		}
		interrupt()
		<-stream.Context().Done()
		return stream.Context().Err()
	}}
	code, _, errs := run(ctx, f.serve(t), "drain")
	if code != console.ExitSignal || !strings.Contains(errs, "brokerctl drain --resume") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}

func TestDrainRefusesWhatMakesNoSense(t *testing.T) {
	for _, args := range [][]string{{"--timeout", "-1s"}, {"--resume", "--timeout", "5s"}, {"now"}} {
		if code, _, _ := run(t.Context(), "nowhere", append([]string{"drain"}, args...)...); code != console.ExitUsage {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
}
