package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/verify/report"
)

const (
	codeSource   = "BRK-ID-001"
	codeAssume   = "BRK-ID-002"
	codeIdentity = "BRK-ID-003"
)

func identityChecks() []check {
	return []check{
		{codeSource, report.CategoryIdentity, "STS accepts the source credentials", []string{codeReachSTS}, checkSource},
		{codeAssume, report.CategoryIdentity, "the role can be assumed", []string{codeSource}, checkAssume},
		{codeIdentity, report.CategoryIdentity, "the session is a session of the configured role", []string{codeAssume}, checkIdentity},
	}
}

func checkSource(ctx context.Context, r *run) []finding {
	if r.dest.Compatible && r.dest.Role == "" {
		return []finding{
			{
				Code:     causeNoSTS,
				Result:   report.Unknown,
				Artefact: report.ArtefactCredentials,
				Detail:   "no role is configured: the delivery checks decide whether the source credentials are right",
			},
		}
	}
	r.calls.spend(ctx)
	arn, err := r.sessions.SourceIdentity(ctx, r.dest.Name)
	switch {
	case errors.Is(err, broker.ErrNoSourceARN):
		r.noSource = "a web identity"
		r.readToken()
		r.predicted.decide()
		return []finding{{Result: report.Pass, Detail: "the daemon has a web identity" + r.token.describe()}}
	case err != nil:
		c := r.diagnosis.diagnose(
			ctx, step{name: "asking STS for the source identity", service: "sts", operation: "sts:GetCallerIdentity", source: true}, err,
		)[0]
		if r.dest.Compatible && c.Code != causeNetwork {
			return []finding{
				{
					Code:       causeNoSTS,
					Result:     report.Unknown,
					Artefact:   report.ArtefactCredentials,
					AWSCode:    c.AWSCode,
					AWSMessage: c.AWSMessage,
					Detail:     "the compatible store does not identify the source credentials",
				},
			}
		}
		return []finding{c}
	}
	r.source = arn
	r.predicted.decide() // the source is known now
	return []finding{{Result: report.Pass, Detail: "the daemon is " + arn}}
}

// checkAssume assumes the role again: a cached session does not prove the trust policy.
func checkAssume(ctx context.Context, r *run) []finding {
	ask := step{name: "assuming the role", service: "sts", action: "sts:AssumeRole", operation: "sts:AssumeRole", id: stepAssume}
	if r.dest.Role != "" {
		for range 1 + len(r.dest.Chain) {
			r.calls.spend(ctx)
		}
		if _, err := r.sessions.Refresh(ctx, r.dest.Name); err != nil {
			return r.diagnosis.diagnose(ctx, ask, err)
		}
	}
	s, err := r.sessions.Session(ctx, r.dest.Name)
	if err != nil {
		return r.diagnosis.diagnose(ctx, ask, err)
	}
	r.clients.session, r.assumed = s, s.AssumedRoleARN
	r.passed[stepAssume] = true
	if r.dest.Role == "" {
		return []finding{{Result: report.Pass, Detail: "no role is configured: the source credentials are used"}}
	}
	return []finding{
		{Result: report.Pass, Detail: fmt.Sprintf("a session of %s until %s", r.dest.Role, s.Expires.UTC().Format("15:04:05 MST"))},
	}
}

func checkIdentity(ctx context.Context, r *run) []finding {
	if r.dest.Role == "" {
		return []finding{
			{Code: causeNoSTS, Result: report.Unknown, Artefact: report.ArtefactSession, Detail: "no role is configured to compare with"},
		}
	}
	out, err := r.clients.sts().GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		c := r.diagnosis.diagnose(
			ctx, step{name: "asking STS for the identity of the session", service: "sts", operation: "sts:GetCallerIdentity", id: stepCreate}, err,
		)[0]
		if r.dest.Compatible && c.Code != causeNetwork {
			return []finding{
				{
					Code:       causeNoSTS,
					Result:     report.Unknown,
					Artefact:   report.ArtefactSession,
					AWSCode:    c.AWSCode,
					AWSMessage: c.AWSMessage,
					Detail:     "the compatible store does not identify the session",
				},
			}
		}
		return []finding{c}
	}
	got := aws.ToString(out.Arn)
	g, err := awsarn.Parse(got)
	want, werr := awsarn.Parse(r.dest.Role)
	if err := errors.Join(err, werr); err != nil || g.Partition != want.Partition || g.Account != want.Account ||
		roleName(got) != roleName(r.dest.Role) {
		return []finding{
			{
				Code:        causeOtherRole,
				Result:      report.Fail,
				Account:     r.accountA(),
				Artefact:    report.ArtefactSession,
				ArtefactARN: got,
				Confidence:  report.Proven,
				Detail:      fmt.Sprintf("the session is %s, but the configuration names %s", got, r.dest.Role),
				Fix:         "Check `role`, the STS endpoint and the profile: the policies name another identity than the one in use.",
			},
		}
	}
	r.predicted.decide() // the session is known now
	return []finding{{Result: report.Pass, Detail: "the session is " + got}}
}
