package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/config"
)

func checkSource(ctx context.Context, p *probe) finding {
	if p.dest.Compatible && p.dest.Role == "" {
		return finding{Code: causeNoSTS, Result: Unknown, Artefact: ArtefactCredentials, Detail: "no role is configured, the source credentials are used as they are; only the delivery checks can say whether they are right"}
	}
	arn, err := p.sessions.SourceIdentity(ctx, p.dest.Name)
	if err != nil {
		c := p.diagnose(ctx, step{name: "asking STS who the source credentials are", service: "sts", source: true}, err)
		if p.dest.Compatible && c.Code != causeNetwork {
			return finding{Code: causeNoSTS, Result: Unknown, Artefact: ArtefactCredentials, AWSCode: c.AWSCode, AWSMessage: c.AWSMessage, Detail: "the compatible store does not say who the source credentials are"}
		}
		return c
	}
	p.source = arn
	return finding{Result: Pass, Detail: "the daemon is " + arn}
}

// checkAssume asks STS anew: a session in memory says nothing about the trust policy of today.
func checkAssume(ctx context.Context, p *probe) finding {
	if p.dest.Role != "" {
		if _, err := p.sessions.Refresh(ctx, p.dest.Name); err != nil {
			return p.diagnose(ctx, step{name: "assuming the role", service: "sts", action: "sts:AssumeRole"}, err)
		}
	}
	s, err := p.sessions.Session(ctx, p.dest.Name)
	if err != nil {
		return p.diagnose(ctx, step{name: "getting a session", service: "sts", action: "sts:AssumeRole"}, err)
	}
	p.session = s
	if p.dest.Role == "" {
		return finding{Result: Pass, Detail: "no role to assume; the source credentials are used as they are"}
	}
	return finding{Result: Pass, Detail: fmt.Sprintf("a session of %s until %s", p.dest.Role, s.Expires.UTC().Format("15:04:05 MST"))}
}

func checkIdentity(ctx context.Context, p *probe) finding {
	if p.dest.Role == "" {
		return finding{Code: causeNoSTS, Result: Unknown, Artefact: ArtefactSession, Detail: "no role is configured, so there is nothing to compare with"}
	}
	out, err := p.sts().GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		c := p.diagnose(ctx, step{name: "asking STS who the session is", service: "sts"}, err)
		if p.dest.Compatible && c.Code != causeNetwork {
			return finding{Code: causeNoSTS, Result: Unknown, Artefact: ArtefactSession, AWSCode: c.AWSCode, AWSMessage: c.AWSMessage, Detail: "the compatible store does not say who the session is"}
		}
		return c
	}
	got := aws.ToString(out.Arn)
	g, err := config.ParseARN(got)
	want, werr := config.ParseARN(p.dest.Role)
	if err := errors.Join(err, werr); err != nil || g.Partition != want.Partition || g.Account != want.Account || roleName(got) != roleName(p.dest.Role) {
		return finding{Code: causeOtherRole, Result: Fail, Account: p.accountA(), Artefact: ArtefactSession, ArtefactARN: got,
			Detail: fmt.Sprintf("the session is %s, but the configuration names %s", got, p.dest.Role),
			Fix:    "Check `role`, the STS endpoint and the profile: another identity answers than the one that the policies are written for."}
	}
	return finding{Result: Pass, Detail: "the session is " + got}
}

// assumeDenied explains a refused AssumeRole. STS says the same words whether the
// role is missing, does not trust the caller, or asks for a condition.
func (p *probe) assumeDenied(c finding, info awserr.Info) finding {
	source := p.source
	if source == "" {
		source = "the source identity"
	}
	if info.Layer == awserr.LayerIdentity || info.Layer == awserr.LayerBoundary || info.Layer == awserr.LayerSCP {
		c.Code, c.Account, c.Artefact, c.ArtefactARN = causeSourcePolicy, accountOf(p.source), ArtefactIdentity, p.source
		c.Detail = fmt.Sprintf("a policy of %s itself does not let it assume %s", source, p.dest.Role)
		c.Fix = fmt.Sprintf("In account %s, allow sts:AssumeRole on the role in the identity policy of %s.", orUnknown(accountOf(p.source)), source)
		c.FixStatement = statementJSON(map[string]any{"Sid": "BrokerdAssumeRole", "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": p.dest.Role})
		return c
	}
	c.Code, c.Account, c.Artefact, c.ArtefactARN = causeTrust, p.accountA(), ArtefactTrust, p.dest.Role
	c.Detail = fmt.Sprintf("the trust policy of %s in account %s does not let %s assume it, or there is no such role: STS says the same in both cases", p.dest.Role, p.accountA(), source)
	if p.dest.Session.ExternalID == "" {
		c.Detail += "; no external id is configured, so a trust policy that asks for one refuses as well"
	} else {
		c.Detail += "; an external id is configured and must be the one that the trust policy asks for"
	}
	c.FixStatement = p.statement(docTrust, "sts:AssumeRole")
	c.Fix = fmt.Sprintf("In account %s, add this statement to the trust policy of the role.", p.accountA())
	if accountOf(p.source) != "" && accountOf(p.source) != p.accountA() {
		c.Fix += fmt.Sprintf(" %s is in another account (%s) and needs an identity policy that allows sts:AssumeRole on the role, too.", p.source, accountOf(p.source))
	}
	return c
}
