package rpc

import (
	"bytes"
	"testing"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/intake"
	"github.com/brokerd/brokerd/internal/quota"
	"github.com/brokerd/brokerd/internal/uploader"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// lateAdmission has a drain begin in the moment in which an upload is let in, after
// the first look at whether any is.
type lateAdmission struct {
	intake.Admission
	drain func()
}

func (g *lateAdmission) Admit(p quota.Party) (*uploader.Slot, error) {
	g.drain()
	return g.Admission.Admit(p)
}

// After a drain has reported the end, no upload may begin.
func TestADrainThatIsDoneIsDone(t *testing.T) {
	gate := &lateAdmission{}
	d := serverFor(t, func(c *config.Config, o *Options) {
		gate.Admission, o.Admission = o.Admission, gate
		c.Access[0].Allow = append(c.Access[0].Allow, config.PermAdmin)
	})
	gate.drain = func() {
		stream, err := d.Admin().Drain(t.Context(), &brokerdv1.DrainRequest{})
		if err != nil {
			t.Error(err)
			return
		}
		if m, err := stream.Recv(); err != nil || !m.GetDone() || m.GetOpenUploads() != 0 {
			t.Errorf("%v, %v", m, err)
		}
	}
	_, err := d.Upload(t.Context(), "logs", "n", bytes.NewReader([]byte("late")), client.WithRetry(0))
	_ = wantFault(t, err, "DRAINING") // it fails t itself
	if n := len(d.sink.objects); n != 0 {
		t.Errorf("%d objects came of it", n)
	}
}
