package rpc

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/reason"
)

// Auditor writes audit lines; telemetry.Log does. An error says that the line was not
// written.
type Auditor interface {
	Record(msg string, fields ...zap.Field) error
}

const (
	// adminCall is the message of the audit lines.
	adminCall = "administrator call"
	// auditRetry is the delay that a caller is told when the log takes no audit line.
	auditRetry = 5 * time.Second
	// auditedIDs bounds the ids in one audit line; the line has their number, too.
	auditedIDs = 100
)

// reads admits an administrator to a call that changes nothing and hands out no data, and
// writes its audit line.
func (a *adminService) reads(ctx context.Context, call string, facts ...zap.Field) error {
	_, err := a.admit(ctx, call, facts)
	return err
}

// acts admits an administrator to a call that changes something or hands out data. The
// audit line comes first: without it the call is refused.
func (a *adminService) acts(ctx context.Context, call string, facts ...zap.Field) error {
	written, err := a.admit(ctx, call, facts)
	if err != nil {
		return err
	}
	if written != nil {
		return reason.New(reason.AuditUnavailable, "%s was not done: its audit line could not be written: %s", call, written).After(auditRetry)
	}
	return nil
}

// admit decides, and writes the audit line of an admitted call. written is the error of
// that line. The decision logs a refusal.
func (a *adminService) admit(ctx context.Context, call string, facts []zap.Field) (written, err error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.s.policy.decide(p, config.PermAdmin, ""); err != nil {
		return nil, err
	}
	rules := a.s.policy.rules()
	fields := append([]zap.Field{zap.String("call", call)}, whoIs(rules, p)...)
	if rule := rules.Decide(p, config.PermAdmin, "").Rule; rule != 0 {
		fields = append(fields, zap.Int("rule", rule))
	}
	fields = append(fields, facts...)
	if a.s.o.Audit == nil {
		a.s.o.Logger.Info(adminCall, fields...)
		return nil, nil
	}
	return a.s.o.Audit.Record(adminCall, fields...), nil
}

// whoIs returns the facts about a peer for an audit line.
func whoIs(rules *access.Policy, p access.Peer) []zap.Field {
	fields := []zap.Field{zap.String("peer", rules.Describe(p)), zap.Uint32("uid", p.UID), zap.Uint32("gid", p.GID), zap.Int32("pid", p.PID)}
	if p.Unit != "" {
		fields = append(fields, zap.String("unit", p.Unit))
	}
	if p.Pod != "" {
		fields = append(fields, zap.String("pod", p.Pod))
	}
	return fields
}

// uploadIDs names the uploads of a call in its audit line.
func uploadIDs(ids []string) []zap.Field {
	return []zap.Field{zap.Strings("upload_ids", ids[:min(len(ids), auditedIDs)]), zap.Int("uploads", len(ids))}
}
