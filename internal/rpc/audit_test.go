package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/config"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// auditLog keeps audit lines, and takes none once it is full.
type auditLog struct {
	lines []map[string]any
	full  bool
}

func (l *auditLog) Record(msg string, fields ...zap.Field) error {
	if l.full {
		return errors.New("the log is full")
	}
	enc := zapcore.NewMapObjectEncoder()
	enc.AddString("msg", msg)
	for _, f := range fields {
		f.AddTo(enc)
	}
	l.lines = append(l.lines, enc.Fields)
	return nil
}

// adminCalls are the calls that need the permission admin. acts: the call changes
// something or hands out data.
func adminCalls() []struct {
	name string
	acts bool
	do   func(context.Context, *client.Client) error
} {
	return []struct {
		name string
		acts bool
		do   func(context.Context, *client.Client) error
	}{
		{"ListSessions", false, func(ctx context.Context, c *client.Client) error {
			_, err := c.Admin().ListSessions(ctx, &brokerdv1.ListSessionsRequest{})
			return err
		}},
		{"ListSpool", false, func(ctx context.Context, c *client.Client) error {
			s, err := c.Admin().ListSpool(ctx, &brokerdv1.ListSpoolRequest{})
			if err == nil {
				_, err = s.Recv()
			}
			return err
		}},
		{"RefreshSession", true, func(ctx context.Context, c *client.Client) error {
			_, err := c.Admin().RefreshSession(ctx, &brokerdv1.RefreshSessionRequest{Destination: "logs"})
			return err
		}},
		{"Reload", true, func(ctx context.Context, c *client.Client) error {
			_, err := c.Admin().Reload(ctx, &brokerdv1.ReloadRequest{})
			return err
		}},
		{"RetrySpool", true, func(ctx context.Context, c *client.Client) error {
			_, err := c.Admin().RetrySpool(ctx, &brokerdv1.RetrySpoolRequest{Destination: "logs"})
			return err
		}},
		{"ExportSpool", true, func(ctx context.Context, c *client.Client) error {
			s, err := c.Admin().ExportSpool(ctx, &brokerdv1.ExportSpoolRequest{UploadId: "01M8Q15K8JHE5ADTRPYPRSA2DB"})
			if err == nil {
				_, err = s.Recv()
			}
			return err
		}},
		{"DropSpool", true, func(ctx context.Context, c *client.Client) error {
			_, err := c.Admin().DropSpool(ctx, &brokerdv1.DropSpoolRequest{UploadIds: []string{"01M8Q15K8JHE5ADTRPYPRSA2DB"}})
			return err
		}},
		{"ListWatchedFiles", false, func(ctx context.Context, c *client.Client) error {
			s, err := c.Admin().ListWatchedFiles(ctx, &brokerdv1.ListWatchedFilesRequest{})
			if err == nil {
				_, err = s.Recv()
			}
			return err
		}},
		{"RetryWatchedFiles", true, func(ctx context.Context, c *client.Client) error {
			_, err := c.Admin().RetryWatchedFiles(ctx, &brokerdv1.RetryWatchedFilesRequest{Watch: "app"})
			return err
		}},
		{"SkipWatchedFiles", true, func(ctx context.Context, c *client.Client) error {
			_, err := c.Admin().SkipWatchedFiles(ctx, &brokerdv1.SkipWatchedFilesRequest{Paths: []string{"/x"}})
			return err
		}},
		{"Drain", true, func(ctx context.Context, c *client.Client) error {
			s, err := c.Admin().Drain(ctx, &brokerdv1.DrainRequest{Resume: true})
			if err == nil {
				_, err = s.Recv()
			}
			return err
		}},
	}
}

func TestEachAdminCallIsAnAuditLineWithItsCaller(t *testing.T) {
	audit := &auditLog{}
	d := serverFor(t, func(c *config.Config, o *Options) {
		c.Access[0].Allow = append(c.Access[0].Allow, config.PermAdmin)
		c.Access[0].Line = 7
		o.Audit = audit
	})
	for _, call := range adminCalls() {
		audit.lines = nil
		if err := call.do(t.Context(), d.Client); errors.Is(err, io.EOF) {
			t.Errorf("%s: got no answer", call.name)
		}
		if len(audit.lines) != 1 {
			t.Errorf("%s: got %d audit lines, want 1", call.name, len(audit.lines))
			continue
		}
		for field, want := range map[string]any{
			"msg": adminCall, "call": call.name, "uid": uint32(os.Getuid()), "pid": int32(os.Getpid()), "rule": int64(7),
		} {
			if got := audit.lines[0][field]; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %s is %v, want %v", call.name, field, got, want)
			}
		}
	}
}

func TestNoAdminCallActsWithoutItsAuditLine(t *testing.T) {
	d := serverFor(t, func(c *config.Config, o *Options) {
		c.Access[0].Allow = append(c.Access[0].Allow, config.PermAdmin)
		o.Audit = &auditLog{full: true}
	})
	for _, call := range adminCalls() {
		err := d.FromError(call.do(t.Context(), d.Client))
		var e *client.Error
		refused := errors.As(err, &e) && e.Reason == "AUDIT_UNAVAILABLE"
		if refused != call.acts {
			t.Errorf("%s: got %v, want AUDIT_UNAVAILABLE: %v", call.name, err, call.acts)
		}
	}
}

// A refused call is no audit line: the refusal has its own.
func TestARefusedAdminCallIsNoAuditLine(t *testing.T) {
	audit := &auditLog{}
	never := false // these tests may run as root
	d := serverFor(t, func(c *config.Config, o *Options) { c.Socket.OwnerIsAdmin, o.Audit = &never, audit })
	for _, call := range adminCalls() {
		_ = wantFault(t, d.FromError(call.do(t.Context(), d.Client)), "ADMIN_ONLY")
	}
	if len(audit.lines) > 0 {
		t.Errorf("got %v", audit.lines)
	}
}
