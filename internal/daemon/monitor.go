package daemon

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/health"
	"github.com/brokerd/brokerd/internal/monitor"
	"github.com/brokerd/brokerd/internal/verify/report"
	"github.com/brokerd/brokerd/internal/verify/verifypb"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// rounds passes the results of the daemon's own verification on.
type rounds struct {
	now   *verifier
	stats *health.Stats
	log   *zap.Logger
}

func (d *Daemon) newMonitor(cfg *config.Config, stats *health.Stats) (*monitor.Monitor, error) {
	r := rounds{d.verifier, stats, d.log.Logger}
	p, err := monitor.New(monitor.Options{
		Verify: r.verify, Changed: r.changed, Ended: d.metrics.VerificationEnded,
		Rand: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
	})
	if err != nil {
		return nil, fmt.Errorf("making the patrol: %w", err)
	}
	p.Adopt(cfg.Verify.Every.Std(), slices.Collect(maps.Keys(cfg.Destinations)), nil)
	return p, nil
}

// verify runs the cheap checks: no question that must be refused, no billed call.
func (r rounds) verify(ctx context.Context, destination string) (report.Report, error) {
	var verdict health.Verdict
	report, err := r.now.current.Load().Verify(ctx, destination, report.RunOptions{Cheap: true}, func(c report.Check) error {
		verdict.Add(c)
		return nil
	})
	if err == nil {
		r.stats.Verified(destination, verdict)
	}
	return report, err
}

// changed writes a line when a result differs from the one before.
func (r rounds) changed(before, after monitor.State) {
	fields := []zap.Field{zap.String("destination", after.Destination), zap.String("result", string(after.Result))}
	if before.Result != "" {
		fields = append(fields, zap.String("was", string(before.Result)), zap.Duration("for", after.Since.Sub(before.Since)))
	}
	if len(after.Problems) > 0 {
		var codes []string
		for _, c := range after.Problems {
			codes = append(codes, c.Code)
		}
		first := after.Problems[0]
		fields = append(fields, zap.Strings("codes", codes), zap.String("detail", first.Why))
		if first.Account.ID != "" {
			fields = append(fields, zap.String("account", first.Account.ID))
		}
		if first.Artefact.Kind != "" {
			fields = append(fields, zap.String("artefact", first.Artefact.Kind), zap.String("artefact_arn", first.Artefact.ARN))
		}
	}
	switch after.Result {
	case report.Pass:
		r.log.Info("access verified", fields...)
	case report.Fail:
		r.log.Error("access is broken; brokerctl verify says what to change", fields...)
	default:
		r.log.Warn("access could not be verified", fields...)
	}
}

// verified is the result of the daemon's own verification, for the API.
func (d *Daemon) verified() map[string]*brokerdv1.Verification {
	out := make(map[string]*brokerdv1.Verification)
	for _, s := range d.monitor.States() {
		if s.Result == "" {
			continue
		}
		v := &brokerdv1.Verification{
			Result: resultOf(s.Result), SinceTime: stampOf(s.Since), CheckTime: stampOf(s.Checked), NextTime: stampOf(s.Next),
		}
		for _, c := range s.Problems {
			v.Problems = append(v.Problems, &brokerdv1.VerificationProblem{
				Code: c.Code, Result: resultOf(c.Result), Detail: c.Why,
				Account: c.Account.ID, Artefact: c.Artefact.Kind, ArtefactArn: c.Artefact.ARN,
			})
		}
		out[s.Destination] = v
	}
	return out
}

func resultOf(r report.Result) brokerdv1.CheckResult {
	return verifypb.FromCheck("", report.Check{Result: r}).GetResult()
}

func stampOf(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
