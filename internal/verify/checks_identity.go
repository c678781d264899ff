package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/brokerd/brokerd/internal/awserr"
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

func checkSource(ctx context.Context, p *probe) []finding {
	if p.dest.Compatible && p.dest.Role == "" {
		return []finding{{Code: causeNoSTS, Result: report.Unknown, Artefact: report.ArtefactCredentials, Detail: "no role is configured, the source credentials are used as they are; only the delivery checks can say whether they are right"}}
	}
	p.calls.spend(ctx)
	arn, err := p.sessions.SourceIdentity(ctx, p.dest.Name)
	switch {
	case errors.Is(err, broker.ErrNoSourceARN):
		// The token speaks for itself when the role is assumed.
		p.noSource = "a web identity"
		p.readToken()
		p.predicted = p.predict()
		return []finding{{Result: report.Pass, Detail: "the daemon has a web identity" + p.token.words()}}
	case err != nil:
		c := p.diagnose(ctx, step{name: "asking STS who the source credentials are", service: "sts", operation: "sts:GetCallerIdentity", source: true}, err)[0]
		if p.dest.Compatible && c.Code != causeNetwork {
			return []finding{{Code: causeNoSTS, Result: report.Unknown, Artefact: report.ArtefactCredentials, AWSCode: c.AWSCode, AWSMessage: c.AWSMessage, Detail: "the compatible store does not say who the source credentials are"}}
		}
		return []finding{c}
	}
	p.source = arn
	p.predicted = p.predict() // now that it is known who asks
	return []finding{{Result: report.Pass, Detail: "the daemon is " + arn}}
}

// checkAssume asks STS anew: a session in memory says nothing about the trust policy of today.
func checkAssume(ctx context.Context, p *probe) []finding {
	ask := step{name: "assuming the role", service: "sts", action: "sts:AssumeRole", operation: "sts:AssumeRole", id: stepAssume}
	if p.dest.Role != "" {
		for range 1 + len(p.dest.Chain) {
			p.calls.spend(ctx)
		}
		if _, err := p.sessions.Refresh(ctx, p.dest.Name); err != nil {
			return p.diagnose(ctx, ask, err)
		}
	}
	s, err := p.sessions.Session(ctx, p.dest.Name)
	if err != nil {
		return p.diagnose(ctx, ask, err)
	}
	p.session = s
	p.passed[stepAssume] = true
	if p.dest.Role == "" {
		return []finding{{Result: report.Pass, Detail: "no role to assume; the source credentials are used as they are"}}
	}
	return []finding{{Result: report.Pass, Detail: fmt.Sprintf("a session of %s until %s", p.dest.Role, s.Expires.UTC().Format("15:04:05 MST"))}}
}

func checkIdentity(ctx context.Context, p *probe) []finding {
	if p.dest.Role == "" {
		return []finding{{Code: causeNoSTS, Result: report.Unknown, Artefact: report.ArtefactSession, Detail: "no role is configured, so there is nothing to compare with"}}
	}
	out, err := p.sts().GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		c := p.diagnose(ctx, step{name: "asking STS who the session is", service: "sts", operation: "sts:GetCallerIdentity", id: stepCreate}, err)[0]
		if p.dest.Compatible && c.Code != causeNetwork {
			return []finding{{Code: causeNoSTS, Result: report.Unknown, Artefact: report.ArtefactSession, AWSCode: c.AWSCode, AWSMessage: c.AWSMessage, Detail: "the compatible store does not say who the session is"}}
		}
		return []finding{c}
	}
	got := aws.ToString(out.Arn)
	g, err := awsarn.Parse(got)
	want, werr := awsarn.Parse(p.dest.Role)
	if err := errors.Join(err, werr); err != nil || g.Partition != want.Partition || g.Account != want.Account || roleName(got) != roleName(p.dest.Role) {
		return []finding{{Code: causeOtherRole, Result: report.Fail, Account: p.accountA(), Artefact: report.ArtefactSession, ArtefactARN: got, Confidence: report.Proven,
			Detail: fmt.Sprintf("the session is %s, but the configuration names %s", got, p.dest.Role),
			Fix:    "Check `role`, the STS endpoint and the profile: another identity answers than the one that the policies are written for."}}
	}
	p.predicted = p.predict() // now that the session's name is known
	return []finding{{Result: report.Pass, Detail: "the session is " + got}}
}

// noRole is told before anything else of the policies: the others name the role.
func (p *probe) noRole(c finding) finding {
	c.Code, c.Account, c.Artefact, c.ArtefactARN, c.step = causeNoRole, p.accountA(), report.ArtefactTrust, p.dest.Role, stepAssume
	c.Detail = fmt.Sprintf("there is no role %s: STS says the same for a role that is missing as for one that does not trust the caller", p.dest.Role)
	c.Fix = "Create the role (`brokerctl setup` does, and then what names it), or correct `role` in the configuration."
	return c
}

// assumeDenied explains a refused AssumeRole that the documents do not explain.
// STS says the same words whether the role is missing, does not trust the caller,
// or asks for a condition.
func (p *probe) assumeDenied(c finding, info awserr.Info) []finding {
	source := orText(p.source, "the source identity")
	if info.Layer == awserr.LayerIdentity || info.Layer == awserr.LayerBoundary || info.Layer == awserr.LayerSCP {
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeSourcePolicy, awsarn.Account(p.source), report.ArtefactSourcePolicy, awsarn.Role(p.source)
		c.Detail = fmt.Sprintf("a policy of %s itself does not let it assume %s", source, p.dest.Role)
		c.Fix = fmt.Sprintf("In account %s, allow sts:AssumeRole on the role in the identity policy of %s.", orUnknown(awsarn.Account(p.source)), source)
		c.FixStatement = statementJSON(map[string]any{"Sid": "BrokerdAssumeRole", "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": p.dest.Role})
		return []finding{c}
	}
	c.Code, c.Account, c.Artefact, c.ArtefactARN, c.Confidence = causeTrust, p.accountA(), report.ArtefactTrust, p.dest.Role, report.Weak
	c.Assumptions = []string{"not read: trust policy"}
	c.Detail = fmt.Sprintf("the trust policy of %s in account %s does not let %s assume it, or there is no such role: STS says the same in both cases", p.dest.Role, p.accountA(), source)
	if p.dest.Session.ExternalID == "" {
		c.Detail += "; no external id is configured, so a trust policy that asks for one refuses as well"
	} else {
		c.Detail += "; an external id is configured and must be the one that the trust policy asks for"
	}
	c.FixStatement = p.statement(docTrust, "sts:AssumeRole")
	c.Fix = fmt.Sprintf("In account %s, add this statement to the trust policy of the role.", p.accountA())
	if p.docs.read(report.DocumentTrust) {
		c.Assumptions = nil
		c.Detail = fmt.Sprintf("STS refuses to let %s assume %s, although the trust policy that was read allows it: the policy of the source, a service control policy, or an old copy", source, p.dest.Role)
		c.Code, c.Artefact, c.ArtefactARN = causeSourcePolicy, report.ArtefactSourcePolicy, awsarn.Role(p.source)
		c.FixStatement = statementJSON(map[string]any{"Sid": "BrokerdAssumeRole", "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": p.dest.Role})
		c.Fix = "Add this statement to the identity policy of the source."
	}
	if awsarn.Account(p.source) != "" && awsarn.Account(p.source) != p.accountA() {
		c.Fix += fmt.Sprintf(" %s is in another account (%s) and needs an identity policy that allows sts:AssumeRole on the role, too.", p.source, awsarn.Account(p.source))
	}
	return []finding{c}
}
