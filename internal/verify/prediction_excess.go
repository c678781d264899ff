package verify

import (
	"fmt"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// openTrust returns the trust statement that allows the source with another external id.
func (p *prediction) openTrust(id string) *report.Statement {
	sc, ok := p.assumeScenario()
	if !ok {
		return nil
	}
	delete(sc.Request.Context, "sts:ExternalId")
	if id != "" {
		sc.Request.Context["sts:ExternalId"] = []string{id}
	}
	r := iampolicy.Evaluate(sc)
	for i := range r.Layers {
		l := &r.Layers[i]
		for n := range l.Statements {
			if s := &l.Statements[n]; l.Layer == iampolicy.LayerResource && s.Effect == "Allow" && s.Outcome == iampolicy.Matched {
				return p.statementAt(sc, l, n)
			}
		}
	}
	return nil
}

// tooMuch is the finding for a request that the policies allow and must not allow.
func (p *prediction) tooMuch(sc iampolicy.Scenario, r iampolicy.Result) finding {
	f := finding{
		Result:      report.Fail,
		Account:     p.accountA(),
		Artefact:    report.ArtefactIdentity,
		ArtefactARN: p.dest.Role,
		Confidence:  report.Strong,
		Assumptions: p.docs.unread(),
		Evidence:    []report.Evidence{{Source: report.SourceStatic, Operation: sc.Request.Action, Text: string(r.Decision)}},
		Detail: fmt.Sprintf(
			"the policies of both accounts allow %s to the role: its session can destroy delivered objects",
			sc.Request.Action,
		),
	}
	for i := range r.Layers {
		l := &r.Layers[i]
		if l.Layer != iampolicy.LayerIdentity && l.Layer != iampolicy.LayerResource {
			continue
		}
		for n := range l.Statements {
			s := &l.Statements[n]
			if s.Effect == "Allow" && s.Outcome == iampolicy.Matched && f.Statement == nil {
				f.Statement, f.Name = p.statementAt(sc, l, n), s.Policy
				if l.Layer == iampolicy.LayerResource {
					f.Artefact, f.ArtefactARN, f.Account = report.ArtefactBucketPolicy, p.bucketARN(), p.accountB()
				}
			}
		}
	}
	if f.Statement != nil {
		f.Repair = p.fixes.narrow(f)
	}
	if f.Repair.IsZero() {
		f.Fix = "Take s3:DeleteObject out of the role's policy: an upload needs " + join(p.dest.WriteActions()) + " alone."
	}
	return f
}

// predictsDirect evaluates the use of the key outside S3.
func (p *prediction) predictsDirect() iampolicy.Decision {
	for _, d := range p.decided[stepCreate] {
		if d.scenario.Request.Action != "kms:GenerateDataKey" {
			continue
		}
		sc := d.scenario
		sc.Request = p.request("kms:GenerateDataKey", p.dest.KMSKey, awsarn.Account(p.dest.KMSKey), map[string][]string{
			"kms:EncryptionContext:aws:s3:arn": sc.Request.Context["kms:EncryptionContext:aws:s3:arn"],
			"kms:EncryptionContextKeys":        sc.Request.Context["kms:EncryptionContextKeys"],
		})
		return iampolicy.Evaluate(sc).Decision
	}
	return iampolicy.Unknown
}
